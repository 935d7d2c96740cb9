import Foundation
import PostgresClient
import TestSupport
import Testing

/// Generated over the catalogue: a new table with a `tenant_id` is tested without a new line here.
@Suite struct `Row-level security` {
    /// Tables with a tenant, as `schema.table`, quoted for SQL by the server.
    private func tables(_ admin: PostgresPool) async throws -> [String] {
        let rows = try await admin.query(
            """
            SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE n.nspname = 'ballast' AND c.relkind IN ('r', 'p') ORDER BY 1
            """)
        return try rows.map { try $0.decode(String.self, at: 0) }
    }

    @Test func `every tenant table has it, enabled, forced, with the tenant first in its key`() async throws {
        let database = try await TestDatabase.create()
        let admin = try database.adminPool()
        let tables = try await tables(admin)
        #expect(tables.count >= 9)
        for table in tables {
            let row = try await admin.query(
                """
                SELECT c.relrowsecurity, c.relforcerowsecurity,
                       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid),
                       (SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                        WHERE i.indrelid = c.oid AND i.indisprimary)
                FROM pg_class c WHERE c.oid = \(table)::regclass
                """)[0]
            let (enabled, forced, policies, first) = try row.decode((Bool, Bool, Int, String?).self)
            #expect(enabled && forced && policies > 0, "\(table)")
            #expect(first == "tenant_id", "\(table)")
        }
    }

