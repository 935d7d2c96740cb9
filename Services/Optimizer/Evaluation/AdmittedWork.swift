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
    /// Estimated bytes at its peak.
    var bytes = 0
    var start: ContinuousClock.Instant
    var limit: Duration
    /// After so long a solve that is not over becomes a job; nil where it cannot.
    var patience: Duration?
    /// Who waits for the answer; nil for nobody who could leave.
    var client: ClientPresence?
}

/// What is known of a call's solve: how long it waited for its thread, since when it runs, that it is long.
final class AdmittedSolve: Sendable {
    private struct State {
        var wait: Duration?
        var since: ContinuousClock.Instant?
        var place: (gate: AdmissionGate, ticket: AdmissionGate.Ticket)?
    }
    private let state: Mutex<State>

    /// - Parameter isLong: foreseen to be long: then its waiting counts as solving.
    init(isLong: Bool = false) { state = Mutex(State(since: isLong ? .now : nil)) }

    /// It has been let in.
    func entered(_ gate: AdmissionGate, _ ticket: AdmissionGate.Ticket) {
        state.withLock { $0.place = (gate, ticket) }
    }

    /// How long the first thread was waited for; nil where none was.
    var wait: Duration? { state.withLock { $0.wait } }
    func began(_ waited: Duration) {
        state.withLock { state in
            state.wait = state.wait ?? waited
            state.since = state.since ?? .now
        }
    }
    /// Another call's solve is waited for.
    func joined() { state.withLock { $0.since = $0.since ?? .now } }
    func ended() { state.withLock { $0.since = nil } }
    func isLong() { if let place = state.withLock({ $0.place }) { place.gate.setAside(place.ticket) } }

    /// A solve that is not over by the caller's patience, and has run for so long, becomes a job.
    static let least = Duration.seconds(1)

    /// What ends a call: its client leaves, its limit passes, or its patience is over and the solve has gone on for a second. What takes its time
    /// otherwise, a slow database or the queue, would not be quicker as a job.
    func endings(
        client: ClientPresence?, limit: Duration, patience: Duration?, since start: ContinuousClock.Instant
    ) -> [CallEnding] {
        var endings = [CallEnding.after(limit)]
        if let client { endings.append(client.ending) }
        if let patience {
            // The solve begins on a thread of its own, which tells nobody: a look ten times a second.
            endings.append(
                .from(start + patience, every: .milliseconds(100)) {
                    self.state.withLock { $0.since }.map { .now - $0 > Self.least } ?? false
                })
        }
        return endings
    }
}

extension AdmissionGate.Ticket {
    /// Where the solves of a request run that wanted to run there.
    func lane(_ wanted: SolverPool.Lane) -> SolverPool.Lane { wanted == .request && isExcess ? .excess : wanted }
}

extension Optimizer {
    /// Short and long requests queue apart; jobs and recalculations have queues of their own.
    func gate(of lane: SolverPool.Lane) -> AdmissionGate? {
        switch lane {
        case .request, .excess: gate
        case .long: longGate
        case .recalculation, .batch: nil
        }
    }

    /// Where requests go that are foreseen to take so many seconds.
    static func lane(forSeconds seconds: Double) -> SolverPool.Lane { seconds > CostModel.short ? .long : .request }

    /// Admit -> work. Cancelling the task raises the deadline's flag, which the work polls.
    /// - Parameter body: told the deadline, the lane for its solves, and whom to tell of them.
    func admitted<Answer: Sendable>(
        _ call: AdmittedCall,
        _ body: @escaping @Sendable (SolverDeadline, SolverPool.Lane, AdmittedSolve) async throws -> Answer
    ) async throws -> Answer {
        let lane = Self.lane(forSeconds: call.cost)
        let gate = lane == .long ? longGate : gate
        let solve = AdmittedSolve(isLong: lane == .long)
        let deadline = SolverDeadline(instant: call.start + call.limit, flag: CancellationFlag())
        let endings = solve.endings(
            client: call.client, limit: call.limit, patience: call.patience, since: call.start)
        return try await withEndings(endings) {
            let ticket = try await gate.enter(
                tenant: call.principal.tenant, cost: call.cost, bytes: call.bytes, deadline: call.start + call.limit)
            solve.entered(gate, ticket)
            defer { gate.leave(ticket, solverWait: solve.wait) }
            return try await withTaskCancellationHandler {
                try await body(deadline, ticket.lane(lane), solve)
            } onCancel: {
                deadline.flag?.cancel()
            }
        }
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
