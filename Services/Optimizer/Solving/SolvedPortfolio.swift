import ConvexSolver
import Crypto
import Foundation
import PortfolioModels
import ServiceKit
import Synchronization
import WireFormat

/// A result that has passed verification, and when it was found.
struct SolvedPortfolio: Sendable {
    var result: OptimizationResult
    /// When the solve ended.
    var timestamp: UTCTimestamp
    var solveMilliseconds: Double
}

extension Optimizer {
    /// What made the figures.
    static let engine = PortfolioOptimization.engine

    /// Estimates, solves and verifies as `begin` does. When the task is cancelled the deadline's flag is raised.
    func solve(
        _ request: OptimizeRequest, _ loaded: LoadedPanel, lane: SolverPool.Lane, deadline: SolverDeadline
    ) async throws(Problem) -> SolvedPortfolio {
        let result: Result<SolvedPortfolio, Problem> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                begin(request, loaded, lane: lane, deadline: deadline) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            deadline.flag?.cancel()
        }
        return try result.get()
    }

    /// Estimates, solves and verifies on the solver's threads. The same path for a request and for a recalculation.
    /// - Parameter completion: told the model's problems too, and `SYS-301` where the independent check finds the answer wrong. It must not hold up the
    ///   thread.
    func begin(
        _ request: OptimizeRequest, _ loaded: LoadedPanel, lane: SolverPool.Lane, deadline: SolverDeadline,
        onStart: @escaping @Sendable (Duration) -> Void = { _ in }, onLong: @escaping @Sendable () -> Void = {},
        completion: @escaping @Sendable (Result<SolvedPortfolio, Problem>) -> Void
    ) {
        let (panel, fingerprint) = (loaded.panel, loaded.fingerprint)
        let (statistics, costs, event) = (statistics, costs, event)
        let request = request.with(factors: loaded.factors)
        let begun = Beginning()
        solver.start(lane: lane, deadline: deadline, onStart: { begun.set($0, onStart) }, onLong: onLong) {
            () throws(Problem) in
            let start = ContinuousClock.now
            let base = try statistics.moments(of: request, panel: panel, fingerprint: fingerprint)
            let result = try PortfolioOptimization.run(request, panel: panel, deadline: deadline, base: base)
            let elapsed = ContinuousClock.now - start
            try Verification.check(request, panel: panel, result: result)
            return SolvedPortfolio(
                result: result.withoutProof, timestamp: .now, solveMilliseconds: elapsed / .milliseconds(1))
        } completion: { result in
            switch result {
            case .success(let solved):
                let seconds = solved.solveMilliseconds / 1000
                costs.learn(request, observations: panel.observations, seconds: seconds)
                event.solved(request, seconds: seconds, outcome: "optimal")
            case .failure(let error):
                // One that was broken off would have taken longer yet: the next is not thought to be short.
                if let seconds = begun.seconds, seconds > costs.estimate(request, observations: panel.observations) {
                    costs.learn(request, observations: panel.observations, seconds: seconds)
                }
                event.solved(request, seconds: nil, outcome: error.code)
            }
            completion(result)
        }
    }

    /// When a solve began.
    private final class Beginning: Sendable {
        private let instant = Mutex<ContinuousClock.Instant?>(nil)

        func set(_ waited: Duration, _ tell: (Duration) -> Void) {
            instant.withLock { $0 = .now }
            tell(waited)
        }

        /// Since then; nil where it has not begun.
        var seconds: Double? { instant.withLock { $0.map { (ContinuousClock.now - $0) / .seconds(1) } } }
    }
}

extension OptimizeRequest {
    /// SHA-256 of everything the figures depend on besides the data: labels, storage and the panel's own figures (whose fingerprint
    /// stands beside this hash) are left out.
    var computationHash: [UInt8] {
        var plain = self
        plain.name = nil
        plain.portfolioID = nil
        plain.store = true
        plain.recalculation = nil
        plain.panel = nil
        return Array(SHA256.hash(data: plain.json.bytes()))
    }

    /// The request as it is kept with a portfolio: without what names the portfolio or belongs to the single call.
    var kept: OptimizeRequest {
        var kept = self
        kept.portfolioID = nil
        kept.store = true
        kept.recalculation = nil
        return kept
    }
}

extension UTCTimestamp {
    /// This process' clock; the database's decides wherever order matters.
    static var now: UTCTimestamp {
        UTCTimestamp(microsecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }
}

extension OptimizeResponse {
    /// The answer, of this call until its meta says otherwise.
    init(_ request: OptimizeRequest, _ loaded: LoadedPanel, _ solved: SolvedPortfolio, portfolioID: String?) {
        self = solved.result.response(
            request: request, panel: loaded.panel, portfolioID: portfolioID, timestamp: solved.timestamp,
            revision: loaded.tick, fingerprint: loaded.fingerprint.hex,
            meta: OptimizeResponse.Meta(
                version: ServiceVersion.release, engine: Optimizer.engine, solveMilliseconds: solved.solveMilliseconds,
                totalMilliseconds: solved.solveMilliseconds, cached: false, requestID: nil,
                periodsPerYear: solved.result.periodsPerYear, convention: request.convention))
        warnings += loaded.warnings
    }
}
