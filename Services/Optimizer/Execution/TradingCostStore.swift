import PostgresClient
import Reallocation
import WireFormat

/// What the running tenant's orders have taught about the cost of each venue.
enum TradingCostStore {
    /// A venue's row.
    struct Row: Sendable {
        var venue: String
        var calibration: CostCalibration
        var updatedAt: UTCTimestamp

        init(_ row: PostgresRow) throws {
            venue = try row.decode(String.self, at: 0)
            calibration = CostCalibration()
            calibration.orders = Int(try row.decode(Int32.self, at: 1))
            calibration.spreadSquare = try row.decode(Double.self, at: 2)
            calibration.product = try row.decode(Double.self, at: 3)
            calibration.impactSquare = try row.decode(Double.self, at: 4)
            calibration.spreadMoment = try row.decode(Double.self, at: 5)
            calibration.impactMoment = try row.decode(Double.self, at: 6)
            calibration.scale = try row.decode(Double.self, at: 7)
            updatedAt = UTCTimestamp(
                microsecondsSinceEpoch: try row.decode(PostgresTimestamp.self, at: 8).microsecondsSinceEpoch)
        }

        /// As `GET /api/trading/costs` shows it.
        var json: JSONValue {
            let factors = calibration.factors
            return [
                "venue": .string(venue), "orders": JSONValue(calibration.orders),
                "spread_factor": JSONValue(FixedDecimal(factors.spread, places: 6)),
                "impact_factor": JSONValue(FixedDecimal(factors.impact, places: 6)),
                "residual": JSONValue(calibration.scale), "updated_at": .string(updatedAt.isoString),
            ]
        }
    }

    private static let columns: SQL = """
        venue, orders, spread_square, product, impact_square, spread_moment, impact_moment, scale, updated_at
        """

    /// Every venue, the one that was last learned from first.
    static func all(on connection: PostgresConnection) async throws -> [Row] {
        try await connection.query(
            "SELECT " + columns
                + " FROM ballast.trading_cost WHERE tenant_id = ballast.current_tenant() ORDER BY updated_at DESC, venue"
        ).map { try Row($0) }
    }

    /// Learns from a plan's orders, in the commit that ends it; other plans of the tenant at the same venue wait for it.
    static func learn(
        _ observations: [CostCalibration.Observation], at venue: String, on connection: PostgresConnection
    ) async throws {
        guard !observations.isEmpty else { return }
        _ = try await connection.execute(
            """
            INSERT INTO ballast.trading_cost (tenant_id, venue) VALUES (ballast.current_tenant(), \(venue))
            ON CONFLICT (tenant_id, venue) DO NOTHING
            """)
        let rows = try await connection.query(
            "SELECT " + columns
                + " FROM ballast.trading_cost WHERE tenant_id = ballast.current_tenant() AND venue = \(venue) FOR UPDATE"
        )
        guard let row = rows.first else { return }
        var known = try Row(row).calibration
        for observation in observations { known.learn(observation) }
        _ = try await connection.execute(
            """
            UPDATE ballast.trading_cost SET orders = \(Int32(clamping: known.orders)), spread_square = \(known.spreadSquare),
                product = \(known.product), impact_square = \(known.impactSquare), spread_moment = \(known.spreadMoment),
                impact_moment = \(known.impactMoment), scale = \(known.scale), updated_at = clock_timestamp()
            WHERE tenant_id = ballast.current_tenant() AND venue = \(venue)
            """)
    }

    /// Forgets what a venue taught; false where nothing was known.
    static func forget(_ venue: String, on connection: PostgresConnection) async throws -> Bool {
        try await connection.execute(
            "DELETE FROM ballast.trading_cost WHERE tenant_id = ballast.current_tenant() AND venue = \(venue)") == 1
    }

    /// A plan's request with the factors of a venue in its costs: of the one that `costs.venue` names, else of the one that was traded at
    /// last. Unchanged where `costs.calibrate` is false, where the request brings factors itself, or where too few orders are known.
    static func completed(_ body: JSONValue, with rows: [Row]) -> JSONValue {
        guard var request = body.objectValue else { return body }
        var settings = request["settings"]?.objectValue ?? JSONObject()
        var costs = settings["costs"]?.objectValue ?? JSONObject()
        guard settings["costs"] == nil || settings["costs"]?.objectValue != nil,
            request["settings"] == nil || request["settings"]?.objectValue != nil, costs["calibrate"] != false,
            costs["calibration"] == nil
        else { return body }
        let wanted = costs["venue"]?.stringValue
        guard let row = rows.first(where: { wanted == nil || $0.venue == wanted }),
            row.calibration.orders >= CostCalibration.leastOrders
        else { return body }
        let factors = row.calibration.factors
        costs["calibration"] = [
            "venue": .string(row.venue), "orders": JSONValue(row.calibration.orders),
            "spread_factor": JSONValue(FixedDecimal(factors.spread, places: 6)),
            "impact_factor": JSONValue(FixedDecimal(factors.impact, places: 6)),
        ]
        settings["costs"] = .object(costs)
        request["settings"] = .object(settings)
        return .object(request)
    }
}
