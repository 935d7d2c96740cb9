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
    let prices = PriceCache()
    let jobs: JobQueue
    let fanOut: FanOut
    let event: Event
    let logger: Logger
    /// Wakes the worker: a job may be due.
    let workerWake = WakeSignal()
    /// Wakes the fan-out: prices may have changed.
    let fanOutWake = WakeSignal()

    init(pool: PostgresPool, solverThreads: Int, cachedAnswers: Int = 512, registry: PrometheusRegistry, logger: Logger)
    {
        self.pool = pool
        solver = SolverPool(threads: solverThreads)
        answers = ResultCache(capacity: cachedAnswers)
        jobs = JobQueue(pool: pool)
        fanOut = FanOut(pool: pool)
        event = Event(registry: registry)
        self.logger = logger
    }
}

/// Everything an answer depends on. Tenants never share an entry.
struct AnswerKey: Hashable, Sendable {
    var tenant: UUID
    var requestHash: [UInt8]
    var fingerprint: PanelFingerprint
}
