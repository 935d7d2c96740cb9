import ConvexSolver
import LinearAlgebra
import PortfolioModels
import PostgresClient
import ServiceKit
import WireFormat

/// One request for an optimisation, whoever waits for it: a client or a job.
struct OptimizeCall: Sendable {
    var request: OptimizeRequest
    /// Warnings are refusals.
    var isStrict: Bool
    var principal: Principal
    var requestID: String
    var lane: SolverPool.Lane
    var start: ContinuousClock.Instant
    /// From `start` to the answer.
    var limit: Duration
    /// Estimated seconds of a core.
    var cost = 0.0
    /// Estimated bytes at its peak.
    var bytes = 0
    /// After so long a solve that is not over becomes a job; nil for one that is a job.
    var patience: Duration?
    /// Who waits for the answer; nil for a job.
    var client: ClientPresence?
    /// What the tenant saw after the call came, where that has been asked already.
    var mark: DataWatch.Mark?
}

/// An answer, and what the tenant saw before its data were loaded; nil for a pure call, which has all its data with it.
final class AnsweredCall: Sendable {
    let response: OptimizeResponse
    let mark: DataWatch.Mark?

    init(_ response: OptimizeResponse, mark: DataWatch.Mark?) {
        self.response = response
        self.mark = mark
    }
}

extension Optimizer {
    /// Admit -> load -> solve and verify -> record. Cancelling the task ends it, and its solve unless others wait for the same.
    /// - Parameter progress: told when a phase begins: loading, solving, storing.
    func respond(
        to call: OptimizeCall, progress: WorkProgress? = nil
    ) async throws -> AnsweredCall {
        let solve = AdmittedSolve(isLong: call.lane == .long)
        let endings = solve.endings(
            client: call.client, limit: call.limit, patience: call.patience, since: call.start)
        return try await withEndings(endings) {
            // A job has its own thread and does not stand in the requests' queue.
            guard let gate = gate(of: call.lane) else { return try await answered(call, progress, solve) }
            let ticket = try await gate.enter(
                tenant: call.principal.tenant, cost: call.cost, bytes: call.bytes, deadline: call.start + call.limit)
            solve.entered(gate, ticket)
            defer { gate.leave(ticket, solverWait: solve.wait) }
            var call = call
            call.lane = ticket.lane(call.lane)
            return try await answered(call, progress, solve)
        }
    }

    private func answered(
        _ call: OptimizeCall, _ progress: WorkProgress?, _ solve: AdmittedSolve
    ) async throws -> AnsweredCall {
        let request = call.request
        progress?.enter("loading")
        // The database is asked for those who are let in alone: refusing the others has to be cheap.
        var mark = call.mark
        if mark == nil, !request.isPure { mark = try await watch.mark(for: call.principal.tenant) }
        let loaded = try await load(request, for: call.principal, at: mark)
        progress?.enter("solving")
        let (solved, isCached) = try await answer(call, loaded, solve, progress)
        if call.isStrict {
            try Self.refuse(OptimizeResponse(request, loaded, solved, portfolioID: nil).warnings, true)
        }
        progress?.enter("storing")
        var recorded: RecordedPortfolio?
        if request.store, !request.isPure {
            recorded = try await record(request, loaded, solved, for: call.principal, requestID: call.requestID)
        }
        var answer = OptimizeResponse(request, loaded, solved, portfolioID: recorded?.id)
        answer.meta.cached = isCached
        answer.meta.requestID = call.requestID
        answer.meta.totalMilliseconds = (ContinuousClock.now - call.start) / .milliseconds(1)
        return AnsweredCall(answer, mark: mark)
    }

    /// The panel: the request's own, or stored prices in one snapshot, which is one of before where nothing has changed since.
    /// - Parameter mark: what the tenant saw after the call came; nil where that is to be asked.
    func load(
        _ request: OptimizeRequest, for principal: Principal, at mark: DataWatch.Mark? = nil
    ) async throws -> LoadedPanel {
        if let inline = request.panel { return try PanelLoader.inline(inline, of: request) }
        let seen: DataWatch.Mark
        if let mark { seen = mark } else { seen = try await watch.mark(for: principal.tenant) }
        let (prices, pool, event) = (prices, pool, event)
        var options = TransactionOptions.app(principal.tenant)
        options.isolation = .repeatableRead
        options.readOnly = true
        return try await panels.panel(of: request, at: seen) { [options] in
            let start = ContinuousClock.now
            let loaded = try await pool.transaction(options) { connection in
                try await PanelLoader.stored(request, prices: prices, on: connection)
            }
            event.panelLoaded(seconds: (ContinuousClock.now - start) / .seconds(1))
            return loaded
        }
    }

    /// The answer of an earlier call with the same request and the same data, of one that runs at the moment, else a new one.
    private func answer(
        _ call: OptimizeCall, _ loaded: LoadedPanel, _ admitted: AdmittedSolve, _ progress: WorkProgress?
    ) async throws -> (solved: SolvedPortfolio, isCached: Bool) {
        let key = AnswerKey(
            tenant: call.principal.tenant, requestHash: call.request.computationHash, fingerprint: loaded.fingerprint)
        if let known = answers[key] {
            event.cacheHit()
            return (known, true)
        }
        // A solve that is shared outlives the deadline of the one who began it, up to the longest that anybody may have.
        let instant = ContinuousClock.now + max(call.limit, .seconds(60))
        if flights.waiting(for: key) > 0 { admitted.joined() }
        defer { admitted.ended() }
        let (solved, isShared) = try await flights.value(for: key, onBoard: { progress?.follow($0) }) {
            flag, monitor, land in
            if let known = answers[key] { return land(.success(known)) }
            event.cacheMiss()
            begin(
                call.request, loaded, lane: call.lane,
                deadline: SolverDeadline(instant: instant, flag: flag, monitor: monitor),
                onStart: { admitted.began($0) }, onLong: { admitted.isLong() }
            ) { result in
                if case .success(let solved) = result { answers[key] = solved }
                land(result.mapError { $0 })
            }
        }
        if isShared { event.sharedSolve() }
        return (solved, isShared)
    }
}

extension SolvedPortfolio {
    /// About how much memory an answer takes.
    var estimatedBytes: Int {
        let points = result.frontier?.count ?? 0
        let moments = (result.moments?.covariance.storage.count ?? 0) * 8
        return 8192 + result.weights.count * 64 * (1 + points) + points * 64 + moments
    }
}
