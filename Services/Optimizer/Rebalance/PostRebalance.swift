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

enum PlanLimits {
    /// A thousand assets with their covariance.
    static let body = 32 << 20

    /// `Prefer: handling=strict`: what would be a warning is a refusal.
    static func refuseWarnings(_ warnings: [PortfolioWarning], _ isStrict: Bool) throws(Problem) {
        guard isStrict, let first = warnings.first else { return }
        throw Problem(
            .strictHandling, first.detail, errors: warnings.map { Violation($0.pointer, .other($0.code), $0.detail) })
    }
}
