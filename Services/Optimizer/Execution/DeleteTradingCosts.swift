import Hummingbird
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// `DELETE /api/trading/costs/{venue}`: forgets what a venue has taught.
struct DeleteTradingCosts: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .rebalanceExecute)
        try request.allowQuery()
        let venue = context.parameters.get("venue") ?? ""
        let requestID = context.requestID
        try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            guard try await TradingCostStore.forget(venue, on: connection) else {
                throw Problem(.noSuchResource, "Nothing is known of the venue \"\(Problem.echo(venue))\".")
            }
            try await PortfolioStore.audit(
                actor: principal.subject, action: "trading.forget_costs", object: venue, detail: [:],
                requestID: requestID, on: connection)
        }
        return Response(status: .noContent)
    }
}
