import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/portfolio/{id}/history?limit=&before=`: past answers, newest first, one for each input.
struct GetHistory: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery("limit", "before")
        let id = try context.portfolioID()
        let limit = try request.pageLimit()
        let before = try request.queryInteger("before", in: 1...Int.max).map { Int64($0) }
        let page = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await PortfolioStore.find(id, on: connection) == nil
                ? nil : try await PortfolioStore.history(of: id, limit: limit + 1, before: before, on: connection)
        }
        guard let page else { throw Problem.noPortfolio(id) }
        let items = try page.prefix(limit).map { result -> JSONValue in
            var body = try StrictJSON.parse(result.response, limits: .stored).objectValue ?? JSONObject()
            body["revision"] = JSONValue(Int(result.revision))
            return .object(body)
        }
        var next: String?
        if page.count > limit, let last = page.prefix(limit).last {
            next = "/api/portfolio/\(id)/history?limit=\(limit)&before=\(last.revision)"
        }
        return Response(json: ["items": .array(items), "next": JSONValue(next)])
    }
}
