import Foundation
import PostgresClient
import TestSupport
import Testing

@Suite struct `Cancellation` {
    @Test func `cancelling the task cancels the statement, and the connection is used again`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 1)
        let pid = try await pool.query("SELECT pg_backend_pid()")[0].decode(Int.self, at: 0)
        let sleeper = Task { try await pool.query("SELECT pg_sleep(\(30.0))") }
        let admin = try database.adminPool()
        try await waitUntilRunning(pid, admin)
        let clock = ContinuousClock()
        let took = await clock.measure {
            sleeper.cancel()
            let error = await #expect(throws: PostgresError.self) { try await sleeper.value }
            #expect(error?.kind == .cancelled)
        }
        #expect(took < .seconds(5))
        #expect(try await pool.query("SELECT pg_backend_pid()")[0].decode(Int.self, at: 0) == pid)
        #expect(pool.statistics.opened == 1)
    }

    @Test func `a hundred cancellations leave neither a cancelled successor nor a lost connection`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 2)
        for round in 0..<100 {
            let victim = Task { try await pool.query("SELECT pg_sleep(\(Double(round % 5) * 0.0005))") }
            victim.cancel()
            _ = await victim.result
            #expect(try await pool.query("SELECT \(round)")[0].decode(Int.self, at: 0) == round)
        }
        #expect(pool.statistics.opened <= 2)
    }

    @Test func `a backend that does not end its statement loses its connection, in bounded time`() async throws {
        let database = try await TestDatabase.createEmpty()
        var configuration = try database.configuration()
        configuration.cancelTimeout = .milliseconds(300)
        let pool = PostgresPool(configuration, size: 1, logger: TestPostgres.logger)
        let pid = try await pool.query("SELECT pg_backend_pid()")[0].decode(Int.self, at: 0)
        let sleeper = Task { try await pool.query("SELECT pg_sleep(30)") }
        try await waitUntilRunning(pid, try database.adminPool())
        #expect(kill(pid_t(pid), SIGSTOP) == 0)
        defer { kill(pid_t(pid), SIGCONT) }
        sleeper.cancel()
        let error = try await withDeadline(.seconds(10)) {
            await #expect(throws: PostgresError.self) { try await sleeper.value }
        }
        #expect(error?.kind == .cancelled)
        let other = try await pool.query("SELECT pg_backend_pid()")[0].decode(Int.self, at: 0)
        #expect(other != pid && pool.statistics.opened == 2)
    }

    @Test func `a cancelled transaction is rolled back`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 1)
        try await pool.execute("CREATE TABLE t (id int)")
        let pid = try await pool.query("SELECT pg_backend_pid()")[0].decode(Int.self, at: 0)
        let task = Task {
            try await pool.transaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                _ = try await connection.query("SELECT pg_sleep(30)")
            }
        }
        try await waitUntilRunning(pid, try database.adminPool())
        task.cancel()
        _ = await task.result
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 0)
    }

    @Test func `a cancelled COPY stores nothing, and the connection is used again`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        try await pool.execute("CREATE TABLE t (id int8)")
        let (rows, feed) = AsyncStream.makeStream(of: Int.self)
        let task = Task {
            try await pool.transaction { connection in
                try await connection.copyIn("COPY t FROM STDIN (FORMAT binary)", rows: rows) { value, writer in
                    writer.row(value)
                }
                try Task.checkCancellation()
            }
        }
        feed.yield(1)
        task.cancel()
        feed.finish()
        _ = await task.result
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 0)
    }

    /// Returns when the server runs the sleep: asked for, at each turn, on the server.
    private func waitUntilRunning(_ pid: Int, _ admin: PostgresPool) async throws {
        try await withDeadline {
            while true {
                let rows = try await admin.query(
                    "SELECT 1 FROM pg_stat_activity WHERE pid = \(Int32(pid)) AND wait_event = 'PgSleep'")
                if !rows.isEmpty { return }
            }
        }
    }
}
