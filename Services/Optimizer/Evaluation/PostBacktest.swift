import HTTPTypes
import Hummingbird
import ServiceKit
import WireFormat

/// `POST /api/portfolio/backtest`: decode -> admit -> load -> fit every window -> walk the paths -> respond. Stores nothing.
///
/// What would take long, or is asked to with `Prefer: respond-async` or `?async=true`, becomes a job: 202 with its place.
struct PostBacktest: Endpoint {
    let optimizer: Optimizer

    /// Ten years of daily prices of 150 assets.
    static let bodyLimit = 4 << 20
    /// A call that would keep its caller longer than this, or has, becomes a job.
    static let patience = PostOptimize.patience

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let start = ContinuousClock.now
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery("async")
        let timeout = try request.timeout()
        let patience = request.headers[.requestTimeout] == nil ? Self.patience : timeout
        let isAsync = try request.queryFlag("async") ?? false
        let isStrict = request.prefers("handling=strict")
        let body = try await request.jsonBody(limit: Self.bodyLimit)
        if body["policies"] != nil {
            let policies = PolicyBacktest(optimizer: optimizer, wanted: try PolicyBacktestRequest(json: body))
            return try await optimizer.planning(context, timeout: timeout) { deadline in
                Response(json: try await policies.answer(for: principal, deadline: deadline))
            }
        }
        let wanted = Carried(try BacktestRequest(json: body))
        let cost = optimizer.costs.backtest(wanted.value)
        let seconds = cost / Double(optimizer.solver.threads)
        guard .seconds(seconds) <= JobRunner.limit else { throw Self.tooLong(seconds) }
        // Of the whole panel, though each fit has a window of it: the fits run beside each other.
        let bytes = CostModel.bytes(of: wanted.value.strategy)
        try optimizer.memory.check(bytes)
        if isAsync || request.prefers("respond-async") || .seconds(seconds) > patience {
            return try await PostOptimize.accepted(
                body, kind: .backtest, isStrict, seconds, principal, context, optimizer)
        }
        let call = AdmittedCall(
            principal: principal, requestID: context.requestID, cost: cost, bytes: bytes, start: start, limit: timeout,
            patience: patience, client: context.client)
        let optimizer = optimizer
        do {
            let answer = try await optimizer.admitted(call) { deadline, lane, solve in
                try await optimizer.backtest(
                    wanted, call, lane: lane, deadline: deadline, onStart: { solve.began($0) })
            }
            try Optimizer.refuse(answer.value.warnings, isStrict)
            var response = Response(json: answer.value.json)
            response.headers[.cacheControl] = "no-store"
            return response
        } catch  where PostOptimize.isOutOfTime(error) {
            return try await PostOptimize.accepted(
                body, kind: .backtest, isStrict, max(seconds, patience / .seconds(1)), principal, context, optimizer)
        }
    }

    private static func tooLong(_ seconds: Double) -> Problem {
        let detail =
            "It would take about \(Int(seconds.rounded())) s; a job may take \(JobRunner.limit.components.seconds). Fewer windows or folds, or a shorter training window, take less."
        return Problem(
            .tooLargeProblem, detail,
            errors: [
                Violation(
                    JSONPointer(["backtest"]), .outOfRange, detail,
                    limit: Double(JobRunner.limit.components.seconds), value: seconds)
            ])
    }
}
