import Foundation
import MarketData
import PostgresClient
import ServiceKit
import TestSupport
import Testing

@testable import ETL

@Suite struct `A watched folder` {
    @Test func `hands out a file once it has come to rest, and again when it changes`() throws {
        let folder = try TemporaryFolder()
        var watch = FolderWatch(path: folder.path, suffix: ".csv")
        let empty = watch.look()
        try folder.write("date,A\n", to: "b.csv")
        try folder.write("date,A\n", to: "a.csv")
        try folder.write("x", to: "a.txt")
        try folder.write("x", to: ".hidden.csv")
        let (first, second, third) = (watch.look(), watch.look(), watch.look())
        #expect([empty, first, second, third] == [[], [], ["a.csv", "b.csv"], []])
        try folder.write("date,A\n2023-01-03,1\n", to: "a.csv")
        let (growing, grown) = (watch.look(), watch.look())
        watch.putBack(["a.csv"])
        let again = watch.look()
        #expect([growing, grown, again] == [[], ["a.csv"], ["a.csv"]])
    }

    @Test func `is loaded when a file arrives and when it changes`() async throws {
        let collecting = try await Collecting()
        let folder = try TemporaryFolder()
        let collector = collecting.collector([.csvFolder(folder.path)])
        let events = collecting.events
        try await TestSupport.withDeadline(.seconds(60)) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await collector.scheduler.run() }
                var stored = events.makeAsyncIterator()
                for price in ["1", "2.5"] {
                    try folder.write("date,A\n2023-01-03,\(price)\n", to: "a.csv")
                    let written = ContinuousClock.now
                    while let event = await stored.next() { if case .batchStored = event { break } }
                    // 250 ms a look, two looks; the rest is the machine's.
                    print("CSV file to table: \(ContinuousClock.now - written)")
                }
                group.cancelAll()
            }
        }
        #expect(try await collecting.table() == ["A 2023-01-03 2.5 - - csv"])
    }

    @Test func `a file of no use is reported and leaves the others alone`() async throws {
        let collecting = try await Collecting()
        let folder = try TemporaryFolder()
        try folder.write("no header at all\n1\n", to: "a.csv")
        try folder.write("date,A\n2023-01-03,1\n2023-01-04,-1\n", to: "b.csv")
        let report = try await collecting.collector().runner.run(.csvFolder(folder.path))
        #expect(report.failures.map(\.item) == ["a.csv"])
        #expect(report.counts.inserted == 1)
        #expect(report.counts.quarantined == 1)
        let again = try await collecting.collector().runner.run(.csvFolder(folder.path))
        #expect(again.counts == BatchCounts())
    }

    @Test func `an absent database is waited for`() async throws {
        let cluster = try await Cluster()
        let pool = PostgresPool(try PostgresConfiguration(url: cluster.url()), size: 4, logger: TestPostgres.logger)
        _ = try await pool.withConnection { try await Migrator(directory: RepositoryRoot.migrations).migrate($0) }
        let folder = try TemporaryFolder()
        let (events, sink) = AsyncStream.makeStream(of: Event.self)
        let collector = Collector(
            configuration: Configuration(environment: [:]), pool: pool, jobs: [.csvFolder(folder.path)],
            logger: TestPostgres.logger, tap: { sink.yield($0) })
        try await cluster.kill()
        try folder.write("date,A\n2023-01-03,1\n", to: "a.csv")
        try await TestSupport.withDeadline(.seconds(90)) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await collector.scheduler.run() }
                var seen = events.makeAsyncIterator()
                while let event = await seen.next() { if case .jobFailed = event { break } }
                try await cluster.start()
                while let event = await seen.next() { if case .batchStored = event { break } }
                group.cancelAll()
            }
        }
        let rows = try await pool.query("SELECT count(*) FROM public.market_data")
        #expect(try rows.first?.decode(Int.self, at: 0) == 1)
        await pool.close()
    }
}

@Suite struct `A job` {
    @Test func `that another collector runs is left to it`() async throws {
        let collecting = try await Collecting()
        let folder = try TemporaryFolder()
        try folder.write("date,A\n2023-01-03,1\n", to: "a.csv")
        let collector = collecting.collector()
        let job = Job.csvFolder(folder.path)
        let status = try await collector.runs.holdingLock(of: "csv") { try await collector.runner.run(job).status }
        #expect(status == .elsewhere)
        #expect(try await collecting.table().isEmpty)
        #expect(try await collector.runner.run(job).counts.inserted == 1)
    }

    @Test func `that was due while nothing ran is made up for once`() async throws {
        let collecting = try await Collecting()
        let folder = try TemporaryFolder()
        try folder.write("date,A\n2023-01-03,1\n", to: "a.csv")
        var job = Job.csvFolder(folder.path)
        job.isWatched = false
        job.schedule = try Schedule("@yearly")
        let collector = collecting.collector([job])
        let long = Checkpoint(item: "@schedule", position: "2020-06-01T00:00:00Z")
        try await collector.runs.setPosition(job: "csv", long)
        let events = collecting.events
        try await TestSupport.withDeadline(.seconds(60)) {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await collector.scheduler.run() }
                var seen = events.makeAsyncIterator()
                while let event = await seen.next() { if case .scheduleServed = event { break } }
                group.cancelAll()
            }
        }
        #expect(try await collecting.number("SELECT count(*) FROM ballast.etl_run") == 1)
        let served = try #require(try await collector.runs.position(job: "csv", item: "@schedule"))
        #expect(served > "2026")
    }
}
