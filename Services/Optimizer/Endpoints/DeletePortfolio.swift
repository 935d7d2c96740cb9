import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `DELETE /api/portfolio/{id}`: the portfolio with its results, holdings and job; the audit keeps that there was one.
struct DeletePortfolio: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery()
        let id = try context.portfolioID()
        let requestID = context.requestID
        let isDeleted = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            guard try await PortfolioStore.delete(id, on: connection) else { return false }
            try await PortfolioStore.audit(
                actor: principal.subject, action: "portfolio.delete", object: id, detail: [:], requestID: requestID,
                on: connection)
            return true
        }
        guard isDeleted else { throw Problem.noPortfolio(id) }
        return Response(status: .noContent)
    }
}
