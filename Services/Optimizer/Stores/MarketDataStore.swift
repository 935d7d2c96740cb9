import PostgresClient
import WireFormat

/// A pushed row with the line it came from.
struct PushedRow: Sendable {
    var line: Int
    var row: MarketDataRow
}

/// A row that was not stored, and why.
struct RefusedRow: Sendable {
    var line: Int
    /// A stable word; those of the quarantine table.
    var rule: String
    var detail: String
    /// What came, as JSON; nil where it is not worth keeping.
    var raw: JSONValue?
    var symbol: String?

    var json: JSONValue {
        ["line": JSONValue(line), "rule": .string(rule), "detail": .string(Problem.echo(detail, limit: 300))]
    }
}

/// Pushed prices: what a batch did.
struct PushOutcome: Sendable {
    var inserted = 0
    var updated = 0
    var unchanged = 0
    var outranked: [RefusedRow] = []
}

/// Rows of `public.market_data`.
enum MarketDataStore {
    /// Inserts new rows and updates changed ones; a row whose figures are the same is left alone, and so is one of a better source.
    /// A return that was not given is computed from the bar before. Values that change are kept in `market_data_revision`.
    static func push(_ rows: [PushedRow], on connection: PostgresConnection) async throws -> PushOutcome {
        let lines = rows.map { Int64($0.line) }
        let symbols = rows.map { $0.row.assetSymbol }
        let intervals = rows.map { $0.row.interval }
        let times = rows.map { PostgresTimestamp(microsecondsSinceEpoch: $0.row.timestamp.microsecondsSinceEpoch) }
        let prices = rows.map { PostgresNumeric($0.row.price.text) }
        let volumes = rows.map { $0.row.volume.flatMap { PostgresNumeric($0.text) } }
        let returns = rows.map { $0.row.simpleReturn.flatMap { PostgresNumeric($0.text) } }
        let answer = try await connection.query(
            """
            WITH input AS (
                SELECT *, lag(at) OVER bars AS lag_at, lag(price) OVER bars AS lag_price
                FROM unnest(\(lines), \(symbols), \(intervals), \(times), \(prices), \(volumes), \(returns))
                    AS u (line, symbol, span, at, price, volume, ret)
                WINDOW bars AS (PARTITION BY symbol, span ORDER BY at)
            ), old AS (
                SELECT i.line, m.price, m.source, s.rank > (SELECT rank FROM ballast.source WHERE source_id = 'push')
                        OR m.source = 'push' AS may_change
                FROM input i
                JOIN public.market_data m ON m.asset_symbol = i.symbol AND m."interval" = i.span AND m."timestamp" = i.at
                JOIN ballast.source s ON s.source_id = m.source
            ), written AS (
                INSERT INTO public.market_data AS m (asset_symbol, "timestamp", price, volume, "return", "interval", source)
                SELECT i.symbol, i.at, i.price, i.volume, coalesce(i.ret, CASE
                        WHEN i.lag_at IS NOT NULL AND (before.at IS NULL OR i.lag_at >= before.at) THEN round(i.price / i.lag_price - 1, 12)
                        WHEN before.at IS NOT NULL THEN round(i.price / before.price - 1, 12) END), i.span, 'push'
                FROM input i LEFT JOIN old o USING (line)
                LEFT JOIN LATERAL (
                    SELECT b."timestamp" AS at, b.price FROM public.market_data b
                    WHERE b.asset_symbol = i.symbol AND b."interval" = i.span AND b."timestamp" < i.at
                    ORDER BY b."timestamp" DESC LIMIT 1
                ) before ON i.ret IS NULL
                WHERE coalesce(o.may_change, true)
                ORDER BY i.symbol, i.span, i.at
                ON CONFLICT (asset_symbol, "interval", "timestamp") DO UPDATE SET
                    price = excluded.price, volume = coalesce(excluded.volume, m.volume), "return" = excluded."return",
                    source = excluded.source, quality = 0
                WHERE m.price <> excluded.price OR m.volume IS DISTINCT FROM coalesce(excluded.volume, m.volume)
                RETURNING m.asset_symbol, m."interval", m."timestamp", m.price, xmax = 0 AS is_new
            ), revised AS (
                INSERT INTO ballast.market_data_revision (asset_symbol, "interval", "timestamp", old_price, new_price, old_source)
                SELECT w.asset_symbol, w."interval", w."timestamp", o.price, w.price, o.source
                FROM written w JOIN input i ON i.symbol = w.asset_symbol AND i.span = w."interval" AND i.at = w."timestamp"
                JOIN old o USING (line) WHERE NOT w.is_new AND o.price <> w.price
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM written WHERE is_new), (SELECT count(*) FROM written WHERE NOT is_new),
                (SELECT coalesce(array_agg(o.line ORDER BY o.line), '{}') FROM old o JOIN input i USING (line)
                 WHERE NOT o.may_change AND o.price <> i.price),
                (SELECT count(*) FROM revised)
            """)
        guard let row = answer.first else { return PushOutcome() }
        var outcome = PushOutcome(
            inserted: Int(try row.decode(Int64.self, at: 0)), updated: Int(try row.decode(Int64.self, at: 1)))
        outcome.outranked = try row.decode([Int64].self, at: 2).map { line in
            RefusedRow(
                line: Int(line), rule: "outranked", detail: "A better source has another price; it is kept.", raw: nil)
        }
        outcome.unchanged = rows.count - outcome.inserted - outcome.updated - outcome.outranked.count
        return outcome
    }

