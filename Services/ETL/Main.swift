import ArgumentParser
import Foundation
import Logging
import MarketData
import PostgresClient
import ServiceKit
import WireFormat

/// `etl`: collects market data into PostgreSQL.
@main
struct ETLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "etl",
        abstract: "Collect market data into PostgreSQL, on schedules and from a watched folder.",
        discussion: ConfigurationRow.help(ETLOptions.rows),
        version: ServiceVersion.release,
        subcommands: [ServeCommand.self, RunCommand.self, ImportCommand.self, HealthCommand.self],
        defaultSubcommand: ServeCommand.self)

    /// Builds the collector, or ends with a sentence that says what is wrong.
    static func collector() throws -> Collector {
        let configuration = Configuration()
        do {
            bootstrapLogging(service: "etl", level: try configuration.value(Options.logLevel))
            return try Collector.build(configuration, logger: Logger(label: "etl"))
        } catch let error as ConfigurationError {
            throw CommandError(error.description)
        } catch let problem as Problem {
            let faults = problem.errors.map { "\n  \($0.pointer): \($0.detail)" }.joined()
            throw CommandError("BALLAST_ETL_JOBS_FILE is not valid: \(problem.detail)\(faults)")
        }
    }
}

/// Ends a command; printed as it is.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run all jobs until told to stop (default).")

    func run() async throws { try await ETLCommand.collector().serve() }
}

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Run one job now, and end.")

    @Argument(help: "The job's name in the jobs file.")
    var job: String

    func run() async throws {
        let collector = try ETLCommand.collector()
        guard let job = collector.jobs.first(where: { $0.name == self.job }) else {
            throw CommandError(
                "There is no job \(self.job). Known: \(collector.jobs.map { $0.name }.joined(separator: ", "))")
        }
        let report = try await collector.runner.run(job)
        await collector.pool.close()
        try report.printAndEnd()
    }
}

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Load CSV files once, and end.",
        discussion: "A file that was loaded before and has not changed is not loaded again.")

    @Argument(help: "CSV files: date,SYMBOL,... or the columns of market_data.", completion: .file(extensions: ["csv"]))
    var files: [String]

    @Option(help: "Length of the bars: 1d, 1h, 5m, ...")
    var interval = "1d"

    func run() async throws {
        guard let interval = BarInterval(interval) else {
            throw CommandError("--interval takes a length such as 1d or 5m.")
        }
        let collector = try ETLCommand.collector()
        let paths = files.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
        let source = CSVSource(directory: "", interval: interval, suffix: "")
        let job = Job(name: "import", sourceID: CSVSource.id, source: source)
        let report = try await collector.runner.run(job, items: paths)
        await collector.pool.close()
        try report.printAndEnd()
    }
}

struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Exit 0 when the running collector is ready, 1 otherwise.")

    func run() async throws {
        let configuration = Configuration()
        let host = try configuration.value(Options.opsHost)
        let port = try configuration.value(Options.etlOpsPort)
        // A server on all addresses is asked on loopback.
        guard await HealthProbe.isReady(host: host == "0.0.0.0" ? "127.0.0.1" : host, port: port) else {
            throw ExitCode(1)
        }
    }
}

extension RunReport {
    /// One line for people; exit code 1 unless everything went well.
    func printAndEnd() throws {
        print(
            "\(status.rawValue): \(counts.inserted) inserted, \(counts.updated) updated, \(counts.unchanged) unchanged, "
                + "\(counts.quarantined) quarantined, \(counts.refused) refused")
        for (item, failure) in failures { print("  \(item): \(failure)") }
        LogSink.standardError.flush()
        if status != .succeeded { throw ExitCode(1) }
    }
}
