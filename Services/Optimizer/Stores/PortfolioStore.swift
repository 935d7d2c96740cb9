import Foundation
import PostgresClient
import WireFormat

/// Settings of automatic recalculation.
struct RecalculationSettings: Sendable, Equatable {
    var isEnabled = true
    /// Quiet time after the last change.
    var quietMilliseconds = 250
    /// Longest wait after the first.
    var maxWaitMilliseconds = 2000

    var json: JSONValue {
        [
            "enabled": .bool(isEnabled), "quiet_ms": JSONValue(quietMilliseconds),
            "max_wait_ms": JSONValue(maxWaitMilliseconds),
        ]
    }
}

/// A portfolio as its row holds it.
struct StoredPortfolio: Sendable {
    var id: String
    var name: String
    /// The request's JSON text, as decoded.
    var request: String
    var requestHash: [UInt8]
    var version: Int64
    var recalculation: RecalculationSettings
    var createdAt: UTCTimestamp
    var updatedAt: UTCTimestamp
}

/// A result as its row holds it.
struct StoredResult: Sendable {
    var revision: Int64
    var requestHash: [UInt8]
    var fingerprint: [UInt8]
    /// The answer's JSON text.
    var response: String
}

/// Portfolios and their results. Every call runs in a transaction of its tenant: row-level security shows no other rows.
enum PortfolioStore {
    private static let columns: SQL = """
        portfolio_id, name, request::text, request_hash, version, recalculation_enabled, quiet_ms, max_wait_ms, created_at, updated_at
        """

    private static func portfolio(_ row: PostgresRow) throws -> StoredPortfolio {
        StoredPortfolio(
            id: try row.decode(String.self, at: 0), name: try row.decode(String.self, at: 1),
            request: try row.decode(String.self, at: 2), requestHash: try row.decode([UInt8].self, at: 3),
            version: try row.decode(Int64.self, at: 4),
            recalculation: RecalculationSettings(
                isEnabled: try row.decode(Bool.self, at: 5), quietMilliseconds: Int(try row.decode(Int32.self, at: 6)),
                maxWaitMilliseconds: Int(try row.decode(Int32.self, at: 7))),
            createdAt: try timestamp(row, 8), updatedAt: try timestamp(row, 9))
    }

    private static func timestamp(_ row: PostgresRow, _ at: Int) throws -> UTCTimestamp {
        UTCTimestamp(microsecondsSinceEpoch: try row.decode(PostgresTimestamp.self, at: at).microsecondsSinceEpoch)
    }

    /// A portfolio by its id; nil where the tenant has none.
    static func find(_ id: String, on connection: PostgresConnection) async throws -> StoredPortfolio? {
        let rows = try await connection.query(
            "SELECT " + columns
                + " FROM ballast.portfolio WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)")
        return try rows.first.map { try portfolio($0) }
    }

    /// A page of portfolios, newest first, after the one created at `after`.
    static func list(
        limit: Int, after: (createdAt: UTCTimestamp, id: String)?, on connection: PostgresConnection
    ) async throws -> [StoredPortfolio] {
        let cut = PostgresTimestamp(microsecondsSinceEpoch: after?.createdAt.microsecondsSinceEpoch ?? Int64.max)
        let id = after?.id ?? ""
        let rows = try await connection.query(
            "SELECT " + columns + """
                 FROM ballast.portfolio WHERE tenant_id = ballast.current_tenant() AND (created_at, portfolio_id) < (\(cut), \(id))
                ORDER BY created_at DESC, portfolio_id DESC LIMIT \(limit)
                """)
        return try rows.map { try portfolio($0) }
    }

    /// The portfolio that the same request made before, locked against other writers; nil where there is none.
    static func find(
        requestHash: [UInt8], name: String, on connection: PostgresConnection
    ) async throws -> StoredPortfolio? {
        _ = try await connection.query(
            """
            SELECT pg_advisory_xact_lock(hashtextextended(ballast.current_tenant()::text || encode(\(requestHash), 'hex') || \(name), 0))
            """)
        let rows = try await connection.query(
            "SELECT " + columns + """
                 FROM ballast.portfolio
                WHERE tenant_id = ballast.current_tenant() AND request_hash = \(requestHash) AND name = \(name)
                ORDER BY created_at LIMIT 1 FOR NO KEY UPDATE
                """)
        return try rows.first.map { try portfolio($0) }
    }

