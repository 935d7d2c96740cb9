import PostgresClient
import WireFormat

/// Daily prices, read in a form that becomes a matrix without a row object a price.
enum PriceStore {
    /// The newest tick of the change log and the snapshot of the running transaction: which data it sees.
    static func revision(on connection: PostgresConnection) async throws -> DataRevision {
        let rows = try await connection.query(
            """
            SELECT (SELECT max(tick) FROM rt.tick), pg_current_snapshot()::text,
                pg_postmaster_start_time()::text || '/' || pg_relation_filenode('public.market_data'::regclass)::text
            """)
        guard let row = rows.first, let snapshot = Snapshot(try row.decode(String.self, at: 1)) else {
            throw PostgresError(.decoding, "no snapshot")
        }
        return DataRevision(
            tick: try row.decode(Int64?.self, at: 0) ?? 0, snapshot: snapshot, world: try row.decode(String.self, at: 2)
        )
    }

    /// The whole histories of some symbols; absent where a symbol has no daily price. Where a day has several rows the latest counts.
    ///
    /// A binary COPY sends one array of instants and one of prices a symbol, which is read while the server is at the next: half of what a query's result
    /// costs here, and never all of it at once. A row a price would cost the server a third more and us five times as much. COPY takes no parameters, so
    /// the names go ahead in a setting of the transaction.
    ///
    /// Prices travel as the decimals that they are: turning them into doubles costs the server as much as reading them, and us a tenth of it. They come as
    /// they are stored, which is nearly always in their order: sorting them costs the server a fifth of its time.
    /// - Throws: `DAT-004` for a price beyond the range of a double.
    static func histories(
        of symbols: [String], on connection: PostgresConnection
    ) async throws -> [String: PriceCache.History] {
        _ = try await connection.query("SELECT set_config('ballast.symbols', \(symbols)::text, true)")
        var histories: [String: PriceCache.History] = [:]
        var isValid = true
        var reader = CopyBinaryReader()
        for try await bytes in try await connection.copyOut(wanted) {
            reader.append(bytes)
            while let row = try reader.next() {
                let prices = try row.decode([Double].self, at: 2)
                isValid = isValid && prices.allSatisfy { $0 > 0 && $0 < .infinity }
                let instants = try row.decode([PostgresTimestamp].self, at: 1).map { $0.microsecondsSinceEpoch }
                histories[try row.decode(String.self, at: 0)] = daily(instants, prices)
            }
        }
        guard isValid else {
            throw Problem(.invalidPrice, "A stored price is beyond the range of numbers that can be computed with.")
        }
        return histories
    }

    private static let wanted: SQL = """
        COPY (
            SELECT w.symbol, s.at, s.price
            FROM unnest(current_setting('ballast.symbols')::text[]) AS w (symbol) CROSS JOIN LATERAL (
                SELECT array_agg(d."timestamp") AS at, array_agg(d.price) AS price
                FROM (
                    SELECT "timestamp", price FROM public.market_data
                    WHERE asset_symbol = w.symbol AND "interval" = '1d'
                ) d
            ) s
            WHERE s.at IS NOT NULL
        ) TO STDOUT (FORMAT binary)
        """

    /// The series of each asset between two days, both included; a nil bound is open.
    ///
    /// A former name counts only on the days on which it was the name, and only where the symbol itself has no price.
    static func series(
        of assets: [ResolvedAsset], from start: CalendarDate?, to end: CalendarDate?,
        histories: [String: PriceCache.History]
    ) -> [PriceSeries] {
        let mixed = assets.contains { $0.isContinuous } && assets.contains { !$0.isContinuous }
        let last = (end ?? .latest).daysSinceEpoch
        return assets.map { asset in
            // The session of the first day takes a round-the-clock bar of the day before.
            let first = (start ?? .earliest).daysSinceEpoch - (mixed && asset.isContinuous ? 1 : 0)
            var own = cut(histories[asset.symbol], first, last)
            for name in asset.formerNames {
                let other = cut(histories[name.symbol], max(first, name.firstDay), min(last, name.endDay - 1))
                if !other.days.isEmpty { own = merged(own, with: other) }
            }
            return PriceSeries(asset: asset.name, isContinuous: asset.isContinuous, days: own.days, prices: own.prices)
        }
    }

    /// One price a day: the latest of each.
    private static func daily(_ instants: [Int64], _ prices: [Double]) -> PriceCache.History {
        var (instants, prices) = (instants, prices)
        if zip(instants, instants.dropFirst()).contains(where: { $0 > $1 }) {
            let order = instants.indices.sorted { instants[$0] < instants[$1] }
            (instants, prices) = (order.map { instants[$0] }, order.map { prices[$0] })
        }
        var history = PriceCache.History()
        history.days.reserveCapacity(instants.count)
        history.prices.reserveCapacity(instants.count)
        for (instant, price) in zip(instants, prices) {
            let day = UTCTimestamp(microsecondsSinceEpoch: instant).date.daysSinceEpoch
            if history.days.last == day {
                history.prices[history.prices.count - 1] = price
            } else {
                history.days.append(day)
                history.prices.append(price)
            }
        }
        return history
    }

    /// The days from `first` to `last`.
    private static func cut(_ history: PriceCache.History?, _ first: Int, _ last: Int) -> PriceCache.History {
        guard let history, first <= last else { return PriceCache.History() }
        let from = position(of: first, in: history.days)
        let to = position(of: last + 1, in: history.days)
        if from == 0, to == history.days.count { return history }
        return PriceCache.History(days: Array(history.days[from..<to]), prices: Array(history.prices[from..<to]))
    }

    /// The first position whose day is at least `day`.
    private static func position(of day: Int, in days: [Int]) -> Int {
        var low = 0
        var high = days.count
        while low < high {
            let middle = (low + high) / 2
            if days[middle] < day { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The days of `other` that `history` lacks, put in their places.
    private static func merged(_ history: PriceCache.History, with other: PriceCache.History) -> PriceCache.History {
        var byDay = Dictionary(zip(other.days, other.prices), uniquingKeysWith: { _, last in last })
        for (day, price) in zip(history.days, history.prices) { byDay[day] = price }
        let days = byDay.keys.sorted()
        return PriceCache.History(days: days, prices: days.compactMap { byDay[$0] })
    }
}
