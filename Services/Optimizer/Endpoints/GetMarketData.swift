import Hummingbird
import PostgresClient
import ServiceKit
import WireFormat

/// `GET /api/market-data/{symbol}?start=&end=&interval=&limit=`: stored bars, oldest first. A name that was an alias in the window
/// answers with its successor's bars.
struct GetMarketData: Endpoint {
    let optimizer: Optimizer

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery("start", "end", "interval", "limit")
        let symbol = context.parameters.get("symbol") ?? ""
        let interval = request.query("interval") ?? "1d"
        guard MarketDataLines.isInterval(interval) else {
            throw Problem(.invalidParameter, "The parameter interval has a form like 1d.")
        }
        let limit = try request.queryInteger("limit", in: 1...10_000) ?? 1000
        let start = try Self.instant(request, "start", isEnd: false)
        let end = try Self.instant(request, "end", isEnd: true)
        if let start, let end, start >= end {
            throw Problem(.invalidParameter, "The parameter start is after end.")
        }
        guard Holdings.isSymbol(symbol) else { throw Self.unknown(symbol) }
        var options = TransactionOptions.app(principal.tenant)
        options.readOnly = true
        let page = try await optimizer.pool.transaction(options) { connection -> [MarketDataRow] in
            let assets = try await AssetStore.resolve([symbol], from: start?.date, to: end?.date, on: connection)
            guard let asset = assets.first, asset.isKnown else { throw Self.unknown(symbol) }
            return try await MarketDataStore.read(
                asset.symbols, interval: interval, from: start, to: end, limit: limit + 1, on: connection)
        }
        var next: String?
        if page.count > limit, let following = page.last {
            next =
                "/api/market-data/\(symbol)?interval=\(interval)&limit=\(limit)&start=\(following.timestamp.isoString)"
            if let end { next = (next ?? "") + "&end=\(end.isoString)" }
        }
        return Response(json: ["items": .array(page.prefix(limit).map { $0.json }), "next": JSONValue(next)])
    }

    private static func unknown(_ symbol: String) -> Problem {
        Problem(.noSuchResource, "There is no data for \"\(Problem.echo(symbol))\".")
    }

    /// A day or an instant. A day as end is included whole; an instant as end is not included.
    private static func instant(_ request: Request, _ name: String, isEnd: Bool) throws(Problem) -> UTCTimestamp? {
        guard let text = request.query(name) else { return nil }
        if let date = CalendarDate(iso: text) {
            return isEnd
                ? UTCTimestamp(microsecondsSinceEpoch: date.start.microsecondsSinceEpoch + 86_400_000_000) : date.start
        }
        guard let instant = UTCTimestamp(iso: text) else {
            throw Problem(
                .invalidParameter,
                "The parameter \(name) has to be a date like 2023-01-03 or a time like 2023-01-03T12:00:00Z.")
        }
        return instant
    }
}
