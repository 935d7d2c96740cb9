import PostgresClient
import WireFormat

/// A plan as its row holds it.
final class StoredPlan: Sendable {
    let id: String
    let portfolioID: String?
    let portfolioVersion: Int64?
    let holdingsHash: [UInt8]?
    let state: String
    let hash: [UInt8]
    /// The plan's JSON text.
    let body: String
    let prices: String
    let tolerance: String
    let isExpired: Bool
    let confirmedBy: String?
    let confirmedAt: UTCTimestamp?
    let idempotencyKey: String?

    init(_ row: PostgresRow) throws {
        id = try row.decode(String.self, at: 0)
        portfolioID = try row.decode(String?.self, at: 1)
        portfolioVersion = try row.decode(Int64?.self, at: 2)
        holdingsHash = try row.decode([UInt8]?.self, at: 3)
        state = try row.decode(String.self, at: 4)
        hash = try row.decode([UInt8].self, at: 5)
        body = try row.decode(String.self, at: 6)
        prices = try row.decode(String.self, at: 7)
        tolerance = try row.decode(String.self, at: 8)
        isExpired = try row.decode(Bool.self, at: 9)
        confirmedBy = try row.decode(String?.self, at: 10)
        confirmedAt = try row.decode(PostgresTimestamp?.self, at: 11).map {
            UTCTimestamp(microsecondsSinceEpoch: $0.microsecondsSinceEpoch)
        }
        idempotencyKey = try row.decode(String?.self, at: 12)
    }
}

/// A plan that is about to be kept.
final class NewPlan: Sendable {
    let id: String
    let portfolioID: String?
    let portfolioVersion: Int64?
    let holdingsHash: [UInt8]?
    let state: String
    let hash: [UInt8]
    let body: String
    let request: String
    let prices: String
    let tolerance: String
    let expires: String
    /// How many limits had to give.
    let relaxed: Int

    init(
        id: String, portfolioID: String?, portfolioVersion: Int64?, holdingsHash: [UInt8]?, state: String,
        hash: [UInt8],
        body: String, request: String, prices: String, tolerance: String, expires: String, relaxed: Int
    ) {
        self.relaxed = relaxed
        self.id = id
        self.portfolioID = portfolioID
        self.portfolioVersion = portfolioVersion
        self.holdingsHash = holdingsHash
        self.state = state
        self.hash = hash
        self.body = body
        self.request = request
        self.prices = prices
        self.tolerance = tolerance
        self.expires = expires
    }
}

/// Reallocation plans of the running tenant and their chain of events.
enum PlanStore {
    private static let columns: SQL = """
        plan_id, portfolio_id, portfolio_version, holdings_hash, state, plan_hash, body::text, prices::text, price_tolerance::text,
        clock_timestamp() >= expires_at, confirmed_by, confirmed_at, idempotency_key
        """

    /// The time so many seconds from now on the database's clock.
    static func expiry(after seconds: Int, on connection: PostgresConnection) async throws -> UTCTimestamp {
        let rows = try await connection.query("SELECT clock_timestamp() + make_interval(secs => \(Double(seconds)))")
        guard let row = rows.first else { throw PostgresError(.decoding, "no time") }
        return UTCTimestamp(
            microsecondsSinceEpoch: try row.decode(PostgresTimestamp.self, at: 0).microsecondsSinceEpoch)
    }

    /// Keeps a plan: those of its portfolio that wait are superseded, and its chain begins.
    static func keep(_ plan: NewPlan, actor: String, requestID: String, on connection: PostgresConnection) async throws
    {
        if let portfolio = plan.portfolioID {
            guard try await PortfolioStore.lock(portfolio, on: connection) != nil else {
                throw Problem.noPortfolio(portfolio)
            }
            try await supersede(plansOf: portfolio, by: plan.id, actor: actor, requestID: requestID, on: connection)
        }
        let (portfolio, version, holdings) = (plan.portfolioID, plan.portfolioVersion, plan.holdingsHash)
        let (body, request, prices) = (plan.body, plan.request, plan.prices)
        _ = try await connection.execute(
            """
            INSERT INTO ballast.rebalance_plan (tenant_id, plan_id, portfolio_id, portfolio_version, holdings_hash, state, plan_hash,
                body, request, prices, price_tolerance, created_by, expires_at)
            VALUES (ballast.current_tenant(), \(plan.id), \(portfolio as String?), \(version as Int64?),
                \(holdings as [UInt8]?), \(plan.state), \(plan.hash),
                \(body)::json, \(request)::json, \(prices)::text::jsonb, \(plan.tolerance)::text::numeric, \(actor),
                \(plan.expires)::text::timestamptz)
            """)
        // What the making of the plan went through; a plan that is not feasible is a refusal and not kept.
        var before: String?
        let steps = [
            ("DRAFT", "asked for"), ("PRICED", "prices, costs and tax are known"),
            ("FEASIBLE", plan.relaxed == 0 ? "every limit holds" : "\(plan.relaxed) limits had to give"),
            (plan.state, "planned"),
        ]
        for (state, reason) in steps {
            try await record(
                plan.id, actor: actor, from: before, to: state, reason: reason,
                detail: state == plan.state ? ["plan_hash": .string(Hex.text(plan.hash))] : [:], requestID: requestID,
                on: connection)
            before = state
        }
    }

