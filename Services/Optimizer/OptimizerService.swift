import Foundation
import HTTPFetch
import Logging
import PostgresClient
import ServiceKit
import ServiceLifecycle
import WireFormat

/// Puts the service together from its configuration and runs it.
enum OptimizerService {
    static func serve(_ configuration: Configuration) async throws {
        bootstrapLogging(service: "optimizer", level: try configuration.value(Options.logLevel))
        LargeBlocks.keep()
        let logger = Logger(label: "optimizer")
        let registry = PrometheusRegistry()
        let readiness = ReadinessChecks()
        let pool = try configuration.databasePool(application: "ballast optimizer", logger: logger)
        let threads = try configuration.value(OptimizerOptions.solverThreads)
        let optimizer = Optimizer(
            pool: pool, solverThreads: threads > 0 ? threads : max(1, ProcessInfo.processInfo.activeProcessorCount - 1),
            cacheBytes: try configuration.value(OptimizerOptions.cacheMegabytes) << 20,
            memory: MemoryBudget(megabytes: try configuration.value(OptimizerOptions.memoryMegabytes)),
            webhookHosts: try configuration.value(OptimizerOptions.webhookHosts),
            trading: try configuration.tradingDesk(), drain: readiness.drain,
            registry: registry, logger: logger)
        let tokens = try await configuration.tokenVerifier()
        let authenticator = Authenticator(keys: APIKeys(pool), tokens: tokens?.verifier)

        readiness.addDatabase(pool, sqlDirectory: try configuration.value(Options.sqlDirectory))
        readiness.add("solver") {
            let load = optimizer.solver.load
            guard !optimizer.solver.isSaturated else { throw ReadinessChecks.NotReady("\(load.waiting) solves wait") }
            return "\(load.running) running, \(load.waiting) waiting"
        }
        registry.addPool(pool)
        addGauges(optimizer, registry)

        let access = Routes.Access(
            authenticator: authenticator, origins: try configuration.value(Options.corsOrigins),
            keyQuota: RateQuota(requests: try configuration.value(Options.keyRateLimit)),
            tenantQuota: RateQuota(requests: try configuration.value(Options.tenantRateLimit)), registry: registry)
        let router = Routes.router(optimizer, access: access, registry: registry, drain: readiness.drain)
        let host = try configuration.value(Options.host)
        let port = try configuration.value(Options.optimizerPort)
        var guards = ServerGuards.standard
        guards.early = OptimizeOnArrival(optimizer, access: access, registry: registry, drain: readiness.drain).answer
        let server = HTTPService.application(router: router, host: host, port: port, guards: guards, logger: logger) {
            port in
            logger.info("Listening", metadata: ["host": "\(host)", "port": "\(port)"])
        }
        let ops = OpsServer(
            service: "optimizer", host: try configuration.value(Options.opsHost),
            port: try configuration.value(Options.optimizerOpsPort), readiness: readiness, metrics: registry,
            logger: logger)
        let listener = Listener(
            optimizer: optimizer, notifications: PostgresListener(pool.configuration, logger: logger),
            realtime: wakeUp(
                url: try configuration.value(Options.realtimeURL), tokens: tokens?.verifier, logger: logger))
        let sender = WebhookSender(
            store: optimizer.webhooks, hosts: optimizer.webhookHosts, client: HTTPClient(),
            listener: PostgresListener(pool.configuration, logger: logger), event: optimizer.event, logger: logger)
        try await ServiceRunner.run(
            services: [
                pool, ops, CredentialWatcher(authenticator, pool: pool, logger: logger),
                AuditHeads(pool, logger: logger), optimizer.jobHub, Worker(optimizer: optimizer),
                JobRunner(optimizer: optimizer), ExecutionRunner(optimizer: optimizer), optimizer.notices, sender,
                listener, server,
            ] + optimizer.trading.services + tokenKeyServices(tokens, logger: logger),
            drain: readiness.drain, lag: .seconds(try configuration.value(Options.drainSeconds)), logger: logger)
        optimizer.solver.stop()
    }

    /// The subscription at the store-notifier; nil without a JWT secret, since the service could not prove who it is.
    private static func wakeUp(url: String, tokens: JWTVerifier?, logger: Logger) -> RealtimeWakeUp? {
        guard let tokens, tokens.canMint, !url.isEmpty else { return nil }
        return RealtimeWakeUp(
            url: url,
            token: {
                let now = Date().timeIntervalSince1970
                return try await tokens.mint(
                    role: "service_role", subject: "optimizer", issued: now, expires: now + 86_400)
            }, logger: logger)
    }

