import Foundation
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// An execution as its row holds it.
final class ExecutionRecord: Sendable {
    let planID: String
    let portfolioID: String
    let venue: String
    let settings: JSONValue
    let before: Holdings
    let actor: String
    let requestID: String
    let hasEnded: Bool

    init(_ row: PostgresRow) throws {
        planID = try row.decode(String.self, at: 0)
        portfolioID = try row.decode(String.self, at: 1)
        venue = try row.decode(String.self, at: 2)
        let unreadable = Problem(.internalError, "The stored execution cannot be read.")
        guard let settings = try? StrictJSON.parse(try row.decode(String.self, at: 3), limits: .stored),
            let before = try? StrictJSON.parse(try row.decode(String.self, at: 4), limits: .stored)
        else { throw unreadable }
        self.settings = settings
        self.before = try Holdings(json: before)
        actor = try row.decode(String.self, at: 5)
        requestID = try row.decode(String.self, at: 6)
        hasEnded = try row.decode(Bool.self, at: 7)
    }
}

/// Why an executor has to let go of an execution: another has it, or has written in the meantime.
struct ExecutionLost: Error {}

/// Executions of the running tenant, their log and the kill switch.
enum ExecutionStore {
    /// Seconds for which an execution belongs to whoever works on it.
    static let leaseSeconds = 15.0

    /// Opens an execution. The caller holds the plan's and the portfolio's locks.
    static func open(
        _ plan: StoredPlan, venue: String, settings: JSONValue, before: Holdings, owner: String?, actor: String,
        requestID: String, on connection: PostgresConnection
    ) async throws {
        guard let portfolio = plan.portfolioID else { return }
        let busy = try await connection.query(
            """
            SELECT plan_id FROM ballast.rebalance_execution
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(portfolio) AND ended_at IS NULL
            """)
        if let row = busy.first {
            let other = try row.decode(String.self, at: 0)
            throw Problem(.wrongState, "The plan \(other) of the same portfolio is executing.")
        }
        let (text, held) = (settings.serialized(), before.json.serialized())
        _ = try await connection.execute(
            """
            INSERT INTO ballast.rebalance_execution (tenant_id, plan_id, portfolio_id, venue, settings, before, actor, request_id, owner,
                lease_until)
            VALUES (ballast.current_tenant(), \(plan.id), \(portfolio), \(venue), \(text)::json, \(held)::json, \(actor), \(requestID),
                \(owner as String?), clock_timestamp() + make_interval(secs => \(owner == nil ? 0 : leaseSeconds)))
            """)
    }

    static func find(_ id: String, on connection: PostgresConnection) async throws -> ExecutionRecord? {
        let rows = try await connection.query(
            """
            SELECT plan_id, portfolio_id, venue, settings::text, before::text, actor, request_id, ended_at IS NOT NULL
            FROM ballast.rebalance_execution WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id)
            """)
        return try rows.first.map { try ExecutionRecord($0) }
    }

    /// Takes or keeps the lease; false where another has it or the execution has ended.
    static func hold(_ id: String, owner: String, on connection: PostgresConnection) async throws -> Bool {
        try await connection.execute(
            """
            UPDATE ballast.rebalance_execution
            SET owner = \(owner), lease_until = clock_timestamp() + make_interval(secs => \(leaseSeconds))
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) AND ended_at IS NULL
                AND (owner = \(owner) OR lease_until <= clock_timestamp())
            """) == 1
    }

    /// Whether a plan of the portfolio is executing.
    static func isOpen(for portfolio: String, on connection: PostgresConnection) async throws -> Bool {
        try await !connection.query(
            """
            SELECT 1 FROM ballast.rebalance_execution
            WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(portfolio) AND ended_at IS NULL
            """
        ).isEmpty
    }

