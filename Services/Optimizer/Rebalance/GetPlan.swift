import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/rebalance/{plan}`: the plan as it was made, with the state it is in.
struct GetPlan: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let id = try context.planID()
        let plan = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await PlanStore.find(id, locks: false, on: connection)
        }
        guard let plan else { throw Problem.noPlan(id) }
        guard let body = try? StrictJSON.parse(plan.body, limits: .stored) else {
            throw Problem(.internalError, "The stored plan cannot be read.")
        }
        // Nobody has to press a button for a plan to be too old.
        let state = plan.state == "AWAITING_CONFIRM" && plan.isExpired ? "EXPIRED" : plan.state
        return Response(json: SealedPlan.answer(body: body, hash: plan.hash, state: state))
    }
}
