import MarketData
import PostgresClient
import TestSupport
import Testing
import WireFormat

@testable import ETL

@Suite struct `A batch` {
    @Test func `stores bars with returns on the bar before`() async throws {
        let collecting = try await Collecting()
        let counts = try await collecting.store([
            bar("A", "2023-01-03", "10"), bar("A", "2023-01-04", "11", volume: "5"), bar("B", "2023-01-03", "7"),
            bar("A", "2023-01-06", "22"),
        ])
        #expect(counts.inserted == 4)
        #expect(
            try await collecting.table() == [
                "A 2023-01-03 10 - - csv", "A 2023-01-04 11 5 0.100000 csv", "A 2023-01-06 22 - 1.000000 csv",
                "B 2023-01-03 7 - - csv",
            ])
    }

    @Test func `a second time writes nothing at all`() async throws {
        let collecting = try await Collecting()
        let bars = try [
            bar("A", "2023-01-03", "10"), bar("A", "2023-01-04", "11.50", volume: "5"), bar("B", "2023-01-03", "7"),
        ]
        try await collecting.store(bars)
        let versions: SQL = "SELECT xmin::text || ctid::text || xmax::text FROM public.market_data ORDER BY 1"
        let before = try await collecting.pool.query(versions).map { try $0.decode(String.self, at: 0) }
        let events = try await collecting.number("SELECT count(*) FROM rt.event")
        var again = bars
        again[1] = try bar("A", "2023-01-04", "11.5", volume: "5.0")
        let counts = try await collecting.store(again)
        #expect(counts.inserted + counts.updated + counts.rechained + counts.revisions == 0)
        #expect(counts.unchanged == 3)
        // Same versions in the same places, and not even a lock was taken on a row.
        #expect(try await collecting.pool.query(versions).map { try $0.decode(String.self, at: 0) } == before)
        #expect(try await collecting.number("SELECT count(*) FROM rt.event") == events)
    }

    @Test func `of equal keys the last wins`() async throws {
        let collecting = try await Collecting()
        let counts = try await collecting.store([
            bar("A", "2023-01-03", "10"), bar("A", "2023-01-03", "11"), bar("A", "2023-01-03", "12"),
        ])
        #expect(counts.inserted == 1)
        #expect(try await collecting.table() == ["A 2023-01-03 12 - - csv"])
    }

    @Test func `a changed price is a revision and moves the next return`() async throws {
        let collecting = try await Collecting()
        try await collecting.store([
            bar("A", "2023-01-03", "10"), bar("A", "2023-01-04", "11"), bar("A", "2023-01-05", "12.1"),
        ])
        let counts = try await collecting.store([bar("A", "2023-01-04", "22")])
        #expect((counts.inserted, counts.updated, counts.rechained, counts.revisions) == (0, 1, 1, 1))
        #expect(
            try await collecting.table() == [
                "A 2023-01-03 10 - - csv", "A 2023-01-04 22 - 1.200000 csv", "A 2023-01-05 12.1 - -0.450000 csv",
            ])
        let revisions = try await collecting.pool.query(
            "SELECT concat_ws(' ', old_price, new_price, old_source) FROM ballast.market_data_revision")
        #expect(try revisions.map { try $0.decode(String.self, at: 0) } == ["11 22 csv"])
    }

    @Test func `a sampled bar moves without a revision`() async throws {
        let collecting = try await Collecting()
        try await collecting.store([bar("A", "2023-01-03", "10", quality: .sampled)], source: "pyth")
        let counts = try await collecting.store([bar("A", "2023-01-03", "11", quality: .sampled)], source: "pyth")
        #expect((counts.updated, counts.revisions) == (1, 0))
    }

    @Test func `a bar in between takes over the next return`() async throws {
        let collecting = try await Collecting()
        try await collecting.store([bar("A", "2023-01-03", "10"), bar("A", "2023-01-06", "20")])
        try await collecting.store([bar("A", "2023-01-04", "16"), bar("A", "2023-01-02", "5")])
        #expect(
            try await collecting.table() == [
                "A 2023-01-02 5 - - csv", "A 2023-01-03 10 - 1.000000 csv", "A 2023-01-04 16 - 0.600000 csv",
                "A 2023-01-06 20 - 0.250000 csv",
            ])
    }

    @Test func `a source never overwrites one of a lower rank`() async throws {
        let collecting = try await Collecting()
        try await collecting.pool.execute(
            "INSERT INTO public.market_data (asset_symbol, \"timestamp\", price) VALUES ('A', '2023-01-04Z', 40)")
        try await collecting.store([bar("A", "2023-01-05", "60")], source: "coinbase")
        let counts = try await collecting.store([
            bar("A", "2023-01-03", "20"), bar("A", "2023-01-04", "99"), bar("A", "2023-01-05", "50"),
        ])
        #expect((counts.inserted, counts.updated, counts.refused) == (1, 1, 1))
        // The bar that plain SQL wrote keeps its price; its return is chained on the bar that came before it.
        #expect(
            try await collecting.table() == [
                "A 2023-01-03 20 - - csv", "A 2023-01-04 40 - 1.000000 sql", "A 2023-01-05 50 - 0.250000 csv",
            ])
        let back = try await collecting.store([bar("A", "2023-01-05", "61")], source: "coinbase")
        #expect(back.refused == 1)
    }

    @Test func `a volume that a better source does not know is kept`() async throws {
        let collecting = try await Collecting()
        try await collecting.store([bar("A", "2023-01-03", "10", volume: "7")], source: "coinbase")
        try await collecting.store([bar("A", "2023-01-03", "11")])
        #expect(try await collecting.table() == ["A 2023-01-03 11 7 - csv"])
    }

    @Test func `returns are right to twelve decimals whatever the size of the prices`() async throws {
        let collecting = try await Collecting()
        try await collecting.store([
            bar("A", "2023-01-03", "0.0000345526"), bar("A", "2023-01-04", "0.0000335763000"),
            bar("A", "2023-01-05", "0.07"), bar("A", "2023-01-06", "81234.56"),
        ])
        let wrong = try await collecting.number(
            """
            SELECT count(*) FROM (
                SELECT "return" AS r, price::numeric(60, 40) / lag(price) OVER (ORDER BY "timestamp") - 1 AS expected
                FROM public.market_data
            ) t WHERE abs(r - expected) > 1e-12
            """)
        #expect(wrong == 0)
    }

    @Test func `one batch is one transaction on the change log`() async throws {
        let collecting = try await Collecting()
        try await collecting.store([
            bar("A", "2023-01-03", "10"), bar("A", "2023-01-04", "11"), bar("A", "2023-01-05", "12"),
        ])
        #expect(try await collecting.number("SELECT count(*) FROM rt.event WHERE op = 'I'") == 3)
        #expect(try await collecting.number("SELECT count(DISTINCT xid::text) FROM rt.event") == 1)
        try await collecting.store([bar("A", "2023-01-04", "12")])
        #expect(try await collecting.number("SELECT count(*) FROM rt.event WHERE op = 'U'") == 2)
    }

    @Test func `a quarantined row is kept once and counted again`() async throws {
        let collecting = try await Collecting()
        let row = QuarantinedRow(
            symbol: "A", start: nil, rule: .priceNotPositive, raw: ["price": "-1", "note": "nul \u{0} and é"])
        try await collecting.store([bar("A", "2023-01-03", "10")], quarantined: [row, row])
        try await collecting.store([], quarantined: [row])
        let rows = try await collecting.pool.query(
            "SELECT concat_ws(' ', rule, asset_symbol, times, raw->>'price') FROM ballast.quarantine")
        #expect(try rows.map { try $0.decode(String.self, at: 0) } == ["price_not_positive A 3 -1"])
        #expect(try await collecting.number("SELECT sum(quarantined)::int8 FROM ballast.etl_run") == 3)
    }

    @Test func `several writers at once leave returns that fit the prices`() async throws {
        let collecting = try await Collecting()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for offset in 0..<4 {
                group.addTask {
                    for round in 0..<5 {
                        let bars = try (10...28).reversed().map { day in
                            try bar("A", "2023-01-\(day)", "\(day + (offset + round) % 3)")
                        }
                        try await collecting.store(bars)
                    }
                }
            }
            try await group.waitForAll()
        }
        let wrong = try await collecting.number(
            """
            SELECT count(*) FROM (
                SELECT "return" AS r, price / lag(price) OVER (ORDER BY "timestamp") - 1 AS expected FROM public.market_data
            ) t WHERE abs(r - expected) > 1e-12 OR (r IS NULL) <> (expected IS NULL)
            """)
        #expect(wrong == 0)
    }

    @Test func `a hundred thousand rows of a file are stored, then left alone`() async throws {
        let collecting = try await Collecting()
        let folder = try TemporaryFolder()
        try folder.write(try syntheticCSV(days: 5_000, symbols: 20), to: "prices.csv")
        let job = Job.csvFolder(folder.path)
        let runner = collecting.collector().runner
        var started = ContinuousClock.now
        #expect(try await runner.run(job).counts.inserted == 100_000)
        let first = ContinuousClock.now - started
        try await collecting.pool.execute("DELETE FROM ballast.etl_checkpoint")
        started = ContinuousClock.now
        let again = try await runner.run(job).counts
        let second = ContinuousClock.now - started
        #expect((again.inserted, again.updated, again.unchanged) == (0, 0, 100_000))
        let rates = [first, second].map { Int(100_000 / ($0 / .seconds(1))) }
        print("ETL throughput, CSV to table: \(rates[0]) rows/s new, \(rates[1]) rows/s unchanged")
    }
}