    /// Gives the lease back, so that any process may go on at once.
    static func release(_ id: String, owner: String, on connection: PostgresConnection) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.rebalance_execution SET owner = NULL, lease_until = clock_timestamp()
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) AND owner = \(owner)
            """)
    }

    /// Whether an execution may go on.
    struct Wishes: Sendable {
        /// Why it should end: somebody's wish, or the kill switch; nil where it need not.
        var stop: String?
        /// Whether nothing new may be sent for now.
        var isPaused: Bool
    }

    static func wishes(_ id: String, on connection: PostgresConnection) async throws -> Wishes {
        let rows = try await connection.query(
            """
            SELECT coalesce((SELECT 'kill switch: ' || reason FROM ballast.trading_halt WHERE tenant_id = ballast.current_tenant()),
                stop_reason), paused_reason IS NOT NULL
            FROM ballast.rebalance_execution WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id)
            """)
        guard let row = rows.first else { return Wishes(stop: nil, isPaused: false) }
        return Wishes(stop: try row.decode(String?.self, at: 0), isPaused: try row.decode(Bool.self, at: 1))
    }

    /// Pauses an execution, or resumes it where the reason is nil. The caller holds the plan's lock.
    static func setPaused(_ reason: String?, of id: String, on connection: PostgresConnection) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.rebalance_execution SET paused_reason = \(reason as String?), is_resting = false
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) AND ended_at IS NULL
            """)
    }

    /// Gives the lease of a paused execution back of which nothing is open; false where it has been resumed in the meantime.
    static func rest(_ id: String, owner: String, on connection: PostgresConnection) async throws -> Bool {
        try await connection.execute(
            """
            UPDATE ballast.rebalance_execution SET owner = NULL, lease_until = clock_timestamp(), is_resting = true
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) AND owner = \(owner) AND paused_reason IS NOT NULL
                AND stop_reason IS NULL
            """) == 1
    }

    /// Asks an execution to end; false where none is open.
    static func stop(_ id: String, reason: String, on connection: PostgresConnection) async throws -> Bool {
        try await connection.execute(
            """
            UPDATE ballast.rebalance_execution SET stop_reason = coalesce(stop_reason, \(reason)), is_resting = false
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) AND ended_at IS NULL
            """) == 1
    }

    static func end(_ id: String, on connection: PostgresConnection) async throws {
        _ = try await connection.execute(
            """
            UPDATE ballast.rebalance_execution SET ended_at = clock_timestamp(), owner = NULL
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id)
            """)
    }

    // MARK: The log

    /// The log of an execution as it was read.
    struct Log: Sendable {
        var events: [ExecutionEvent] = []
        /// What was kept for orders before they were sent, by client id.
        var prepared: [String: JSONValue] = [:]
        /// The day of each fill.
        var days: [String: CalendarDate] = [:]
        var length = 0
    }

    /// The log of an execution.
    static func log(of id: String, on connection: PostgresConnection) async throws -> Log {
        let rows = try await connection.query(
            """
            SELECT event::text, (at AT TIME ZONE 'UTC')::date FROM ballast.rebalance_execution_event
            WHERE tenant_id = ballast.current_tenant() AND plan_id = \(id) ORDER BY seq
            """)
        var log = Log()
        log.length = rows.count
        for row in rows {
            let json = try StrictJSON.parse(try row.decode(String.self, at: 0), limits: .stored)
            if json["event"] == "prepared", let client = json["id"]?.stringValue {
                log.prepared[client] = json["detail"]
            } else if let event = ExecutionEvent(json: json) {
                log.events.append(event)
                guard case .fill(_, let fill, _, _) = event, log.days[fill] == nil else { continue }
                // Entries of older versions do not say the day.
                let written = CalendarDate(
                    daysSinceEpoch: try row.decode(PostgresDate.self, at: 1).daysSinceEpoch)
                log.days[fill] = json["on"]?.stringValue.flatMap { CalendarDate(iso: $0) } ?? written
            } else {
                throw Problem(.internalError, "The log of the execution has an entry that this version cannot read.")
            }
        }
        return log
    }

    /// Writes the next entry. The number is the fence: of two writers at the same place one fails.
    static func append(_ entry: JSONValue, at seq: Int, of id: String, on connection: PostgresConnection) async throws {
        let text = entry.serialized()
        let written = try await connection.execute(
            """
            INSERT INTO ballast.rebalance_execution_event (tenant_id, plan_id, seq, event)
            VALUES (ballast.current_tenant(), \(id), \(Int32(seq)), \(text)::text::jsonb) ON CONFLICT (tenant_id, plan_id, seq) DO NOTHING
            """)
        guard written == 1 else { throw ExecutionLost() }
    }

    /// Value of the tenant's fills of this day.
    static func spentToday(on connection: PostgresConnection) async throws -> FixedDecimal {
        let rows = try await connection.query(
            """
            SELECT coalesce(sum((event ->> 'quantity')::numeric * (event ->> 'price')::numeric), 0)::text
            FROM ballast.rebalance_execution_event
            WHERE tenant_id = ballast.current_tenant() AND event ->> 'event' = 'fill' AND at >= date_trunc('day', clock_timestamp())
            """)
        return try rows.first.flatMap { FixedDecimal(try $0.decode(String.self, at: 0)) } ?? 0
    }

    /// Executions of all tenants that nobody works on.
    static func abandoned(_ pool: PostgresPool) async throws -> [(tenant: UUID, plan: String)] {
        try await pool.transaction(.feed) { connection in
            try await connection.query(
                """
                SELECT tenant_id, plan_id FROM ballast.rebalance_execution
                WHERE ended_at IS NULL AND NOT is_resting AND lease_until <= clock_timestamp() ORDER BY lease_until LIMIT 8
                """
            ).map { try $0.decode((UUID, String).self) }
        }
    }

    // MARK: Kill switch

    /// Why the tenant trades nothing; nil where it may.
    static func halt(on connection: PostgresConnection) async throws -> JSONValue {
        let rows = try await connection.query(
            "SELECT reason, actor, at FROM ballast.trading_halt WHERE tenant_id = ballast.current_tenant()")
        guard let row = rows.first else { return ["on": false] }
        let at = try row.decode(PostgresTimestamp.self, at: 2).microsecondsSinceEpoch
        return [
            "on": true, "reason": .string(try row.decode(String.self, at: 0)),
            "actor": .string(try row.decode(String.self, at: 1)),
            "at": .string(UTCTimestamp(microsecondsSinceEpoch: at).isoString),
        ]
    }

    static func setHalt(_ isOn: Bool, reason: String, actor: String, on connection: PostgresConnection) async throws {
        if isOn {
            _ = try await connection.execute(
                """
                INSERT INTO ballast.trading_halt (tenant_id, reason, actor) VALUES (ballast.current_tenant(), \(reason), \(actor))
                ON CONFLICT (tenant_id) DO UPDATE SET reason = excluded.reason, actor = excluded.actor, at = clock_timestamp()
                """)
        } else {
            _ = try await connection.execute(
                "DELETE FROM ballast.trading_halt WHERE tenant_id = ballast.current_tenant()")
        }
    }
}
