import PostgresClient
import Synchronization

/// Which data a transaction sees.
struct DataRevision: Sendable, Equatable {
    /// The newest tick of the change log.
    var tick: Int64
    var snapshot: Snapshot
    /// Changes when the server restarts or the table is rewritten or truncated: then nothing that was read before counts.
    var world: String
}

/// A `pg_snapshot`: which transactions can be seen.
struct Snapshot: Sendable, Equatable {
    let text: String
    let xmin: UInt64
    let xmax: UInt64
    /// In progress, below `xmax`.
    let running: Set<UInt64>

    /// Reads `xmin:xmax:xip,...`; nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let xmin = UInt64(parts[0]), let xmax = UInt64(parts[1]) else { return nil }
        self.text = text
        self.xmin = xmin
        self.xmax = xmax
        running = Set(parts[2].split(separator: ",").compactMap { UInt64($0) })
    }

    /// Whether everything that is visible here is visible in `other` too.
    func isVisible(within other: Snapshot) -> Bool {
        xmax <= other.xmax && other.running.allSatisfy { $0 >= xmax || running.contains($0) }
    }
}

/// Daily prices of symbols, kept between calls and always those of the caller's snapshot.
///
/// What was read in one snapshot holds in a later one unless the change log, which every writer fills in its own transaction, has
/// a change of the symbol between the two. So a call asks the log for changed symbols and reads only those again: after one
/// changed price one series instead of all. An entry from a later snapshot than the caller's is never used.
final class PriceCache: Sendable {
    /// The whole history of a symbol, one price a day.
    struct History: Sendable {
        var days: [Int] = []
        var prices: [Double] = []
    }

    private struct Entry {
        var history: History
        var revision: DataRevision
        var read: ContinuousClock.Instant
    }

    private let entries = Mutex<[String: Entry]>([:])
    private let priceLimit: Int

    /// Far shorter than the change log is kept (72 hours).
    static let lifetime = Duration.seconds(3600)
    /// More changes than this in the log, and everything is read again.
    static let mostChanges = 20_000

    /// - Parameter priceLimit: most prices that are kept; over it the cache starts afresh.
    init(priceLimit: Int = 20_000_000) { self.priceLimit = priceLimit }

    /// The histories of some symbols as the running transaction sees them.
    func histories(
        of symbols: [String], at revision: DataRevision, on connection: PostgresConnection
    ) async throws -> [String: History] {
        let now = ContinuousClock.now
        var usable = entries.withLock { entries in
            Dictionary(
                uniqueKeysWithValues: Set(symbols).compactMap { symbol -> (String, Entry)? in
                    guard let entry = entries[symbol], entry.revision.world == revision.world,
                        now - entry.read < Self.lifetime,
                        entry.revision.snapshot.isVisible(within: revision.snapshot)
                    else { return nil }
                    return (symbol, entry)
                })
        }
        if let oldest = usable.values.min(by: { $0.revision.snapshot.xmax < $1.revision.snapshot.xmax })?.revision
            .snapshot
        {
            usable = usable.filter { oldest.isVisible(within: $0.value.revision.snapshot) }
            if oldest != revision.snapshot {
                let changed = try await Self.changes(since: oldest, on: connection)
                usable = changed.map { changed in usable.filter { !changed.contains($0.key) } } ?? [:]
            }
        }
        var histories = usable.mapValues { $0.history }
        let missing = Set(symbols).filter { histories[$0] == nil }.sorted()
        if !missing.isEmpty {
            let read = try await PriceStore.histories(of: missing, on: connection)
            for symbol in missing { histories[symbol] = read[symbol] ?? History() }
        }
        keep(histories, revision, readNow: Set(missing), now)
        return histories
    }

    /// Symbols of daily bars that changed after the snapshot; nil where there are too many changes to tell.
    private static func changes(
        since snapshot: Snapshot, on connection: PostgresConnection
    ) async throws -> Set<String>? {
        let rows = try await connection.query(
            """
            WITH change AS MATERIALIZED (
                SELECT record ->> 'asset_symbol' AS new_symbol, old_record ->> 'asset_symbol' AS old_symbol FROM rt.event
                WHERE xid >= \(String(snapshot.xmin))::text::xid8
                    AND NOT pg_visible_in_snapshot(xid, \(snapshot.text)::text::pg_snapshot)
                    AND rel = 'public.market_data'::regclass
                LIMIT \(mostChanges + 1)
            )
            SELECT (SELECT count(*) FROM change),
                ARRAY(SELECT new_symbol FROM change WHERE new_symbol IS NOT NULL UNION SELECT old_symbol FROM change WHERE old_symbol IS NOT NULL)
            """)
        guard let row = rows.first, try row.decode(Int64.self, at: 0) <= mostChanges else { return nil }
        return Set(try row.decode([String].self, at: 1))
    }

    private func keep(
        _ histories: [String: History], _ revision: DataRevision, readNow: Set<String>, _ now: ContinuousClock.Instant
    ) {
        entries.withLock { entries in
            for (symbol, history) in histories {
                if let present = entries[symbol], present.revision.world == revision.world,
                    !present.revision.snapshot.isVisible(within: revision.snapshot), now - present.read < Self.lifetime
                {
                    continue  // another call has read later data already
                }
                let read = readNow.contains(symbol) ? now : entries[symbol]?.read ?? now
                entries[symbol] = Entry(history: history, revision: revision, read: read)
            }
            if entries.values.reduce(0, { $0 + $1.history.days.count }) > priceLimit { entries = [:] }
        }
    }
}
