import Foundation
import HTTPFetch
import Logging
import MarketData
import Metrics
import PostgresClient
import ServiceKit
import ServiceLifecycle
import WireFormat

/// The parts of the collector, put together from its configuration.
struct Collector: Sendable {
    let configuration: Configuration
    let pool: PostgresPool
    let runs: RunStore
    let runner: JobRunner
    let events: EventLog
    let jobs: [Job]
    let logger: Logger

    /// - Throws: `ConfigurationError`, or the `Problem` of the jobs file.
    static func build(_ configuration: Configuration, logger: Logger) throws -> Collector {
        let pool = try configuration.databasePool(application: "etl", logger: logger)
        var jobs: [Job] = []
        if let path = try configuration.value(ETLOptions.jobsFile) {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw ConfigurationError.unreadable(variable: ETLOptions.jobsFile.variable, path: path)
            }
            jobs = try JobsFile.read([UInt8](data))
        }
        if let directory = try configuration.value(ETLOptions.csvDirectory), !jobs.contains(where: { $0.name == "csv" })
        {
            jobs.append(.csvFolder(directory))
        }
        return Collector(configuration: configuration, pool: pool, jobs: jobs, logger: logger)
    }

    init(
        configuration: Configuration, pool: PostgresPool, jobs: [Job], logger: Logger,
        tap: (@Sendable (Event) -> Void)? = nil
    ) {
        let events = EventLog(logger: logger, tap: tap)
        let runs = RunStore(pool: pool, logger: logger)
        self.configuration = configuration
        self.pool = pool
        self.runs = runs
        self.events = events
        self.jobs = jobs
        self.logger = logger
        runner = JobRunner(
            runs: runs, batches: BatchStore(pool: pool), transport: Transport { events.emit(.fetched($0)) },
            events: events)
    }

    /// Serves until told to stop.
    func serve() async throws {
        let metrics = PrometheusRegistry()
        MetricsSystem.bootstrap(metrics)
        metrics.addProcessMetrics(service: "etl", version: ServiceVersion())
        metrics.addPool(pool)
        Self.describe(metrics)
        let readiness = ReadinessChecks()
        readiness.addDatabase(pool, sqlDirectory: try configuration.value(Options.sqlDirectory))
        let ops = OpsServer(
            service: "etl", host: try configuration.value(Options.opsHost),
            port: try configuration.value(Options.etlOpsPort),
            readiness: readiness, metrics: metrics, logger: logger)
        logger.info("Collecting", metadata: ["jobs": "\(jobs.map { $0.name })"])
        try await ServiceRunner.run(
            services: [pool, ops, scheduler], drain: readiness.drain,
            lag: .seconds(try configuration.value(Options.drainSeconds)), limit: .seconds(4), logger: logger)
    }

    var scheduler: Scheduler {
        Scheduler(loops: jobs.map { JobLoop(job: $0, runner: runner, runs: runs, events: events) })
    }

    private static func describe(_ metrics: PrometheusRegistry) {
        metrics.describe("ballast_etl_rows_total", "Rows by what became of them")
        metrics.describe("ballast_etl_runs_total", "Runs by their end")
        metrics.describe("ballast_etl_requests_total", "HTTP exchanges by class of their status")
        metrics.describe("ballast_etl_failures_total", "Items that failed, by error class")
        metrics.describe("ballast_etl_quarantined_total", "Rows kept aside, by the rule they broke")
        metrics.describe("ballast_etl_dropped_total", "Rows left out on purpose, by reason")
        metrics.describe("ballast_etl_missing_total", "Bars that were due and did not come")
        metrics.describe("ballast_etl_newest_bar_timestamp_seconds", "Start of the newest bar stored")
        metrics.describe(
            "ballast_etl_batch_seconds", "Time of a batch's transaction", buckets: PrometheusRegistry.latencyBuckets)
        metrics.describe(
            "ballast_etl_request_seconds", "Time of an HTTP exchange", buckets: PrometheusRegistry.latencyBuckets)
        metrics.describe(
            "ballast_etl_request_wait_seconds", "Waits for rate limits and back-off",
            buckets: PrometheusRegistry.latencyBuckets)
    }
}
