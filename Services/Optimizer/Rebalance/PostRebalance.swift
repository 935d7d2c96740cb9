import Hummingbird
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/portfolio/rebalance`: holdings, target, prices and settings inline -> plan.
struct PostRebalance: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalancePlan)
        try request.allowQuery()
        let timeout = try request.timeout()
        let body = try await request.jsonBody(limit: PlanLimits.body)
        let wanted = try RebalanceRequest(json: body)
        let isStrict = request.prefers("handling=strict")
        let (optimizer, requestID) = (optimizer, context.requestID)
        return try await optimizer.planning(context, timeout: timeout) { deadline in
            let plan = try await optimizer.plan(wanted, deadline: deadline)
            try PlanLimits.refuseWarnings(plan.warnings, isStrict)
            let made = try await optimizer.keep(
                plan, of: wanted, source: nil, request: body, for: principal, requestID: requestID)
            return Response(json: made)
        }
    }
}
