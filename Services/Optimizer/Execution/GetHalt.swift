import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `GET /api/trading/halt`: whether the tenant's kill switch is on.
struct GetHalt: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let halt = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await ExecutionStore.halt(on: connection)
        }
        return Response(json: halt)
    }
}
