import PostgresClient
import Reallocation
import WireFormat

/// Realised results and wash sales of a portfolio of the running tenant, as fills were booked.
enum GainStore {
    /// What a plan's bookings build on: losses of other plans that nothing has replaced yet, and lots that have taken over a loss.
    final class Earlier: Sendable {
        let losses: [TaxBooking.Realised]
        let replaced: Set<String>

        init(losses: [TaxBooking.Realised], replaced: Set<String>) {
            self.losses = losses
            self.replaced = replaced
        }
    }

    /// Results of a year after wash sales, by term.
    struct Year: Sendable, Equatable {
        var short = FixedDecimal.zero
        var long = FixedDecimal.zero
    }

    /// Days that are looked back for losses: longer than any window of the regimes.
    private static let daysBack = 400

    static func earlier(
        than plan: String, of portfolio: String, on connection: PostgresConnection
    ) async throws -> Earlier {
        let losses = try await connection.query(
            """
            SELECT g.fill_id, g.lot_id, g.asset_symbol, g.sold_on, g.acquired, g.term, g.quantity::text, g.basis::text, g.proceeds::text,
                coalesce(sum(w.quantity), 0)::text
            FROM ballast.realised_gain g
            LEFT JOIN ballast.wash_adjustment w USING (tenant_id, portfolio_id, fill_id, lot_id)
            WHERE g.tenant_id = ballast.current_tenant() AND g.portfolio_id = \(portfolio) AND g.plan_id <> \(plan)
                AND g.proceeds < g.basis AND g.sold_on >= current_date - \(Int32(daysBack))
            GROUP BY g.tenant_id, g.portfolio_id, g.fill_id, g.lot_id
            HAVING coalesce(sum(w.quantity), 0) < g.quantity
            """
        ).map { row -> TaxBooking.Realised in
            let quantity = try decimal(row, 6)
            let left = quantity - (try decimal(row, 9))
            // The shares that are left, with their part of the loss.
            let loss = (try decimal(row, 7) - (try decimal(row, 8))) * left / quantity
            return TaxBooking.Realised(
                fill: try row.decode(String.self, at: 0), lot: try row.decode(String.self, at: 1),
                asset: try row.decode(String.self, at: 2), sold: try day(row, 3), acquired: try day(row, 4),
                quantity: left, proceeds: 0, basis: loss,
                term: HoldingTerm(rawValue: try row.decode(String.self, at: 5)) ?? .short)
        }
        let replaced = try await connection.query(
            """
            SELECT replacement_lot FROM ballast.wash_adjustment
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(portfolio) AND plan_id <> \(plan)
            """
        ).map { try $0.decode(String.self, at: 0) }
        return Earlier(losses: losses, replaced: Set(replaced))
    }

    /// Replaces what a plan has booked for some assets: the booking counts all fills so far.
    static func replace(
        _ booking: TaxBooking, of plan: String, assets: Set<String>, portfolio: String,
        on connection: PostgresConnection
    ) async throws {
        let sales = booking.realised.filter { assets.contains($0.asset) }
        // Losses of earlier plans, too.
        let washes = booking.adjustments.filter { assets.contains($0.asset) }
        _ = try await connection.execute(
            """
            DELETE FROM ballast.wash_adjustment w USING ballast.realised_gain g
            WHERE w.tenant_id = ballast.current_tenant() AND w.portfolio_id = \(portfolio) AND w.plan_id = \(plan)
                AND g.tenant_id = w.tenant_id AND g.portfolio_id = w.portfolio_id AND g.fill_id = w.fill_id AND g.lot_id = w.lot_id
                AND g.asset_symbol = ANY (\(assets.sorted()))
            """)
        _ = try await connection.execute(
            """
            DELETE FROM ballast.realised_gain
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(portfolio) AND plan_id = \(plan)
                AND asset_symbol = ANY (\(assets.sorted()))
            """)
        _ = try await connection.execute(
            """
            INSERT INTO ballast.realised_gain (tenant_id, portfolio_id, plan_id, fill_id, lot_id, asset_symbol, sold_on, acquired, quantity,
                proceeds, basis, term)
            SELECT ballast.current_tenant(), \(portfolio), \(plan), r.*
            FROM unnest(\(sales.map { $0.fill }), \(sales.map { $0.lot }), \(sales.map { $0.asset }), \(sales.map { date($0.sold) }),
                \(sales.map { date($0.acquired) }), \(sales.map { numeric($0.quantity) }), \(sales.map { numeric($0.proceeds) }),
                \(sales.map { numeric($0.basis) }), \(sales.map { $0.term.rawValue })) r
            """)
        _ = try await connection.execute(
            """
            INSERT INTO ballast.wash_adjustment (tenant_id, portfolio_id, plan_id, fill_id, lot_id, replacement_lot, quantity, disallowed,
                days_carried)
            SELECT ballast.current_tenant(), \(portfolio), \(plan), w.*
            FROM unnest(\(washes.map { $0.fill }), \(washes.map { $0.lot }), \(washes.map { $0.replacement }),
                \(washes.map { numeric($0.quantity) }), \(washes.map { numeric($0.disallowed) }),
                \(washes.map { Int32($0.daysCarried) })) w
            """)
    }

    // MARK: For the next plan

