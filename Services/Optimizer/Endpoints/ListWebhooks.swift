import Hummingbird
import ServiceKit
import WireFormat

/// `GET /api/webhooks`: the tenant's webhooks without their secrets, and how their deliveries stand.
struct ListWebhooks: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .admin)
        try request.allowQuery()
        let webhooks = try await optimizer.webhooks.list(tenant: principal.tenant)
        return Response(json: ["items": .array(webhooks.map { $0.json }), "next": .null])
    }
}
