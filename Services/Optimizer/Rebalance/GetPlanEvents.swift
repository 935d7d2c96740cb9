import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/rebalance/{plan}/events`: who moved the plan, when and why, each entry with the hash of the one before.
struct GetPlanEvents: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let id = try context.planID()
        let items = try await optimizer.pool.transaction(.app(principal.tenant)) { connection -> [JSONValue]? in
            guard try await PlanStore.find(id, locks: false, on: connection) != nil else { return nil }
            return try await PlanStore.events(of: id, on: connection)
        }
        guard let items else { throw Problem.noPlan(id) }
        return Response(json: ["items": .array(items), "next": .null])
    }
}
