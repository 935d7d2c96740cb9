import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `PUT /api/portfolio/{id}/holdings`: replaces cash, positions and tax lots.
struct PutHoldings: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery()
        let id = try context.portfolioID()
        let wanted = try Holdings(json: try await request.jsonBody())
        let requestID = context.requestID
        do {
            let stored = try await optimizer.pool.transaction(.app(principal.tenant)) { connection -> Holdings in
                guard try await PortfolioStore.lock(id, on: connection) != nil else { throw Problem.noPortfolio(id) }
                // Fills would be booked over what was put, or the other way round.
                guard try await !ExecutionStore.isOpen(for: id, on: connection) else {
                    throw Problem(.wrongState, "A plan of this portfolio is executing: wait for its end, or cancel it.")
                }
                try await HoldingStore.replace(wanted, of: id, on: connection)
                try await PortfolioStore.audit(
                    actor: principal.subject, action: "portfolio.holdings", object: id,
                    detail: ["positions": JSONValue(wanted.positions.count)], requestID: requestID, on: connection)
                return try await HoldingStore.load(of: id, on: connection)
            }
            return Response(json: stored.json)
        } catch let error as HoldingStore.Mismatch {
            let index = wanted.positions.firstIndex { $0.asset == error.asset } ?? 0
            throw Problem(
                JSONPointer(["holdings", String(index), "quantity"]), .contradiction,
                "The lots of \(Problem.echo(error.asset)) add up to \(error.lots), not to \(error.quantity).")
        }
    }
}
