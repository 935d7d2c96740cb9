import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `POST /api/market-data`: pushed prices as NDJSON or CSV. Good rows are stored in one transaction, bad ones are set aside.
struct PostMarketData: Endpoint {
    let optimizer: Optimizer

    /// 16 MiB.
    static let bodyLimit = 16 << 20

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .optimize)
        try request.allowQuery()
        let isCSV = request.mediaType == "text/csv"
        if !isCSV { try request.requireMediaType("application/x-ndjson", orSuffix: "ndjson") }
        let bytes = try await request.bodyBytes(limit: Self.bodyLimit)
        if bytes.isEmpty { throw Problem(.notJSON, "The body is empty; it has a row a line.") }
        var lines = MarketDataLines(now: .now)
        if isCSV { try lines.readCSV(bytes) } else { try lines.readNDJSON(bytes) }
        let (rows, refused) = (lines.rows, lines.refused)
        let outcome = try await optimizer.pool.transaction(.app(principal.tenant)) { connection in
            let outcome = rows.isEmpty ? PushOutcome() : try await MarketDataStore.push(rows, on: connection)
            try await MarketDataStore.quarantine(refused, on: connection)
            return outcome
        }
        if outcome.inserted + outcome.updated > 0 { optimizer.fanOutWake.wake() }
        let aside = (refused + outcome.outranked).sorted { $0.line < $1.line }
        return Response(json: [
            "inserted": JSONValue(outcome.inserted), "updated": JSONValue(outcome.updated),
            "unchanged": JSONValue(outcome.unchanged), "quarantined": .array(aside.map { $0.json }),
        ])
    }
}