    /// Results of each year after wash sales.
    static func years(of portfolio: String, on connection: PostgresConnection) async throws -> [Int: Year] {
        let rows = try await connection.query(
            """
            SELECT extract(year FROM g.sold_on)::int, g.term, (sum(g.proceeds - g.basis) + coalesce(sum(w.disallowed), 0))::text
            FROM ballast.realised_gain g
            LEFT JOIN LATERAL (
                SELECT sum(disallowed) AS disallowed FROM ballast.wash_adjustment w
                WHERE w.tenant_id = g.tenant_id AND w.portfolio_id = g.portfolio_id AND w.fill_id = g.fill_id AND w.lot_id = g.lot_id
            ) w ON true
            WHERE g.tenant_id = ballast.current_tenant() AND g.portfolio_id = \(portfolio)
            GROUP BY 1, 2
            """)
        var years: [Int: Year] = [:]
        for row in rows {
            let year = Int(try row.decode(Int32.self, at: 0))
            let result = try decimal(row, 2)
            if try row.decode(String.self, at: 1) == "short" {
                years[year, default: Year()].short = result
            } else {
                years[year, default: Year()].long = result
            }
        }
        return years
    }

    /// Assets sold at a loss that still counts, with the last day of such a sale.
    static func lossSales(
        of portfolio: String, on connection: PostgresConnection
    ) async throws -> [(asset: String, date: CalendarDate)] {
        try await connection.query(
            """
            SELECT g.asset_symbol, max(g.sold_on) FROM ballast.realised_gain g
            WHERE g.tenant_id = ballast.current_tenant() AND g.portfolio_id = \(portfolio) AND g.proceeds < g.basis
                AND g.sold_on >= current_date - \(Int32(daysBack))
                AND g.quantity > (
                    SELECT coalesce(sum(w.quantity), 0) FROM ballast.wash_adjustment w
                    WHERE w.tenant_id = g.tenant_id AND w.portfolio_id = g.portfolio_id AND w.fill_id = g.fill_id AND w.lot_id = g.lot_id)
            GROUP BY 1 ORDER BY 1
            """
        ).map { (try $0.decode(String.self, at: 0), try day($0, 1)) }
    }

    /// Sales of a year with what wash sales took from each, oldest first.
    static func list(
        of portfolio: String, year: Int, on connection: PostgresConnection
    ) async throws -> [JSONValue] {
        try await connection.query(
            """
            SELECT g.plan_id, g.fill_id, g.lot_id, g.asset_symbol, g.sold_on, g.acquired, g.term, g.quantity::text, g.proceeds::text,
                g.basis::text, coalesce((
                    SELECT json_agg(json_build_object('replacement', w.replacement_lot, 'plan_id', w.plan_id, 'quantity', w.quantity::text,
                        'disallowed', w.disallowed::text, 'days_carried', w.days_carried) ORDER BY w.replacement_lot)
                    FROM ballast.wash_adjustment w
                    WHERE w.tenant_id = g.tenant_id AND w.portfolio_id = g.portfolio_id AND w.fill_id = g.fill_id AND w.lot_id = g.lot_id
                ), '[]')::text
            FROM ballast.realised_gain g
            WHERE g.tenant_id = ballast.current_tenant() AND g.portfolio_id = \(portfolio)
                AND g.sold_on >= make_date(\(Int32(year)), 1, 1) AND g.sold_on < make_date(\(Int32(year + 1)), 1, 1)
            ORDER BY g.sold_on, g.asset_symbol, g.fill_id, g.lot_id
            """
        ).map { row in
            let (proceeds, basis) = (try decimal(row, 8), try decimal(row, 9))
            let washes = try StrictJSON.parse(try row.decode(String.self, at: 10), limits: .stored)
            let taken = (washes.arrayValue ?? []).compactMap {
                $0["disallowed"]?.stringValue.flatMap { FixedDecimal($0) }
            }.reduce(.zero, +)
            return [
                "plan_id": .string(try row.decode(String.self, at: 0)),
                "fill": .string(try row.decode(String.self, at: 1)),
                "lot": .string(try row.decode(String.self, at: 2)),
                "asset": .string(try row.decode(String.self, at: 3)),
                "sold": .string(try day(row, 4).description), "acquired": .string(try day(row, 5).description),
                "term": .string(try row.decode(String.self, at: 6)), "quantity": JSONValue(try decimal(row, 7)),
                "proceeds": JSONValue(proceeds.rounded(places: 8)), "basis": JSONValue(basis.rounded(places: 8)),
                "gain": JSONValue((proceeds - basis).rounded(places: 8)),
                "disallowed": JSONValue(taken.rounded(places: 8)), "wash_sales": washes,
            ]
        }
    }

    // MARK: Values

    private static func decimal(_ row: PostgresRow, _ at: Int) throws -> FixedDecimal {
        guard let value = FixedDecimal(try row.decode(String.self, at: at)) else {
            throw Problem(.internalError, "A booked figure has more digits than can be computed with.")
        }
        return value
    }

    private static func day(_ row: PostgresRow, _ at: Int) throws -> CalendarDate {
        CalendarDate(daysSinceEpoch: try row.decode(PostgresDate.self, at: at).daysSinceEpoch) ?? .earliest
    }

    private static func date(_ day: CalendarDate) -> PostgresDate { PostgresDate(daysSinceEpoch: day.daysSinceEpoch) }
    private static func numeric(_ value: FixedDecimal) -> PostgresNumeric? { PostgresNumeric(value.description) }
}
