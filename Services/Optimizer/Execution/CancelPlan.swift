import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/rebalance/{plan}/cancel`: ends an execution. Nothing new is sent, what is open is taken back, what is filled stays booked.
/// A plan that is confirmed and not yet executing is rejected.
struct CancelPlan: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let id = try context.planID()
        let reader = MemberReader(try await request.jsonBody())
        let reason = reader.string("reason", maximumLength: 1000) ?? "cancelled"
        try reader.finishAndThrow()
        let requestID = context.requestID
        let tenant = principal.tenant
        try await optimizer.pool.transaction(.app(tenant)) { connection in
            guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
            switch plan.state {
            case "EXECUTING", "PAUSED":
                guard try await ExecutionStore.stop(id, reason: reason, on: connection) else {
                    throw Problem(.wrongState, "The execution has ended.")
                }
                try await PortfolioStore.audit(
                    actor: principal.subject, action: "rebalance.cancel", object: id,
                    detail: ["reason": .string(reason)],
                    requestID: requestID, on: connection)
            case "CONFIRMED":
                try await PlanStore.move(
                    id, from: plan.state, to: "REJECTED", actor: principal.subject, reason: reason,
                    requestID: requestID, on: connection)
            default:
                throw Problem(
                    .wrongState,
                    "The plan is \(plan.state); only one that is CONFIRMED, EXECUTING or PAUSED can be cancelled.")
            }
        }
        optimizer.executionWake.wake()
        return Response(json: try await GetExecution.progress(id, tenant: tenant, optimizer: optimizer))
    }
}