    @Test func `without a tenant there is no row, with one there are only its own`() async throws {
        let database = try await TestDatabase.create()
        let (admin, pool) = (try database.adminPool(), try database.pool(size: 2))
        let (mine, theirs) = (UUID(), UUID())
        try await admin.transaction { connection in
            for (tenant, key) in [(mine, "aaaaaaaa"), (theirs, "bbbbbbbb")] { try await fill(connection, tenant, key) }
        }
        for table in try await tables(admin) {
            let all: SQL = "SELECT tenant_id FROM \(raw: table)"
            let tenants = Set(try await admin.query(all).map { try $0.decode(UUID.self, at: 0) })
            #expect(tenants.isSuperset(of: [mine, theirs]), "\(table) has no row of both tenants: extend fill()")
            // The app role without a tenant.
            let none = try await pool.transaction { connection in
                try await connection.execute("SET LOCAL ROLE ballast_app")
                return try await connection.query(all)
            }
            #expect(none.isEmpty, "\(table) shows rows without a tenant")
            let own = try await pool.transaction(.app(mine)) { connection in try await connection.query(all) }
            #expect(!own.isEmpty, "\(table) hides the tenant's own rows")
            #expect(
                try own.allSatisfy { try $0.decode(UUID.self, at: 0) == mine }, "\(table) shows another tenant's rows")
            // Rows can't be moved to another tenant: refused by privilege, policy or reference.
            await #expect(throws: PostgresError.self, "\(table) lets a row move") {
                try await pool.transaction(.app(mine)) { connection in
                    try await connection.execute("UPDATE \(raw: table) SET tenant_id = \(theirs)")
                }
            }
        }
    }

    /// One row in each tenant table. A new table that this does not reach makes the test above fail.
    private func fill(_ connection: PostgresConnection, _ tenant: UUID, _ key: String) async throws {
        let portfolio = "portfolio-\(key)"
        _ = try await connection.pipeline([
            "INSERT INTO ballast.tenant (tenant_id, name) VALUES (\(tenant), \(key))",
            """
            INSERT INTO ballast.api_key (tenant_id, key_id, secret_sha256, scopes)
            VALUES (\(tenant), \(key), \([UInt8](repeating: 1, count: 32)), \(["read"]))
            """,
            "SELECT ballast.audit_append(\(tenant), 'test', 'test', 'test', '{}'::jsonb, NULL)",
            """
            INSERT INTO ballast.portfolio (tenant_id, portfolio_id, request, request_hash)
            VALUES (\(tenant), \(portfolio), '{}', \([UInt8](repeating: 2, count: 32)))
            """,
            "INSERT INTO ballast.portfolio_asset VALUES (\(tenant), \(portfolio), 'AAPL')",
            """
            INSERT INTO ballast.portfolio_result (tenant_id, portfolio_id, revision, request_hash, fingerprint, response, weights, metrics,
                                                  engine, trigger, solve_ms)
            VALUES (\(tenant), \(portfolio), 1, '', '', '{}', '{}', '{}', 'test', 'request', 1)
            """,
            "INSERT INTO ballast.holding (tenant_id, portfolio_id, asset_symbol, quantity) VALUES (\(tenant), \(portfolio), 'AAPL', 1)",
            "INSERT INTO ballast.tax_lot VALUES (\(tenant), \(portfolio), 'AAPL', 'lot', '2020-01-01', 1, 1)",
            "INSERT INTO ballast.recalculation_job (tenant_id, portfolio_id) VALUES (\(tenant), \(portfolio))",
        ])
        let (name, hash) = ("aaaaaa\(key)", [UInt8](repeating: 3, count: 32))
        _ = try await connection.pipeline([
            """
            INSERT INTO ballast.idempotency (tenant_id, key, route, request_sha256, owner, lease_until, expires_at)
            VALUES (\(tenant), \(key), 'POST /', \(hash), 'test', now(), now())
            """,
            "INSERT INTO ballast.job (tenant_id, job_id, kind, request, subject) VALUES (\(tenant), \(name), 'optimize', '{}', 'test')",
            "INSERT INTO ballast.job_event (tenant_id, job_id, seq, body) VALUES (\(tenant), \(name), 1, '{}')",
            "INSERT INTO ballast.webhook (tenant_id, webhook_id, url, secret, events) VALUES (\(tenant), \(name), '', '', \(["*"]))",
            "INSERT INTO ballast.webhook_delivery (tenant_id, webhook_id, event, body) VALUES (\(tenant), \(name), 'test', '{}')",
            """
            INSERT INTO ballast.problem_notice (tenant_id, code, class, title, detail, source, count, first_at, last_at)
            VALUES (\(tenant), 'SYS-001', 'system', '', '', '', 1, now(), now())
            """,
            """
            INSERT INTO ballast.rebalance_plan (tenant_id, plan_id, state, plan_hash, body, request, prices, price_tolerance, created_by,
                                                expires_at)
            VALUES (\(tenant), \(name), 'CONFIRMED', \(hash), '{}', '{}', '{}', 0, 'test', now())
            """,
            """
            INSERT INTO ballast.rebalance_event (tenant_id, plan_id, seq, actor, to_state, prev_hash, hash)
            VALUES (\(tenant), \(name), 1, 'test', 'CONFIRMED', \(hash), \(hash))
            """,
            "INSERT INTO ballast.rebalance_execution_event (tenant_id, plan_id, seq, event) VALUES (\(tenant), \(name), 1, '{}')",
            """
            INSERT INTO ballast.rebalance_execution (tenant_id, plan_id, portfolio_id, venue, settings, before, actor, request_id)
            VALUES (\(tenant), \(name), '', 'paper', '{}', '{}', 'test', '')
            """,
            """
            INSERT INTO ballast.realised_gain (tenant_id, portfolio_id, plan_id, fill_id, lot_id, asset_symbol, sold_on, acquired, quantity,
                                               proceeds, basis, term)
            VALUES (\(tenant), \(portfolio), \(name), 'fill', 'lot', 'AAPL', '2026-01-02', '2025-01-02', 1, 1, 2, 'short')
            """,
            """
            INSERT INTO ballast.wash_adjustment (tenant_id, portfolio_id, plan_id, fill_id, lot_id, replacement_lot, quantity, disallowed,
                                                 days_carried)
            VALUES (\(tenant), \(portfolio), \(name), 'fill', 'lot', 'other', 1, 1, 0)
            """,
            "INSERT INTO ballast.trading_cost (tenant_id, venue) VALUES (\(tenant), 'paper')",
            "INSERT INTO ballast.trading_halt (tenant_id, reason, actor) VALUES (\(tenant), 'test', 'test')",
        ])
    }
}
