import PostgresClient
import WireFormat

/// What a portfolio really holds: cash and positions with their tax lots. Figures are decimals, never binary.
struct Holdings: Sendable, Equatable {
    struct Lot: Sendable, Equatable {
        var id: String
        var acquired: CalendarDate
        var quantity: String
        var basisPerShare: String
    }

    struct Position: Sendable, Equatable {
        var asset: String
        /// Nil: what the lots add up to.
        var quantity: String?
        var lots: [Lot]
    }

    var currency = "USD"
    var cash = "0"
    var positions: [Position] = []

    var json: JSONValue {
        [
            "currency": .string(currency), "cash": .string(cash),
            "holdings": .array(
                positions.map { position in
                    [
                        "asset": .string(position.asset), "quantity": JSONValue(position.quantity),
                        "lots": .array(
                            position.lots.map { lot in
                                [
                                    "id": .string(lot.id), "acquired": .string(lot.acquired.description),
                                    "quantity": .string(lot.quantity), "basis_per_share": .string(lot.basisPerShare),
                                ]
                            }),
                    ]
                }),
        ]
    }
}

/// Holdings and lots of a portfolio of the running tenant.
enum HoldingStore {
    /// What `PUT` found wrong with a position: the lots do not add up to the quantity.
    struct Mismatch: Error { var asset: String; var quantity: String; var lots: String }

    private static let cashPrefix = "CASH:"

    /// Replaces all holdings of a portfolio.
    static func replace(_ holdings: Holdings, of id: String, on connection: PostgresConnection) async throws {
        _ = try await connection.execute(
            "DELETE FROM ballast.holding WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)")
        try await insert(holdings, of: id, on: connection)
    }

    /// Replaces cash and the positions in some assets: what a fill changes.
    static func replace(
        _ assets: Set<String>, in holdings: Holdings, of id: String, on connection: PostgresConnection
    ) async throws {
        var part = holdings
        part.positions = holdings.positions.filter { assets.contains($0.asset) }
        _ = try await connection.execute(
            """
            DELETE FROM ballast.holding WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)
                AND asset_symbol = ANY (\([cashPrefix + holdings.currency] + assets.sorted()))
            """)
        try await insert(part, of: id, on: connection)
    }

    private static func insert(_ holdings: Holdings, of id: String, on connection: PostgresConnection) async throws {
        let lots = holdings.positions.flatMap { position in position.lots.map { (position.asset, $0) } }
        let assets = [cashPrefix + holdings.currency] + holdings.positions.map { $0.asset }
        let quantities = [numeric(holdings.cash)] + holdings.positions.map { $0.quantity.flatMap { numeric($0) } }
        _ = try await connection.execute(
            """
            INSERT INTO ballast.holding (tenant_id, portfolio_id, asset_symbol, quantity)
            SELECT ballast.current_tenant(), \(id), h.asset, coalesce(h.quantity, (
                SELECT sum(l.quantity) FROM unnest(\(lots.map { $0.0 }), \(lots.map { numeric($0.1.quantity) })) l (asset, quantity)
                WHERE l.asset = h.asset), 0)
            FROM unnest(\(assets), \(quantities)) h (asset, quantity)
            """)
        _ = try await connection.execute(
            """
            INSERT INTO ballast.tax_lot (tenant_id, portfolio_id, asset_symbol, lot_id, acquired, quantity, basis_per_share)
            SELECT ballast.current_tenant(), \(id), l.asset, l.lot, l.acquired, l.quantity, l.basis
            FROM unnest(\(lots.map { $0.0 }), \(lots.map { $0.1.id }),
                \(lots.map { PostgresDate(daysSinceEpoch: $0.1.acquired.daysSinceEpoch) }),
                \(lots.map { numeric($0.1.quantity) }), \(lots.map { numeric($0.1.basisPerShare) })) l (asset, lot, acquired, quantity, basis)
            """)
        let wrong = try await connection.query(
            """
            SELECT h.asset_symbol, h.quantity::text, sum(l.quantity)::text
            FROM ballast.holding h JOIN ballast.tax_lot l USING (tenant_id, portfolio_id, asset_symbol)
            WHERE h.tenant_id = ballast.current_tenant() AND h.portfolio_id = \(id)
            GROUP BY h.asset_symbol, h.quantity HAVING sum(l.quantity) <> h.quantity ORDER BY 1 LIMIT 1
            """)
        if let row = wrong.first {
            throw Mismatch(
                asset: try row.decode(String.self, at: 0), quantity: try row.decode(String.self, at: 1),
                lots: try row.decode(String.self, at: 2))
        }
    }

    /// The holdings of a portfolio; no cash and no positions where none were given.
    static func load(of id: String, on connection: PostgresConnection) async throws -> Holdings {
        var holdings = Holdings()
        var lots: [String: [Holdings.Lot]] = [:]
        for row in try await connection.query(
            """
            SELECT asset_symbol, lot_id, acquired, quantity::text, basis_per_share::text FROM ballast.tax_lot
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id) ORDER BY asset_symbol, acquired, lot_id
            """)
        {
            let acquired = try row.decode(PostgresDate.self, at: 2).daysSinceEpoch
            lots[try row.decode(String.self, at: 0), default: []].append(
                Holdings.Lot(
                    id: try row.decode(String.self, at: 1),
                    acquired: CalendarDate(daysSinceEpoch: acquired) ?? .earliest,
                    quantity: try row.decode(String.self, at: 3), basisPerShare: try row.decode(String.self, at: 4)))
        }
        for row in try await connection.query(
            """
            SELECT asset_symbol, quantity::text FROM ballast.holding
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id) ORDER BY asset_symbol
            """)
        {
            let asset = try row.decode(String.self, at: 0)
            let quantity = try row.decode(String.self, at: 1)
            if asset.hasPrefix(cashPrefix) {
                holdings.currency = String(asset.dropFirst(cashPrefix.count))
                holdings.cash = quantity
            } else {
                holdings.positions.append(Holdings.Position(asset: asset, quantity: quantity, lots: lots[asset] ?? []))
            }
        }
        return holdings
    }

    private static func numeric(_ text: String) -> PostgresNumeric? { PostgresNumeric(text) }
}
