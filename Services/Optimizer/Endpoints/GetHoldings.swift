import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/portfolio/{id}/holdings`.
struct GetHoldings: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let id = try context.portfolioID()
        let holdings = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await PortfolioStore.find(id, on: connection) == nil
                ? nil : try await HoldingStore.load(of: id, on: connection)
        }
        guard let holdings else { throw Problem.noPortfolio(id) }
        return Response(json: holdings.json)
    }
}
