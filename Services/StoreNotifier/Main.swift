import ArgumentParser
import Logging
import ServiceKit

/// `store-notifier`: tells WebSocket clients of Supabase Realtime what has been committed.
@main
struct StoreNotifierCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store-notifier",
        abstract: "Serve committed changes over the Supabase Realtime protocol.",
        discussion: ConfigurationRow.help(NotifierOptions.rows),
        version: ServiceVersion.release,
        subcommands: [Serve.self, Health.self],
        defaultSubcommand: Serve.self)

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run the service.", discussion: ConfigurationRow.help(NotifierOptions.rows))

        func run() async throws {
            let configuration = ServiceKit.Configuration()
            let settings = try Notifier.Settings(configuration)
            bootstrapLogging(service: "store-notifier", level: try configuration.value(Options.logLevel))
            let logger = Logger(label: "store-notifier")
            let pool = try configuration.databasePool(application: "ballast store-notifier", logger: logger)
            let tokens = try await configuration.tokenVerifier()
            let drain = DrainState()
            let notifier = Notifier.build(
                settings, pool: pool, tokens: tokens?.verifier, readiness: ReadinessChecks(drain: drain),
                metrics: PrometheusRegistry(), logger: logger)
            try await ServiceRunner.run(
                services: notifier.services + tokenKeyServices(tokens, logger: logger), drain: drain,
                lag: .seconds(try configuration.value(Options.drainSeconds)), logger: logger)
        }
    }

    struct Health: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Exit 0 when the running service is ready, 1 when not.")

        func run() async throws {
            let configuration = ServiceKit.Configuration()
            let port = try configuration.value(Options.notifierOpsPort)
            guard await HealthProbe.isReady(host: try configuration.value(Options.opsHost), port: port) else {
                throw ExitCode.failure
            }
        }
    }
}
