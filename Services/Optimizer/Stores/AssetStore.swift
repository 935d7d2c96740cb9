import PostgresClient
import WireFormat

/// A requested name and the asset it stands for in the requested window.
struct ResolvedAsset: Sendable, Equatable {
    /// As the caller wrote it.
    var name: String
    /// The symbol of market_data whose series this is; FB's is META.
    var symbol: String
    /// Symbols whose rows belong to the series on the days on which they were its name.
    var formerNames: [FormerName]
    /// Trades around the clock.
    var isContinuous: Bool
    /// Whether any of the symbols is in the database at all.
    var isKnown: Bool

    /// A name that meant the asset from its first day to the day before its end.
    struct FormerName: Sendable, Equatable {
        var symbol: String
        var firstDay: Int
        var endDay: Int
    }

    /// All symbols whose rows may belong to the series.
    var symbols: [String] { [symbol] + formerNames.map { $0.symbol } }
}

/// Assets and the names they have had.
enum AssetStore {
    /// Finds what each name stands for between `start` and `end`. A name that was an alias in that window means its successor.
    static func resolve(
        _ names: [String], from start: CalendarDate?, to end: CalendarDate?, on connection: PostgresConnection
    ) async throws -> [ResolvedAsset] {
        let first = PostgresDate(daysSinceEpoch: (start ?? .earliest).daysSinceEpoch)
        let last = PostgresDate(daysSinceEpoch: (end ?? .latest).daysSinceEpoch)
        let rows = try await connection.query(
            """
            SELECT w.name, c.symbol, f.former, f.since, f.until,
                coalesce(a.calendar = '24/7', false) AS continuous,
                a.symbol IS NOT NULL OR EXISTS (SELECT FROM ballast.asset k WHERE k.symbol = ANY (f.former)) AS known
            FROM unnest(\(names)) WITH ORDINALITY AS w (name, place)
            CROSS JOIN LATERAL (
                SELECT coalesce((
                    SELECT l.symbol FROM ballast.asset_alias l
                    WHERE l.alias = w.name AND l.valid_from <= \(last) AND l.valid_to > \(first)
                    ORDER BY l.valid_from DESC LIMIT 1), w.name) AS symbol
            ) c
            CROSS JOIN LATERAL (
                SELECT coalesce(array_agg(l.alias ORDER BY l.valid_from, l.alias), '{}') AS former,
                    coalesce(array_agg(l.valid_from ORDER BY l.valid_from, l.alias), '{}') AS since,
                    coalesce(array_agg(l.valid_to ORDER BY l.valid_from, l.alias), '{}') AS until
                FROM ballast.asset_alias l WHERE l.symbol = c.symbol
            ) f
            LEFT JOIN ballast.asset a ON a.symbol = c.symbol
            ORDER BY w.place
            """)
        return try rows.map { row in
            let names = try row.decode([String].self, at: 2)
            let since = try row.decode([PostgresDate].self, at: 3)
            let until = try row.decode([PostgresDate].self, at: 4)
            return ResolvedAsset(
                name: try row.decode(String.self, at: 0), symbol: try row.decode(String.self, at: 1),
                formerNames: zip(names, zip(since, until)).map { name, days in
                    ResolvedAsset.FormerName(symbol: name, firstDay: bounded(days.0), endDay: bounded(days.1))
                },
                isContinuous: try row.decode(Bool.self, at: 5), isKnown: try row.decode(Bool.self, at: 6))
        }
    }

    /// Infinite dates, cut to the calendar.
    private static func bounded(_ date: PostgresDate) -> Int {
        min(max(date.daysSinceEpoch, CalendarDate.earliest.daysSinceEpoch), CalendarDate.latest.daysSinceEpoch + 1)
    }

    /// Every name a request may use, for suggestions; the first 20,000.
    static func knownNames(on connection: PostgresConnection) async throws -> [String] {
        let rows = try await connection.query(
            "SELECT symbol FROM ballast.asset UNION SELECT alias FROM ballast.asset_alias ORDER BY 1 LIMIT 20000")
        return try rows.map { try $0.decode(String.self, at: 0) }
    }
}
