import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `GET /api/trading/costs`: what orders have taught about the cost of each venue, the one that was traded at last first.
struct GetTradingCosts: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let items = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await TradingCostStore.all(on: connection).map { $0.json }
        }
        return Response(json: ["items": .array(items), "next": .null])
    }
}