    /// Keeps refused rows aside; one that came before is counted, not repeated.
    static func quarantine(_ rows: [RefusedRow], on connection: PostgresConnection) async throws {
        let kept = rows.filter { $0.raw != nil }
        guard !kept.isEmpty else { return }
        _ = try await connection.execute(
            """
            INSERT INTO ballast.quarantine AS q (source_id, asset_symbol, rule, raw, digest)
            SELECT DISTINCT ON (digest) 'push', symbol, rule, raw, digest FROM (
                SELECT u.*, sha256(convert_to('push' || u.rule || u.raw::text, 'UTF8')) AS digest
                FROM unnest(\(kept.map { $0.symbol }), \(kept.map { $0.rule }),
                    \(kept.map { PostgresJSON(($0.raw ?? .null).serialized()) })) u (symbol, rule, raw)
            ) d ORDER BY digest
            ON CONFLICT (digest) DO UPDATE SET times = q.times + 1
            """)
    }

    /// Rows of some symbols between two instants (the second not included), ascending, after `after`.
    static func read(
        _ symbols: [String], interval: String, from start: UTCTimestamp?, to end: UTCTimestamp?, limit: Int,
        on connection: PostgresConnection
    ) async throws -> [MarketDataRow] {
        let first = PostgresTimestamp(microsecondsSinceEpoch: start?.microsecondsSinceEpoch ?? Int64.min)
        let last = PostgresTimestamp(microsecondsSinceEpoch: end?.microsecondsSinceEpoch ?? Int64.max)
        let rows = try await connection.query(
            """
            SELECT asset_symbol, "timestamp", price::text, volume::text, "return"::text, created_at, "interval", source
            FROM public.market_data
            WHERE asset_symbol = ANY (\(symbols)) AND "interval" = \(interval) AND "timestamp" >= \(first) AND "timestamp" < \(last)
            ORDER BY "timestamp", asset_symbol LIMIT \(limit)
            """)
        return try rows.map { row in
            MarketDataRow(
                assetSymbol: try row.decode(String.self, at: 0), timestamp: try instant(row, 1),
                price: try number(row, 2) ?? JSONNumber(0), volume: try number(row, 3),
                simpleReturn: try number(row, 4),
                createdAt: try instant(row, 5), interval: try row.decode(String.self, at: 6),
                source: try row.decode(String.self, at: 7))
        }
    }

    private static func instant(_ row: PostgresRow, _ at: Int) throws -> UTCTimestamp {
        UTCTimestamp(microsecondsSinceEpoch: try row.decode(PostgresTimestamp.self, at: at).microsecondsSinceEpoch)
    }

    private static func number(_ row: PostgresRow, _ at: Int) throws -> JSONNumber? {
        try row.decode(String?.self, at: at).flatMap { JSONNumber(decimal: $0) }
    }
}
