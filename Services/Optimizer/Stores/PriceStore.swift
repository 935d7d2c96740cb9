import PostgresClient
import WireFormat

/// Daily prices, read in a form that becomes a matrix without a row object a price.
enum PriceStore {
    /// The series of each asset between two days, both included; a nil bound is open.
    ///
    /// Where a day has several rows the latest counts; where a symbol and one of its former names both have the day, the symbol's
    /// own row does. A former name counts only on the days on which it was the name.
    static func series(
        of assets: [ResolvedAsset], from start: CalendarDate?, to end: CalendarDate?, on connection: PostgresConnection
    ) async throws -> [PriceSeries] {
        let mixed = assets.contains { $0.isContinuous } && assets.contains { !$0.isContinuous }
        let from = assets.map { asset in
            // The session of the first day takes a round-the-clock bar of the day before.
            PostgresTimestamp(
                microsecondsSinceEpoch: microseconds(start ?? .earliest, plus: mixed && asset.isContinuous ? -1 : 0))
        }
        let to = PostgresTimestamp(microsecondsSinceEpoch: microseconds(end ?? .latest, plus: 1))
        let rows = try await connection.query(
            """
            WITH member AS (
                SELECT w.place, w.symbol, w.start, \(to) AS stop, 0 AS rank
                FROM unnest(\(assets.map { $0.symbol }), \(from)) WITH ORDINALITY AS w (symbol, start, place)
                UNION ALL
                SELECT w.place, l.alias,
                    greatest(w.start, l.valid_from::timestamp AT TIME ZONE 'UTC'),
                    least(\(to), l.valid_to::timestamp AT TIME ZONE 'UTC'), 1
                FROM unnest(\(assets.map { $0.symbol }), \(from)) WITH ORDINALITY AS w (symbol, start, place)
                JOIN ballast.asset_alias l ON l.symbol = w.symbol
            )
            SELECT m.place, s.at, s.price
            FROM member m CROSS JOIN LATERAL (
                SELECT array_agg(d."timestamp") AS at, array_agg(d.price) AS price
                FROM (
                    SELECT "timestamp", price::float8 AS price FROM public.market_data
                    WHERE asset_symbol = m.symbol AND "interval" = '1d' AND "timestamp" >= m.start AND "timestamp" < m.stop
                    ORDER BY "timestamp"
                ) d
            ) s
            WHERE s.at IS NOT NULL ORDER BY m.place, m.rank
            """)
        var series = assets.map { PriceSeries(asset: $0.name, isContinuous: $0.isContinuous, days: [], prices: []) }
        for row in rows {
            let place = try row.decode(Int64.self, at: 0)
            let instants = try row.decode([PostgresTimestamp].self, at: 1)
            let prices = try row.decode([Double].self, at: 2)
            guard let at = series.indices.first(where: { $0 + 1 == place }) else { continue }
            let read = daily(instants, prices)
            series[at] = series[at].days.isEmpty ? filled(series[at], read) : merged(series[at], with: read)
        }
        return series
    }

    /// One price a day: the latest of each.
    private static func daily(_ instants: [PostgresTimestamp], _ prices: [Double]) -> (days: [Int], prices: [Double]) {
        var days: [Int] = []
        var kept: [Double] = []
        days.reserveCapacity(instants.count)
        kept.reserveCapacity(instants.count)
        for (instant, price) in zip(instants, prices) {
            let day = UTCTimestamp(microsecondsSinceEpoch: instant.microsecondsSinceEpoch).date.daysSinceEpoch
            if days.last == day {
                kept[kept.count - 1] = price
            } else {
                days.append(day)
                kept.append(price)
            }
        }
        return (days, kept)
    }

    private static func filled(_ series: PriceSeries, _ read: (days: [Int], prices: [Double])) -> PriceSeries {
        var series = series
        series.days = read.days
        series.prices = read.prices
        return series
    }

    /// The days of `other` that `series` lacks, put in their places.
    private static func merged(_ series: PriceSeries, with other: (days: [Int], prices: [Double])) -> PriceSeries {
        var byDay = Dictionary(zip(other.days, other.prices), uniquingKeysWith: { _, last in last })
        for (day, price) in zip(series.days, series.prices) { byDay[day] = price }
        var result = series
        result.days = byDay.keys.sorted()
        result.prices = result.days.compactMap { byDay[$0] }
        return result
    }

    private static func microseconds(_ date: CalendarDate, plus days: Int) -> Int64 {
        Int64(date.daysSinceEpoch + days) * 86_400_000_000
    }

    /// The newest tick of the change log and the snapshot of the running transaction: which data it sees.
    static func revision(on connection: PostgresConnection) async throws -> (tick: Int64, snapshot: String) {
        let rows = try await connection.query("SELECT (SELECT max(tick) FROM rt.tick), pg_current_snapshot()::text")
        guard let row = rows.first else { return (0, "") }
        return (try row.decode(Int64?.self, at: 0) ?? 0, try row.decode(String.self, at: 1))
    }
}
