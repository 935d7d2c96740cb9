import PostgresClient
import TestSupport
import Testing

@testable import StoreNotifier

@Suite("Ticks of the change log", .timeLimit(.minutes(2)))
struct TickTests {
    @Test("overlapping writers lose nothing and keep the order of each row, with two sequencers at once")
    func overlappingWriters() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.adminPool(size: 20)
        try await pool.execute("CREATE TABLE probe (k int PRIMARY KEY, v bigint NOT NULL)")
        try await pool.execute("INSERT INTO probe SELECT n, 0 FROM generate_series(1, 20) n")
        _ = try await pool.query("SELECT rt.publish('public.probe')")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    for _ in 0..<40 {
                        struct RolledBack: Error {}
                        let (key, pause, last) = (
                            Int64.random(in: 1...20), Double.random(in: 0...0.004), Double.random(in: 0...0.004)
                        )
                        do {
                            try await pool.transaction { connection in
                                // The transaction id is taken long before the row is: ids are not in the order of commits.
                                _ = try await connection.query(
                                    "SELECT pg_current_xact_id()::text, pg_sleep(\(pause))::text")
                                _ = try await connection.execute("UPDATE probe SET v = v + 1 WHERE k = \(key)")
                                _ = try await connection.query("SELECT pg_sleep(\(last))::text")
                                if Int.random(in: 0..<10) == 0 { throw RolledBack() }
                            }
                        } catch is RolledBack {}
                    }
                }
            }
            for _ in 0..<2 {
                group.addTask {
                    for _ in 0..<100 { _ = try await pool.query("SELECT rt.make_tick(), pg_sleep(0.002)::text") }
                }
            }
            try await group.waitForAll()
        }
        while try await pool.query("SELECT rt.make_tick()").first?.decode(Int64?.self, at: 0) != nil {}
        let row = try #require(
            try await pool.query(
                """
                WITH e AS (SELECT t.tick, x.* FROM rt.tick t, LATERAL rt.events_of(t.tick) x WHERE t.tick > 0)
                SELECT (SELECT count(*) FROM rt.event), (SELECT sum(v)::int8 FROM probe), count(*), count(DISTINCT event_id),
                    max(tick),
                    (SELECT count(*) FROM (SELECT (record ->> 'v')::bigint AS v,
                        lag((record ->> 'v')::bigint) OVER (PARTITION BY record ->> 'k' ORDER BY tick, pos) AS p FROM e) q
                     WHERE v <> coalesce(p, 0) + 1),
                    (SELECT count(*) FROM (SELECT commit_timestamp AS c, lag(commit_timestamp) OVER (ORDER BY tick, pos) AS p
                        FROM e) q WHERE p >= c)
                FROM e
                """
            ).first)
        let (logged, updates, seen, distinct, ticks, disorder, repeats) = try row.decode(
            (Int64, Int64, Int64, Int64, Int64, Int64, Int64).self)
        #expect(logged == updates && seen == logged && distinct == logged)
        #expect(disorder == 0)
        #expect(repeats == 0)
        #expect(ticks > 5)
    }

    @Test func `a log restored into a younger cluster begins again, and says so by a gap`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.adminPool()
        let source = PostgresChangeSource(pool)
        let before = try await source.latest()
        try await pool.insertPrice("A", hour: 0)
        _ = try await pool.query("SELECT rt.make_tick()")
        try await pool.execute(
            "UPDATE rt.tick SET snap = '99999999999:99999999999:' WHERE tick = (SELECT max(tick) FROM rt.tick)")
        _ = try await pool.query("SELECT rt.make_tick()")
        await #expect(throws: CursorExpired.self) { try await source.changes(after: before, limit: 10) }
        let after = try await source.latest()
        try await pool.insertPrice("A", hour: 1)
        _ = try await pool.query("SELECT rt.make_tick()")
        #expect(try await source.changes(after: after, limit: 10).changes.count == 1)
    }

    @Test func `batches of any size give the same changes in the same order`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.adminPool()
        let source = PostgresChangeSource(pool)
        let start = try await source.latest()
        for burst in [1, 7, 1, 30, 2] {
            try await pool.execute(
                """
                INSERT INTO market_data (asset_symbol, "timestamp", price)
                SELECT 'B' || \(Int64(burst)), clock_timestamp() + n * interval '1 second', 1 FROM generate_series(1, \(Int64(burst))) n
                """)
            _ = try await pool.query("SELECT rt.make_tick()")
        }
        var all: [[Position]] = []
        for limit in [1, 3, 10, 1000] {
            var (position, positions) = (start, [Position]())
            while true {
                let batch = try await source.changes(after: position, limit: limit)
                if batch.reached == position { break }
                positions += batch.changes.map(\.position)
                position = batch.reached
            }
            all.append(positions)
        }
        #expect(all[0].count == 41 && all[0] == all[0].sorted())
        #expect(all.allSatisfy { $0 == all[0] })
    }
}
