import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `POST /api/rebalance/{plan}/pause` and `/resume`: holds an execution where it is, and lets it go on. While it is paused nothing new is
/// sent; orders that are open stay so and their fills are booked. The same call again changes nothing.
struct PausePlan: Endpoint {
    let optimizer: Optimizer
    let isPause: Bool

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let id = try context.planID()
        let reader = MemberReader(try await request.jsonBody())
        let reason = reader.string("reason", maximumLength: 1000) ?? (isPause ? "paused" : "resumed")
        try reader.finishAndThrow()
        let (requestID, isPause, tenant) = (context.requestID, isPause, principal.tenant)
        try await optimizer.pool.transaction(.app(tenant)) { connection in
            guard let plan = try await PlanStore.find(id, locks: true, on: connection) else { throw Problem.noPlan(id) }
            let (from, to) = isPause ? ("EXECUTING", "PAUSED") : ("PAUSED", "EXECUTING")
            if plan.state == to { return }
            guard plan.state == from else {
                throw Problem(
                    .wrongState,
                    "The plan is \(plan.state); only one that is \(from) can be \(isPause ? "paused" : "resumed").")
            }
            try await ExecutionStore.setPaused(isPause ? reason : nil, of: id, on: connection)
            try await PlanStore.move(
                id, from: from, to: to, actor: principal.subject, reason: reason, requestID: requestID, on: connection)
        }
        optimizer.executionWake.wake()
        return Response(json: try await GetExecution.progress(id, tenant: tenant, optimizer: optimizer))
    }
}
