import FoundationEssentials
import MarketData
import PostgresClient
import ServiceKit
import WireFormat

/// Rows that become visible together, with the checkpoint that says so.
struct Batch: Sendable {
    var bars: [MarketBar] = []
    var quarantined: [QuarantinedRow] = []
    var checkpoint: Checkpoint?
    var requests = 0
}

/// Where an item of a job stands.
struct Checkpoint: Sendable, Equatable {
    var item: String
    var position: String
}

/// What became of the rows of one or more batches.
struct BatchCounts: Sendable, Equatable {
    var fetched = 0
    var inserted = 0
    var updated = 0
    var unchanged = 0
    var quarantined = 0
    /// Returns computed anew because the bar before changed.
    var rechained = 0
    var revisions = 0
    /// Left alone because a source of a lower rank holds the bar.
    var refused = 0

    static func += (left: inout BatchCounts, right: BatchCounts) {
        left.fetched += right.fetched
        left.inserted += right.inserted
        left.updated += right.updated
        left.unchanged += right.unchanged
        left.quarantined += right.quarantined
        left.rechained += right.rechained
        left.revisions += right.revisions
        left.refused += right.refused
    }
}

/// Writes batches: one transaction each, so that a kill at any point leaves whole batches only.
struct BatchStore: Sendable {
    let pool: PostgresPool

    /// Services work as `ballast_app`; market data belongs to no tenant.
    static let options: TransactionOptions = {
        // The tenant that the first migration makes.
        let tenant = UUID(uuidString: "00000000-0000-0000-0000-000000000001") ?? UUID()
        return .app(tenant)
    }()

    /// Stores a batch of a run: bars, quarantine, counts and checkpoint, or nothing.
    func store(_ batch: Batch, job: String, source: String, run: Int64) async throws -> BatchCounts {
        let rows = try batch.bars.map { bar throws(PostgresError) in try StagedRow(bar) }
        let counts = try await pool.transaction(Self.options) { connection in
            var counts = BatchCounts()
            counts.fetched = batch.bars.count + batch.quarantined.count
            if !rows.isEmpty {
                try await connection.execute(BatchSQL.staging)
                var position: Int64 = 0
                try await connection.copyIn(BatchSQL.copy, rows: rows) { row, writer in
                    position += 1
                    writer.row(
                        position, row.symbol, row.interval, row.start, row.price, row.volume, row.statedReturn,
                        row.quality)
                }
                try await failpoint("etl.after_staging")
                try await connection.execute(BatchSQL.lock)
                let answer = try await connection.query(BatchSQL.merge(source: source, run: run))
                if let row = answer.first {
                    let (inserted, updated, rechained, revisions, refused, keys) = try row.decode(
                        (Int, Int, Int, Int, Int, Int).self)
                    (counts.inserted, counts.updated, counts.rechained) = (inserted, updated, rechained)
                    (counts.revisions, counts.refused) = (revisions, refused)
                    counts.unchanged = keys - inserted - updated - refused
                }
            }
            if !batch.quarantined.isEmpty {
                try await connection.execute(Self.quarantine(batch.quarantined, source: source, run: run))
                counts.quarantined = batch.quarantined.count
            }
            if let checkpoint = batch.checkpoint {
                try await connection.execute(Self.advance(checkpoint, job: job))
            }
            try await connection.execute(
                """
                UPDATE ballast.etl_run SET requests = requests + \(Int32(batch.requests)), fetched = fetched + \(counts.fetched),
                    inserted = inserted + \(counts.inserted), updated = updated + \(counts.updated),
                    unchanged = unchanged + \(counts.unchanged), quarantined = quarantined + \(counts.quarantined)
                WHERE run_id = \(run)
                """)
            try await failpoint("etl.before_commit")
            return counts
        }
        try await failpoint("etl.after_commit")
        return counts
    }

    /// Seen again is counted, not repeated; equal rows within one batch count too.
    private static func quarantine(_ rows: [QuarantinedRow], source: String, run: Int64) -> SQL {
        let symbols = rows.map { $0.symbol }
        let starts = rows.map { row in
            row.start.map { PostgresTimestamp(microsecondsSinceEpoch: $0.microsecondsSinceEpoch) }
        }
        let rules = rows.map { $0.rule.rawValue }
        let raws = rows.map { PostgresJSON($0.raw.storable.serialized()) }
        return """
            INSERT INTO ballast.quarantine AS q (source_id, asset_symbol, "timestamp", rule, raw, run_id, times, digest)
            SELECT \(source), min(r.symbol), min(r.start), r.rule, r.raw, \(run), count(*), r.digest
            FROM (
                SELECT u.*, sha256(convert_to(jsonb_build_array(\(source), u.rule, u.raw)::text, 'UTF8')) AS digest
                FROM unnest(\(symbols), \(starts), \(rules), \(raws)) AS u (symbol, start, rule, raw)
            ) r
            GROUP BY r.rule, r.raw, r.digest
            ORDER BY r.digest
            ON CONFLICT (digest) DO UPDATE SET times = q.times + excluded.times
            """
    }

    static func advance(_ checkpoint: Checkpoint, job: String) -> SQL {
        """
        INSERT INTO ballast.etl_checkpoint AS c (job, item, position)
        VALUES (\(job), \(checkpoint.item), \(checkpoint.position))
        ON CONFLICT (job, item) DO UPDATE SET position = excluded.position, updated_at = now()
        WHERE c.position IS DISTINCT FROM excluded.position
        """
    }
}

/// A bar in the column types of the staging table.
private struct StagedRow: Sendable {
    var symbol: String
    var interval: String
    var start: PostgresTimestamp
    var price: PostgresNumeric
    var volume: PostgresNumeric?
    var statedReturn: PostgresNumeric?
    var quality: Int32

    init(_ bar: MarketBar) throws(PostgresError) {
        func numeric(_ number: DecimalNumber) throws(PostgresError) -> PostgresNumeric {
            guard let value = PostgresNumeric(number.description) else { throw PostgresError(.usage, "not a numeric") }
            return value
        }
        symbol = bar.symbol
        interval = bar.interval.code
        start = PostgresTimestamp(microsecondsSinceEpoch: bar.start.microsecondsSinceEpoch)
        price = try numeric(bar.price)
        if let number = bar.volume { volume = try numeric(number) }
        if let number = bar.statedReturn { statedReturn = try numeric(number) }
        quality = bar.quality.rawValue
    }
}

extension JSONValue {
    /// What jsonb takes: no NUL characters, no text without end.
    fileprivate var storable: JSONValue {
        switch self {
        case .string(let text):
            let cut = text.utf8.count > 1_000 ? String(text.prefix(1_000)) : text
            return .string(String(cut.unicodeScalars.map { $0 == "\0" ? "\u{fffd}" : Character($0) }))
        case .array(let elements): return .array(elements.prefix(1_000).map { $0.storable })
        case .object(let object): return .object(JSONObject(object.members.map { ($0.key, $0.value.storable) }))
        default: return self
        }
    }
}
