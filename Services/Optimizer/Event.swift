import CoreMetrics
import PortfolioModels
import ServiceKit
import WireFormat

/// What can be observed of this service, one method an observation. No tenant and no symbol is ever a label.
struct Event: Sendable {
    private let registry: PrometheusRegistry
    // What is counted where answers take microseconds is looked up once.
    private let hits, misses: any CounterHandler
    private let shedByTenant, shedByLoad, shedByLeaving: any CounterHandler
    let problems: ProblemCounter
    private let solves = TimerTable<Kind>()

    static let solve = "optimizer_solve_seconds"
    static let evaluation = "optimizer_evaluation_seconds"
    static let panel = "optimizer_panel_seconds"
    static let cacheHits = "optimizer_cache_hits_total"
    static let cacheMisses = "optimizer_cache_misses_total"
    static let sharedSolves = "optimizer_shared_solves_total"
    static let asyncJobs = "async_jobs_total"
    static let asyncJobDuration = "async_job_duration_seconds"
    static let webhooks = "webhook_deliveries_total"
    static let jobs = "jobs_total"
    static let jobLate = "job_late_seconds"
    static let jobDuration = "job_duration_seconds"
    static let marked = "job_marks_total"
    static let expired = "feed_cursor_expired_total"

    init(registry: PrometheusRegistry) {
        self.registry = registry
        problems = ProblemCounter(registry)
        hits = registry.makeCounter(label: Self.cacheHits, dimensions: [])
        misses = registry.makeCounter(label: Self.cacheMisses, dimensions: [])
        func shed(_ why: String) -> any CounterHandler {
            registry.makeCounter(label: RateLimiter.shed, dimensions: [("why", why)])
        }
        (shedByTenant, shedByLoad, shedByLeaving) = (shed("tenant_queue"), shed("load"), shed("left"))
        registry.describe(Self.solve, "Time of an optimisation, verification included")
        registry.describe(Self.evaluation, "Time of a backtest, from its data to its figures")
        registry.describe(Self.panel, "Time from a transaction's begin to the matrix of returns, fingerprint included")
        registry.describe(Self.cacheHits, "Answers that an earlier call had found")
        registry.describe(Self.cacheMisses, "Answers that had to be found")
        registry.describe(Self.sharedSolves, "Answers that an equal call running at the same time found")
        registry.describe(Self.asyncJobs, "Jobs that ended, by outcome")
        registry.describe(Self.asyncJobDuration, "From claim to end of a job")
        registry.describe(Self.webhooks, "Attempts to deliver a webhook, by outcome")
        registry.describe(Self.jobs, "Recalculations by outcome")
        registry.describe(Self.jobLate, "From when a recalculation was due to when it was claimed")
        registry.describe(Self.jobDuration, "From claim to end of a recalculation")
        registry.describe(Self.marked, "Portfolios marked for recalculation; against jobs_total it shows coalescing")
        registry.describe(Self.expired, "Times the change log no longer reached back to the cursor")
    }

    /// A solve ended; nil seconds where it ended without an answer.
    func solved(_ request: OptimizeRequest, seconds: Double?, outcome: String) {
        let kind = Kind(model: request.model, measure: request.riskMeasure, outcome: outcome)
        let timer = solves.timer(kind) {
            registry.makeTimer(
                label: Self.solve,
                dimensions: [
                    ("model", kind.model.rawValue), ("measure", kind.measure.rawValue), ("outcome", outcome),
                ])
        }
        timer.recordNanoseconds(Int64((seconds ?? 0) * 1e9))
    }

    private struct Kind: Hashable {
        var model: ModelName
        var measure: RiskMeasureCode
        var outcome: String
    }

    /// A backtest ended with its figures.
    func evaluated(_ kind: String, seconds: Double) {
        registry.makeTimer(label: Self.evaluation, dimensions: [("kind", kind)]).recordNanoseconds(Int64(seconds * 1e9))
    }

    /// Stored prices have become a panel.
    func panelLoaded(seconds: Double) {
        registry.makeTimer(label: Self.panel, dimensions: []).recordNanoseconds(Int64(seconds * 1e9))
    }

    func cacheHit() { hits.increment(by: 1) }

    func cacheMiss() { misses.increment(by: 1) }

    func sharedSolve() { registry.makeCounter(label: Self.sharedSolves, dimensions: []).increment(by: 1) }

    /// A request was not let in: refused, or, without a cause, given up.
    func shed(_ cause: AdmissionRefusal.Cause?) {
        switch cause {
        case .part: shedByTenant.increment(by: 1)
        case .load: shedByLoad.increment(by: 1)
        case nil: shedByLeaving.increment(by: 1)
        }
    }

    /// An attempt to deliver a webhook ended.
    func delivered(_ outcome: String) {
        registry.makeCounter(label: Self.webhooks, dimensions: [("outcome", outcome)]).increment(by: 1)
    }

    /// A job ended.
    func jobEnded(outcome: String, seconds: Double) {
        registry.makeCounter(label: Self.asyncJobs, dimensions: [("outcome", outcome)]).increment(by: 1)
        registry.makeTimer(label: Self.asyncJobDuration, dimensions: []).recordNanoseconds(Int64(seconds * 1e9))
    }

    /// A step of the fan-out.
    func fannedOut(_ step: FanOut.Step) {
        if step.marked > 0 {
            registry.makeCounter(label: Self.marked, dimensions: []).increment(by: Int64(step.marked))
        }
        if step.expired { registry.makeCounter(label: Self.expired, dimensions: []).increment(by: 1) }
    }

    /// A run of a job ended.
    func recalculated(outcome: String, lateMilliseconds: Double, seconds: Double) {
        registry.makeCounter(label: Self.jobs, dimensions: [("outcome", outcome)]).increment(by: 1)
        registry.makeTimer(label: Self.jobLate, dimensions: []).recordNanoseconds(Int64(max(0, lateMilliseconds) * 1e6))
        registry.makeTimer(label: Self.jobDuration, dimensions: []).recordNanoseconds(Int64(seconds * 1e9))
    }
}
