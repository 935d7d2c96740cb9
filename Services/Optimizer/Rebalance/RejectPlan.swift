import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `POST /api/rebalance/{plan}/reject`: a person says no.
struct RejectPlan: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceConfirm)
        try request.allowQuery()
        let id = try context.planID()
        let reader = MemberReader(try await request.jsonBody())
        let reason = reader.string("reason", maximumLength: 1000) ?? ""
        try reader.finishAndThrow()
        let requestID = context.requestID
        let answer = try await optimizer.pool.transaction(.app(principal.tenant)) { connection -> JSONValue in
            guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
            if plan.state != "REJECTED" {
                guard plan.state == "AWAITING_CONFIRM" else {
                    throw Problem(
                        .wrongState, "The plan is \(plan.state); only one that is AWAITING_CONFIRM can be rejected.")
                }
                try await PlanStore.move(
                    plan.id, from: plan.state, to: "REJECTED", actor: principal.subject, reason: reason,
                    requestID: requestID, on: connection
                )
            }
            return ["plan_id": .string(id), "plan_hash": .string(Hex.text(plan.hash)), "state": "REJECTED"]
        }
        return Response(json: answer)
    }
}
