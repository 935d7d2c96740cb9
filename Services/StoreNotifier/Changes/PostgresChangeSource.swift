import PostgresClient
import Realtime
import Synchronization
import WireFormat

/// The change log of `sql/0004` and `sql/0005`, read as `ballast_feed`.
final class PostgresChangeSource: ChangeSource {
    private let pool: PostgresPool
    private let columnsByTable = Mutex<[UInt32: (columns: [ChangeColumn], until: ContinuousClock.Instant)]>([:])
    private static let columnLifetime = Duration.seconds(30)

    init(_ pool: PostgresPool) { self.pool = pool }

    func latest() async throws -> Position {
        try await pool.transaction(.reading) { connection in
            let rows = try await connection.query("SELECT max(tick) FROM rt.tick")
            return Position.end(of: try rows.first?.decode(Int64?.self, at: 0) ?? 0)
        }
    }

    func changes(after position: Position, limit: Int) async throws -> ChangeBatch {
        let (rows, reached) = try await pool.transaction(.reading) { connection in
            let ticks = try await connection.query(
                "SELECT tick, n FROM rt.tick WHERE tick >= \(position.tick) ORDER BY tick LIMIT 257"
            ).map { try $0.decode((Int64, Int64).self) }
            let wanted = try Self.select(ticks, after: position, limit: limit)
            guard let last = wanted.last else { return ([PostgresRow](), position) }
            do {
                let rows = try await connection.query(
                    """
                    SELECT t.tick, e.pos, e.commit_timestamp, e.tenant_id::text, e.rel::int8, e.schema_name, e.table_name,
                        e.op::text, e.record::text, e.old_record::text
                    FROM unnest(\(wanted)) AS t (tick), LATERAL rt.events_of(t.tick) AS e
                    WHERE (t.tick, e.pos) > (\(position.tick), \(position.pos))
                    ORDER BY t.tick, e.pos LIMIT \(Int64(limit))
                    """)
                guard rows.count == limit, let row = rows.last else { return (rows, Position.end(of: last)) }
                return (rows, Position(tick: try row.decode(Int64.self, at: 0), pos: try row.decode(Int64.self, at: 1)))
            } catch let error as PostgresError where error.sqlState?.rawValue == "RT001" {
                throw CursorExpired()
            }
        }
        var changes: [LoggedChange] = []
        changes.reserveCapacity(rows.count)
        for row in rows {
            if let change = try await logged(row) { changes.append(change) }
        }
        return ChangeBatch(changes: changes, reached: reached)
    }

    /// Whole ticks that together have about `limit` events after the position.
    private static func select(_ ticks: [(Int64, Int64)], after position: Position, limit: Int) throws -> [Int64] {
        guard let (first, count) = ticks.first, first == position.tick else { throw CursorExpired() }
        var (wanted, total) = ([Int64](), Int64(0))
        if position.pos < count - 1 {
            wanted.append(first)
            total = count - 1 - max(position.pos, -1)
        }
        var previous = first
        for (tick, count) in ticks.dropFirst() where total < Int64(limit) {
            guard tick == previous + 1 else {
                // A gap: the log was begun again. What lies before it can still be read.
                if wanted.isEmpty { throw CursorExpired() }
                break
            }
            wanted.append(tick)
            total += count
            previous = tick
        }
        return wanted
    }

    private func logged(_ row: PostgresRow) async throws -> LoggedChange? {
        let (tick, pos, at, tenant, relation, schema, table, op, record, old) = try row.decode(
            (Int64, Int64, PostgresTimestamp, String?, Int64, String?, String?, String, String?, String?).self)
        // A table that has been dropped since has no subscriber.
        guard let schema, let table else { return nil }
        let kind: ChangeKind =
            switch op {
            case "I": .insert
            case "U": .update
            default: .delete
            }
        return LoggedChange(
            position: Position(tick: tick, pos: pos),
            change: ChangeRecord(
                schema: schema, table: table, kind: kind,
                commitTimestamp: UTCTimestamp(microsecondsSinceEpoch: at.microsecondsSinceEpoch), tenant: tenant,
                columns: try await columns(of: UInt32(truncatingIfNeeded: relation)), record: record, oldRecord: old))
    }

    func position(of commitTimestamp: UTCTimestamp) async throws -> Position? {
        try await pool.transaction(.reading) { connection in
            let instant = PostgresTimestamp(microsecondsSinceEpoch: commitTimestamp.microsecondsSinceEpoch)
            let rows = try await connection.query("SELECT tick, pos FROM rt.position_of(\(instant))")
            guard let (tick, pos) = try rows.first?.decode((Int64, Int64).self) else { return nil }
            return Position(tick: tick, pos: pos)
        }
    }

    // MARK: Columns

    func columns(schema: String, table: String) async throws -> [ChangeColumn]? {
        let relation = try await pool.transaction(.reading) { connection in
            try await connection.query(
                """
                SELECT c.oid::int8 FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                WHERE s.nspname = \(schema) AND c.relname = \(table)
                    AND EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                        JOIN pg_namespace ps ON ps.oid = p.pronamespace
                        WHERE t.tgrelid = c.oid AND ps.nspname = 'rt' AND p.proname LIKE 'log\\_%')
                """
            ).first?.decode(Int64.self, at: 0)
        }
        guard let relation else { return nil }
        return try await columns(of: UInt32(truncatingIfNeeded: relation))
    }

    /// Remembered for 30 s: a column that is added meanwhile is in the rows at once and here a little later.
    private func columns(of relation: UInt32) async throws -> [ChangeColumn] {
        let now = ContinuousClock.now
        if let known = columnsByTable.withLock({ $0[relation] }), known.until > now { return known.columns }
        let columns = try await pool.transaction(.reading) { connection in
            try await connection.query(
                """
                SELECT a.attname::text, t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                WHERE a.attrelid = \(Int64(relation))::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
                """
            ).map { row -> ChangeColumn in
                let (name, type) = try row.decode((String, String).self)
                return ChangeColumn(name: name, type: type)
            }
        }
        columnsByTable.withLock { $0[relation] = (columns, now + Self.columnLifetime) }
        return columns
    }
}

extension TransactionOptions {
    /// As the feed, reading.
    static let reading = TransactionOptions(
        role: .feed, readOnly: true, statementTimeout: .seconds(60), maximumAttempts: 2)
}