    /// A portfolio by its id, locked against other writers.
    static func lock(_ id: String, on connection: PostgresConnection) async throws -> StoredPortfolio? {
        let rows = try await connection.query(
            "SELECT " + columns + """
                 FROM ballast.portfolio WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id) FOR NO KEY UPDATE
                """)
        return try rows.first.map { try portfolio($0) }
    }

    /// A new portfolio.
    static func insert(
        id: String, name: String, request: String, requestHash: [UInt8], recalculation: RecalculationSettings,
        on connection: PostgresConnection
    ) async throws {
        _ = try await connection.execute(
            """
            INSERT INTO ballast.portfolio (tenant_id, portfolio_id, name, request, request_hash, recalculation_enabled, quiet_ms, max_wait_ms)
            VALUES (ballast.current_tenant(), \(id), \(name), \(request)::json, \(requestHash), \(recalculation.isEnabled),
                \(Int32(clamping: recalculation.quietMilliseconds)), \(Int32(clamping: recalculation.maxWaitMilliseconds)))
            """)
    }

    /// Another request, name or setting for a portfolio; its version grows.
    static func update(
        id: String, name: String, request: String, requestHash: [UInt8], recalculation: RecalculationSettings,
        on connection: PostgresConnection
    ) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.portfolio SET name = \(name), request = \(request)::json, request_hash = \(requestHash),
                recalculation_enabled = \(recalculation.isEnabled), quiet_ms = \(Int32(clamping: recalculation.quietMilliseconds)),
                max_wait_ms = \(Int32(clamping: recalculation.maxWaitMilliseconds)), version = version + 1, updated_at = now()
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)
            """)
    }

    /// Something that plans build on has changed: those of the version before are stale.
    static func raiseVersion(of id: String, on connection: PostgresConnection) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.portfolio SET version = version + 1, updated_at = now()
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)
            """)
    }

    /// Which symbols the portfolio depends on, and on which days.
    static func setAssets(
        _ symbols: [String], from start: CalendarDate?, to end: CalendarDate?, of id: String,
        on connection: PostgresConnection
    ) async throws {
        // One day more at the front: an asset that trades around the clock counts with the bar before the session.
        let first = start.map { PostgresDate(daysSinceEpoch: $0.daysSinceEpoch - 1) } ?? .negativeInfinity
        let last = end.map { PostgresDate(daysSinceEpoch: $0.daysSinceEpoch) } ?? .infinity
        _ = try await connection.execute(
            "DELETE FROM ballast.portfolio_asset WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)")
        _ = try await connection.execute(
            """
            INSERT INTO ballast.portfolio_asset (tenant_id, portfolio_id, asset_symbol, window_start, window_end)
            SELECT ballast.current_tenant(), \(id), s, \(first), \(last) FROM unnest(\(symbols)) s ON CONFLICT DO NOTHING
            """)
    }

    /// Removes a portfolio with everything that hangs on it; false where the tenant has none of this id.
    static func delete(_ id: String, on connection: PostgresConnection) async throws -> Bool {
        try await connection.execute(
            "DELETE FROM ballast.portfolio WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)") > 0
    }

    // MARK: Results

    private static func result(_ row: PostgresRow) throws -> StoredResult {
        StoredResult(
            revision: try row.decode(Int64.self, at: 0), requestHash: try row.decode([UInt8].self, at: 1),
            fingerprint: try row.decode([UInt8].self, at: 2), response: try row.decode(String.self, at: 3))
    }

    /// The result that stands; nil where nothing has been stored yet.
    static func currentResult(of id: String, on connection: PostgresConnection) async throws -> StoredResult? {
        let rows = try await connection.query(
            """
            SELECT r.revision, r.request_hash, r.fingerprint, r.response::text
            FROM ballast.portfolio_result r JOIN ballast.portfolio p USING (tenant_id, portfolio_id)
            WHERE r.tenant_id = ballast.current_tenant() AND r.portfolio_id = \(id)
                AND (p.current_revision IS NULL OR r.revision = p.current_revision)
            ORDER BY r.revision DESC LIMIT 1
            """)
        return try rows.first.map { try result($0) }
    }

    /// The input of the result that stands; nil where nothing has been stored yet.
    static func currentFingerprint(
        of id: String, on connection: PostgresConnection
    ) async throws -> (requestHash: [UInt8], fingerprint: [UInt8])? {
        let rows = try await connection.query(
            """
            SELECT r.request_hash, r.fingerprint
            FROM ballast.portfolio_result r JOIN ballast.portfolio p USING (tenant_id, portfolio_id)
            WHERE r.tenant_id = ballast.current_tenant() AND r.portfolio_id = \(id)
                AND (p.current_revision IS NULL OR r.revision = p.current_revision)
            ORDER BY r.revision DESC LIMIT 1
            """)
        return try rows.first.map { (try $0.decode([UInt8].self, at: 0), try $0.decode([UInt8].self, at: 1)) }
    }

    /// A page of results, newest first, of revisions below `before`.
    static func history(
        of id: String, limit: Int, before: Int64?, on connection: PostgresConnection
    ) async throws -> [StoredResult] {
        let cut = before ?? Int64.max
        let rows = try await connection.query(
            """
            SELECT revision, request_hash, fingerprint, response::text FROM ballast.portfolio_result
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id) AND revision < \(cut)
            ORDER BY revision DESC LIMIT \(limit)
            """)
        return try rows.map { try result($0) }
    }

    /// Stores a result, or finds the one that the same input made; it stands afterwards. The caller holds the portfolio's lock.
    static func store(
        _ record: ResultRecord, of id: String, on connection: PostgresConnection
    ) async throws -> (revision: Int64, isNew: Bool) {
        let rows = try await connection.query(
            """
            SELECT revision, stored FROM ballast.store_result(\(id), \(record.requestHash), \(record.fingerprint.bytes),
                \(record.response)::json, \(PostgresJSON(record.weights)), \(PostgresJSON(record.metrics)), \(record.tick),
                \(record.engine), 'request', \(record.solveMilliseconds))
            """)
        guard let row = rows.first else { return (0, false) }
        return (try row.decode(Int64.self, at: 0), try row.decode(Bool.self, at: 1))
    }

    /// How a portfolio's job stands; nil where it never had one.
    static func job(of id: String, on connection: PostgresConnection) async throws -> (state: String, problem: String?)?
    {
        let rows = try await connection.query(
            """
            SELECT CASE WHEN parked_at IS NOT NULL THEN 'parked' WHEN lease_until > clock_timestamp() THEN 'running'
                WHEN wanted > done THEN 'pending' ELSE 'idle' END, last_error
            FROM ballast.recalculation_job WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(id)
            """)
        return try rows.first.map { (try $0.decode(String.self, at: 0), try $0.decode(String?.self, at: 1)) }
    }

    /// Wants a recalculation in this transaction; see `settle`. Nil where recalculation is off.
    static func want(_ id: String, on connection: PostgresConnection) async throws -> Int64? {
        try await connection.query("SELECT ballast.recalculation_want(\(id))").first?.decode(Int64?.self, at: 0)
    }

    /// After the commit: takes the wish back unless a price changed since `snapshot` was taken.
    static func settle(_ id: String, wanted: Int64, snapshot: String, on connection: PostgresConnection) async throws {
        _ = try await connection.query(
            "SELECT ballast.recalculation_settle(\(id), \(wanted), \(snapshot)::text::pg_snapshot)")
    }

    /// One more entry of the tenant's audit chain.
    static func audit(
        actor: String, action: String, object: String, detail: JSONValue, requestID: String?,
        on connection: PostgresConnection
    ) async throws {
        _ = try await connection.query(
            """
            SELECT ballast.audit_append(ballast.current_tenant(), \(actor), \(action), \(object),
                \(PostgresJSON(detail.serialized())), \(requestID as String?))
            """)
    }
}

/// What is kept of an answer.
struct ResultRecord: Sendable {
    var requestHash: [UInt8]
    var fingerprint: PanelFingerprint
    /// The answer's JSON text without what belongs to the single call.
    var response: String
    var weights: String
    var metrics: String
    var tick: Int64
    var engine: String
    var solveMilliseconds: Double
}
