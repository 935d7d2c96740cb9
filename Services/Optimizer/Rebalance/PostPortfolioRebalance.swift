import Hummingbird
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/portfolio/{id}/rebalance`: the same from what is stored.
struct PostPortfolioRebalance: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalancePlan)
        try request.allowQuery()
        let id = try context.portfolioID()
        let timeout = try request.timeout()
        let body = try await request.jsonBody(limit: PlanLimits.body)
        let isStrict = request.prefers("handling=strict")
        let (optimizer, requestID) = (optimizer, context.requestID)
        return try await optimizer.planning(context, timeout: timeout) { deadline in
            let source = try await optimizer.source(of: id, body, for: principal)
            let plan = try await optimizer.plan(source.request, deadline: deadline)
            try PlanLimits.refuseWarnings(plan.warnings, isStrict)
            let made = try await optimizer.keep(
                plan, of: source.request, source: source, request: source.body, for: principal, requestID: requestID)
            return Response(json: made)
        }
    }
}
