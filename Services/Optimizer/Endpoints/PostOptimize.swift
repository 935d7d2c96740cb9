import ConvexSolver
import HTTPTypes
import Hummingbird
import PortfolioModels
import PostgresClient
import ServiceKit
import WireFormat

/// `POST /api/portfolio/optimize`: decode -> load -> solve and verify -> record -> respond.
struct PostOptimize: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let start = ContinuousClock.now
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery()
        let timeout = try request.timeout()
        let wanted = try OptimizeRequest(json: try await request.jsonBody())
        if let problem = wanted.unsupported().flatMap({ Problem(violations: [$0]) }) { throw problem }
        let isStrict = request.prefers("handling=strict")
        let flag = CancellationFlag()
        let deadline = SolverDeadline(instant: start + timeout, flag: flag)
        let (optimizer, requestID) = (optimizer, context.requestID)
        return try await watchingClient(of: context.channel, flag: flag) {
            try await withTimeLimit(timeout) {
                let loaded = try await optimizer.load(wanted, for: principal)
                let (solved, isCached) = try await optimizer.answer(wanted, loaded, for: principal, deadline: deadline)
                try Self.refuseWarnings(OptimizeResponse(wanted, loaded, solved, portfolioID: nil).warnings, isStrict)
                var recorded: RecordedPortfolio?
                if wanted.store, !wanted.isPure {
                    recorded = try await optimizer.record(wanted, loaded, solved, for: principal, requestID: requestID)
                }
                var answer = OptimizeResponse(wanted, loaded, solved, portfolioID: recorded?.id)
                answer.meta.cached = isCached
                answer.meta.requestID = requestID
                answer.meta.totalMilliseconds = (ContinuousClock.now - start) / .milliseconds(1)
                var response = Response(json: answer.json)
                response.headers[.cacheControl] = "no-store"
                return response
            }
        }
    }

    /// `Prefer: handling=strict`: what would be a warning is a refusal.
    private static func refuseWarnings(_ warnings: [PortfolioWarning], _ isStrict: Bool) throws(Problem) {
        guard isStrict, let first = warnings.first else { return }
        let violations = warnings.map { Violation($0.pointer, .other($0.code), $0.detail) }
        let more = warnings.count > 1 ? " (and \(warnings.count - 1) more)" : ""
        throw Problem(.strictHandling, first.detail + more, errors: violations)
    }
}

extension Optimizer {
    /// The panel: the request's own, or stored prices in one snapshot.
    func load(_ request: OptimizeRequest, for principal: Principal) async throws -> LoadedPanel {
        let prices = prices
        if let inline = request.panel { return try PanelLoader.inline(inline, of: request) }
        var options = TransactionOptions.app(principal.tenant)
        options.isolation = .repeatableRead
        options.readOnly = true
        return try await pool.transaction(options) { connection in
            try await PanelLoader.stored(request, prices: prices, on: connection)
        }
    }

    /// The answer of an earlier call with the same request and the same data, else a new one.
    func answer(
        _ request: OptimizeRequest, _ loaded: LoadedPanel, for principal: Principal, deadline: SolverDeadline
    ) async throws -> (solved: SolvedPortfolio, isCached: Bool) {
        let key = AnswerKey(
            tenant: principal.tenant, requestHash: request.computationHash, fingerprint: loaded.fingerprint)
        if let known = answers[key] {
            event.cacheHit()
            return (known, true)
        }
        let solved = try await solve(request, loaded, lane: .request, deadline: deadline)
        answers[key] = solved
        return (solved, false)
    }
}
