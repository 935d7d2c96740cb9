import Foundation
import Logging
import PortfolioModels
import PostgresClient
import ServiceKit
import WireFormat

/// What the endpoints and the worker share: the database, the threads that solve, the answers of recent calls.
struct Optimizer: Sendable {
    let pool: PostgresPool
    let solver: SolverPool
    let answers: ResultCache<AnswerKey, SolvedPortfolio>
    /// Whole replies to calls that were the same byte for byte.
    let replies: ResultCache<ReplyKey, CachedReply>
    /// Means and covariances by data and estimators.
    let statistics: StatisticsCache
    let panels: PanelCache
    let watch: DataWatch
    /// Equal solves that are wanted at the same time.
    let flights = SingleFlight<AnswerKey, SolvedPortfolio>()
    let costs = CostModel()
    /// Of each gate.
    let memory: MemoryBudget
    let gate: AdmissionGate
    /// Of requests that are foreseen to take long.
    let longGate: AdmissionGate
    let jobStore: JobStore
    let jobHub: JobHub
    let webhooks: WebhookStore
    let webhookHosts: WebhookHosts
    /// While it drains, streams of events end.
    let drain: DrainState
    let prices = PriceCache()
    let jobs: JobQueue
    let fanOut: FanOut
    let event: Event
    /// Tells of problems those who did not make the call.
    let notices: ProblemNotices
    let logger: Logger
    /// Wakes the worker: a job may be due.
    let workerWake = WakeSignal()
    /// Wakes the fan-out: prices may have changed.
    let fanOutWake = WakeSignal()
    /// Wakes the runner of executions: one has been opened.
    let executionWake = WakeSignal()
    /// Where plans are traded.
    let trading: TradingDesk

    init(
        pool: PostgresPool, solverThreads: Int, cacheBytes: Int = 128 << 20, memory: MemoryBudget = .unlimited,
        webhookHosts: WebhookHosts = WebhookHosts(""), trading: TradingDesk = TradingDesk(),
        drain: DrainState = DrainState(),
        registry: PrometheusRegistry, logger: Logger
    ) {
        self.pool = pool
        self.trading = trading
        let event = Event(registry: registry)
        self.event = event
        solver = SolverPool(threads: solverThreads)
        // Each of the two gates has a half of what is set aside.
        self.memory = MemoryBudget(bytes: memory.bytes / 2)
        answers = ResultCache(bytes: cacheBytes / 4) { $0.estimatedBytes }
        replies = ResultCache(bytes: cacheBytes / 4) { $0.count }
        panels = PanelCache(bytes: cacheBytes / 4)
        statistics = StatisticsCache(bytes: cacheBytes / 4)
        watch = DataWatch(pool)
        jobs = JobQueue(pool: pool)
        gate = AdmissionGate(threads: solverThreads, memory: self.memory, event: event)
        longGate = AdmissionGate(threads: solverThreads, queueLimit: 64, memory: self.memory, event: event)
        jobStore = JobStore(pool: pool, owner: jobs.owner)
        jobHub = JobHub(PostgresListener(pool.configuration, logger: logger))
        self.drain = drain
        webhooks = WebhookStore(pool: pool)
        self.webhookHosts = webhookHosts
        fanOut = FanOut(pool: pool)
        self.logger = logger
        notices = ProblemNotices(pool: pool, logger: logger)
    }
}

/// Everything an answer depends on. Tenants never share an entry.
struct AnswerKey: Hashable, Sendable {
    var tenant: UUID
    var requestHash: [UInt8]
    var fingerprint: PanelFingerprint
}
