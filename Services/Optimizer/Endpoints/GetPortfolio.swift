import Crypto
import HTTPTypes
import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/portfolio/{id}`: the result that stands, with the request it answers. Strong ETag; 304 without a body.
struct GetPortfolio: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let id = try context.portfolioID()
        let found = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            let portfolio = try await PortfolioStore.find(id, on: connection)
            return (portfolio, portfolio == nil ? nil : try await PortfolioStore.currentResult(of: id, on: connection))
        }
        guard let portfolio = found.0, let result = found.1 else { throw Problem.noPortfolio(id) }
        var body = try StrictJSON.parse(result.response, limits: .stored).objectValue ?? JSONObject()
        body["name"] = .string(portfolio.name)
        body["revision"] = JSONValue(Int(result.revision))
        body["recalculation"] = portfolio.recalculation.json
        body["request"] = try StrictJSON.parse(portfolio.request, limits: .stored)
        let bytes = JSONValue.object(body).bytes()
        let tag = "\"" + Hex.text(SHA256.hash(data: bytes).prefix(16)) + "\""
        if Self.matches(request.headers[values: .ifNoneMatch], tag) {
            return Response(status: .notModified, headers: [.eTag: tag, .cacheControl: "private, no-cache"])
        }
        var response = Response(bytes: bytes, mediaType: "application/json")
        response.headers[.eTag] = tag
        response.headers[.cacheControl] = "private, no-cache"
        return response
    }

    /// Whether If-None-Match names the tag, or anything (RFC 9110 13.1.2: weak comparison).
    static func matches(_ headers: [String], _ tag: String) -> Bool {
        headers.flatMap { $0.split(separator: ",") }.contains { entry in
            let wanted = entry.filter { $0 != " " && $0 != "\t" }
            return wanted == "*" || wanted == tag || wanted == "W/" + tag
        }
    }
}