    /// A plan by its id; nil where the tenant has none. Locked against other writers where `locks`.
    static func find(_ id: String, locks: Bool, on connection: PostgresConnection) async throws -> StoredPlan? {
        let rows = try await connection.query(
            "SELECT " + columns
                + " FROM ballast.rebalance_plan WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id)"
                + (locks ? " FOR UPDATE" : ""))
        return try rows.first.map { try StoredPlan($0) }
    }

    /// Moves a plan to another state and adds the link to its chain. The caller holds the row's lock and has checked the state.
    static func move(
        _ id: String, from: String, to state: String, actor: String, reason: String, requestID: String,
        on connection: PostgresConnection
    ) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.rebalance_plan SET state = \(state)
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) AND state = \(from)
            """)
        try await record(
            id, actor: actor, from: from, to: state, reason: reason, detail: [:], requestID: requestID, on: connection)
    }

    static func confirm(
        _ plan: StoredPlan, actor: String, key: String, requestID: String, on connection: PostgresConnection
    ) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.rebalance_plan
            SET state = 'CONFIRMED', confirmed_by = \(actor), confirmed_at = clock_timestamp(), idempotency_key = \(key)
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(plan.id) AND state = 'AWAITING_CONFIRM'
            """)
        try await record(
            plan.id, actor: actor, from: plan.state, to: "CONFIRMED", reason: "confirmed",
            detail: ["plan_hash": .string(Hex.text(plan.hash))], requestID: requestID, on: connection)
    }

    /// A newer plan of the same portfolio takes the place of those that wait.
    static func supersede(
        plansOf portfolio: String, by id: String, actor: String, requestID: String, on connection: PostgresConnection
    ) async throws {
        let rows = try await connection.query(
            """
            UPDATE ballast.rebalance_plan SET state = 'SUPERSEDED'
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(portfolio) AND state = 'AWAITING_CONFIRM'
            RETURNING plan_id
            """)
        for row in rows {
            try await record(
                try row.decode(String.self, at: 0), actor: actor, from: "AWAITING_CONFIRM", to: "SUPERSEDED",
                reason: "a newer plan", detail: ["by": .string(id)], requestID: requestID, on: connection)
        }
    }

    private static func record(
        _ id: String, actor: String, from: String?, to: String, reason: String, detail: JSONValue, requestID: String,
        on connection: PostgresConnection
    ) async throws {
        let text = detail.serialized()
        _ = try await connection.query(
            """
            SELECT ballast.rebalance_record(\(id), \(actor), \(from as String?), \(to), \(reason), \(text)::text::jsonb, \(requestID))
            """)
    }

    /// The chain of a plan, oldest first.
    static func events(of id: String, on connection: PostgresConnection) async throws -> [JSONValue] {
        let rows = try await connection.query(
            """
            SELECT seq, at, actor, from_state, to_state, reason, detail::text, encode(prev_hash, 'hex'), encode(hash, 'hex')
            FROM ballast.rebalance_event WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) ORDER BY seq
            """)
        return try rows.map { row in
            let at = try row.decode(PostgresTimestamp.self, at: 1).microsecondsSinceEpoch
            let detail = try row.decode(String.self, at: 6)
            return [
                "seq": JSONValue(Int(try row.decode(Int32.self, at: 0))),
                "at": .string(UTCTimestamp(microsecondsSinceEpoch: at).isoString),
                "actor": .string(try row.decode(String.self, at: 2)),
                "from": JSONValue(try row.decode(String?.self, at: 3)),
                "to": .string(try row.decode(String.self, at: 4)),
                "reason": .string(try row.decode(String.self, at: 5)),
                "detail": (try? StrictJSON.parse(detail, limits: .stored)) ?? .null,
                "prev_hash": .string(try row.decode(String.self, at: 7)),
                "hash": .string(try row.decode(String.self, at: 8)),
            ]
        }
    }

    /// The latest daily price of each symbol, its average volume and annual volatility of the last 63 bars; absent without a price.
    static func quotes(
        of symbols: [String], on connection: PostgresConnection
    ) async throws -> [String: RebalanceRequest.Quote] {
        let rows = try await connection.query(
            """
            SELECT w.symbol, l.price::text, s.adv, s.volatility
            FROM unnest(\(symbols)) AS w (symbol)
            CROSS JOIN LATERAL (
                SELECT price FROM public.market_data WHERE asset_symbol = w.symbol AND "interval" = '1d'
                ORDER BY "timestamp" DESC LIMIT 1
            ) l
            CROSS JOIN LATERAL (
                SELECT round(avg(b.volume))::text AS adv, (stddev_samp(b."return") * sqrt(252))::float8 AS volatility
                FROM (
                    SELECT volume, "return" FROM public.market_data WHERE asset_symbol = w.symbol AND "interval" = '1d'
                    ORDER BY "timestamp" DESC LIMIT 63
                ) b
            ) s
            """)
        var quotes: [String: RebalanceRequest.Quote] = [:]
        for row in rows {
            guard let price = FixedDecimal(try row.decode(String.self, at: 1)), price > 0 else { continue }
            quotes[try row.decode(String.self, at: 0)] = RebalanceRequest.Quote(
                price: price, adv: try row.decode(String?.self, at: 2).flatMap { FixedDecimal($0) },
                volatility: try row.decode(Double?.self, at: 3))
        }
        return quotes
    }
}