    private static func addGauges(_ optimizer: Optimizer, _ registry: PrometheusRegistry) {
        registry.describe("optimizer_solves_running", "Solves on the solver's threads")
        registry.describe("optimizer_solves_waiting", "Solves that wait for a thread")
        registry.describe("queue_depth", "Recalculations that are wanted and not parked")
        registry.describe("queue_oldest_seconds", "How long the oldest of them is overdue")
        registry.describe("queue_parked", "Recalculations that are parked")
        registry.describe("limit_current", "Requests that are let in at a time")
        registry.describe("admission_running", "Requests that have been let in")
        registry.describe("admission_waiting", "Requests that wait to be let in")
        registry.describe("admission_overloaded", "1 while the queue stands")
        registry.describe("optimizer_panel_bytes", "Memory of the panels that are kept")
        registry.describe("admission_bytes", "Memory that the requests which have been let in are foreseen to take")
        registry.describe("optimizer_cache_bytes", "Memory of the answers that are kept")
        registry.describe("optimizer_cache_entries", "Answers that are kept")
        registry.describe("optimizer_cache_evictions_total", "Answers that made room for others")
        registry.describe(
            "optimizer_statistics_hits_total", "Estimates of mean and covariance that an earlier call had made")
        registry.describe("optimizer_statistics_misses_total", "Estimates of mean and covariance that had to be made")
        registry.describe("optimizer_statistics_extended_total", "Of these, gone on with from an earlier panel")
        registry.describe("optimizer_statistics_bytes", "Memory of the estimates that are kept")
        registry.describe("async_jobs", "Jobs by state")
        registry.describe("async_jobs_oldest_seconds", "How long the oldest queued job has waited")
        registry.addCollector {
            let load = optimizer.solver.load
            let gate = optimizer.gate.load
            let cache = optimizer.answers.statistics
            var samples = [
                PrometheusRegistry.Sample("optimizer_solves_running", value: Double(load.running)),
                PrometheusRegistry.Sample("optimizer_solves_waiting", value: Double(load.waiting)),
                .init("limit_current", value: Double(gate.limit)),
                .init("admission_running", value: Double(gate.running)),
                .init("admission_waiting", value: Double(gate.waiting)),
                .init("admission_overloaded", value: gate.isOverloaded ? 1 : 0),
                .init("optimizer_cache_bytes", value: Double(cache.bytes)),
                .init("optimizer_cache_entries", value: Double(cache.entries)),
                .init("optimizer_cache_evictions_total", .counter, value: Double(cache.evictions)),
            ]
            let estimates = optimizer.statistics.statistics
            samples += [
                .init("optimizer_panel_bytes", value: Double(optimizer.panels.statistics.bytes)),
                .init("admission_bytes", value: Double(gate.bytes) + Double(optimizer.longGate.load.bytes)),
                .init("optimizer_statistics_hits_total", .counter, value: Double(estimates.hits)),
                .init("optimizer_statistics_misses_total", .counter, value: Double(estimates.misses)),
                .init("optimizer_statistics_extended_total", .counter, value: Double(estimates.extended)),
                .init("optimizer_statistics_bytes", value: Double(estimates.bytes)),
            ]
            if let depth = try? await optimizer.jobStore.depth() {
                samples.append(.init("async_jobs", labels: [("state", "queued")], value: Double(depth.queued)))
                samples.append(.init("async_jobs", labels: [("state", "running")], value: Double(depth.running)))
                samples.append(.init("async_jobs_oldest_seconds", value: max(0, depth.oldestSeconds)))
            }
            if let depth = try? await optimizer.jobs.depth() {
                samples.append(.init("queue_depth", value: Double(depth.pending)))
                samples.append(.init("queue_oldest_seconds", value: depth.oldestSeconds))
                samples.append(.init("queue_parked", value: Double(depth.parked)))
            }
            return samples
        }
    }

    /// Whether the running service says that it is ready.
    static func isHealthy(_ configuration: Configuration) async throws -> Bool {
        await HealthProbe.isReady(
            host: try configuration.value(Options.opsHost), port: try configuration.value(Options.optimizerOpsPort))
    }
}
