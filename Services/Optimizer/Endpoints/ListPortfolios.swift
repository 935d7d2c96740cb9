import Foundation
import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/portfolio?limit=&after=`: the tenant's portfolios, newest first, in keyset pages.
struct ListPortfolios: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery("limit", "after")
        let limit = try request.pageLimit()
        let after = try request.query("after").map { (text) throws(Problem) in try Self.cursor(text) }
        let page = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            try await PortfolioStore.list(limit: limit + 1, after: after, on: connection)
        }
        let items = try page.prefix(limit).map { portfolio -> JSONValue in
            let wanted = try StrictJSON.parse(portfolio.request, limits: .stored)
            return [
                "portfolio_id": .string(portfolio.id), "name": .string(portfolio.name),
                "assets": wanted["assets"] ?? .array([]), "model": wanted["model"] ?? .null,
                "risk_measure": wanted["risk_measure"] ?? .null, "objective": wanted["objective"] ?? .null,
                "recalculation": portfolio.recalculation.json, "created_at": .string(portfolio.createdAt.isoString),
                "updated_at": .string(portfolio.updatedAt.isoString),
            ]
        }
        var next: String?
        if page.count > limit, let last = page.prefix(limit).last {
            next = "/api/portfolio?limit=\(limit)&after=\(last.createdAt.microsecondsSinceEpoch).\(last.id)"
        }
        return Response(json: ["items": .array(items), "next": JSONValue(next)])
    }

    /// `microseconds.id` of the last item of the page before.
    private static func cursor(_ text: String) throws(Problem) -> (createdAt: UTCTimestamp, id: String) {
        let parts = text.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let microseconds = Int64(parts[0]), OptimizeRequest.isPortfolioID(String(parts[1]))
        else {
            throw Problem(.invalidParameter, "The parameter after has to come from the member next of a page.")
        }
        return (UTCTimestamp(microsecondsSinceEpoch: microseconds), String(parts[1]))
    }
}
