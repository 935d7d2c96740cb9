import ConvexSolver
import PortfolioModels
import ServiceKit
import Synchronization
import WireFormat

/// A value on its way between a thread of the solver and its caller: large values travel as references.
final class Carried<Value: Sendable>: Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// One call that is let in by the gate: who, how much, until when.
struct AdmittedCall: Sendable {
    var principal: Principal
    var requestID: String
    /// Estimated seconds of a core.
    var cost: Double
    var start: ContinuousClock.Instant
    var limit: Duration
}

extension Optimizer {
    /// Admit -> work. Cancelling the task raises the deadline's flag, which the work polls.
    /// - Parameter body: told the deadline, and whom to tell how long the first thread was waited for.
    func admitted<Answer: Sendable>(
        _ call: AdmittedCall,
        _ body: @escaping @Sendable (SolverDeadline, @escaping @Sendable (Duration) -> Void) async throws -> Answer
    ) async throws -> Answer {
        try await withTimeLimit(call.limit) {
            let ticket = try await gate.enter(
                tenant: call.principal.tenant, cost: call.cost, deadline: call.start + call.limit)
            let waited = Waited()
            defer { gate.leave(ticket, solverWait: waited.value) }
            let deadline = SolverDeadline(instant: call.start + call.limit, flag: CancellationFlag())
            return try await body(deadline) { waited.set($0) }
        }
    }

    /// How long the first thread was waited for.
    private final class Waited: Sendable {
        private let wait = Mutex<Duration?>(nil)
        var value: Duration? { wait.withLock { $0 } }
        func set(_ duration: Duration) { wait.withLock { $0 = $0 ?? duration } }
    }

    /// `Prefer: handling=strict`: what would be a warning is a refusal.
    static func refuse(_ warnings: [PortfolioWarning], _ isStrict: Bool) throws(Problem) {
        guard isStrict, let first = warnings.first else { return }
        let more = warnings.count > 1 ? " (and \(warnings.count - 1) more)" : ""
        throw Problem(
            .strictHandling, first.detail + more,
            errors: warnings.map { Violation($0.pointer, .other($0.code), $0.detail) })
    }

    /// The facts of a call for its answer.
    static func meta(
        _ call: AdmittedCall, solveMilliseconds: Double, periodsPerYear: Double, convention: Convention
    ) -> OptimizeResponse.Meta {
        OptimizeResponse.Meta(
            version: ServiceVersion.release, engine: engine, solveMilliseconds: solveMilliseconds,
            totalMilliseconds: (ContinuousClock.now - call.start) / .milliseconds(1), cached: false,
            requestID: call.requestID, periodsPerYear: periodsPerYear, convention: convention)
    }
}
