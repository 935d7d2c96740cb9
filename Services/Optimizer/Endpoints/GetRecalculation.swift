import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/portfolio/{id}/recalculation`: the settings, and how the job stands: `idle`, `pending`, `running` or `parked`, with
/// the problem of the last run where the data allowed no answer.
struct GetRecalculation: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let id = try context.portfolioID()
        let found = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            (try await PortfolioStore.find(id, on: connection), try await PortfolioStore.job(of: id, on: connection))
        }
        guard let portfolio = found.0 else { throw Problem.noPortfolio(id) }
        var body = portfolio.recalculation.json.objectValue ?? JSONObject()
        body["state"] = .string(found.1?.state ?? "idle")
        body["problem"] = JSONValue(found.1?.problem)
        return Response(json: .object(body))
    }
}
