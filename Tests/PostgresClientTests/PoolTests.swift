import Foundation
import ServiceLifecycle
import TestSupport
import Testing

@testable import PostgresClient

@Suite struct `Pool state` {
    @Test func `slots are bounded and waiters are served in order`() {
        var state = PoolState<String, Int>(size: 2)
        guard case .open = state.acquire(), case .open = state.acquire(), case .wait = state.acquire() else {
            Issue.record("two slots, then a wait")
            return
        }
        for id in 1...3 { state.enqueue(id * 10, id: UInt64(id)) }
        #expect(state.abandon(id: 2) == 20)
        #expect(state.abandon(id: 2) == nil)
        guard case .lease("a", to: 10) = state.release("a"), case .open(by: 30) = state.slotFailed() else {
            Issue.record("first come, first served")
            return
        }
        guard case .none = state.release("b"), case .none = state.slotFailed() else {
            Issue.record("nobody waits")
            return
        }
        #expect(state.idle == ["b"] && state.leased == 0)
        guard case .lease("b") = state.acquire() else {
            Issue.record("idle first")
            return
        }
    }

    @Test func `a closed pool hands nothing out`() {
        var state = PoolState<String, Int>(size: 1)
        _ = state.acquire()
        state.enqueue(7, id: 1)
        let (idle, waiters) = state.close()
        #expect(idle.isEmpty && waiters == [7])
        guard case .closed = state.acquire() else {
            Issue.record("closed")
            return
        }
    }
}

@Suite struct `Pool` {
    @Test func `never more connections than its size`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<60 {
                group.addTask {
                    let seen = try await pool.query(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
                    )
                    #expect(try seen[0].decode(Int.self, at: 0) <= 3)
                }
            }
            try await group.waitForAll()
        }
        #expect(pool.statistics.opened <= 3 && pool.statistics.leased == 0)
    }

    @Test func `a wait for a connection ends with a typed error, and the next one works`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1, waitTimeout: .milliseconds(100))
        let error = try await pool.withConnection { _ in
            await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        }
        #expect(error?.kind == .poolTimeout && error?.isTransient == true)
        #expect(pool.statistics.timeouts == 1 && pool.statistics.waiting == 0)
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test func `a waiter whose task is cancelled leaves the queue`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        try await pool.withConnection { _ in
            let waiter = Task { try await pool.query("SELECT 1") }
            try await withDeadline { while pool.statistics.waiting == 0 { await Task.yield() } }
            waiter.cancel()
            let error = await #expect(throws: PostgresError.self) { try await waiter.value }
            #expect(error?.kind == .cancelled)
            #expect(pool.statistics.waiting == 0)
        }
    }

    @Test func `no thread waits for a query`() async throws {
        let pool = PostgresPool(
            try await TestDatabase.createEmpty().configuration(), size: 40, waitTimeout: .seconds(60),
            logger: TestPostgres.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 { group.addTask { _ = try await pool.query("SELECT pg_sleep(0.01)") } }
            try await group.waitForAll()
        }
        let before = try threads()
        let most = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    _ = try await pool.query("SELECT pg_sleep(0.2)")
                    return try threads()
                }
            }
            return try await group.reduce(0, max)
        }
        // Other suites run beside this one, so the bound is not exact; a thread a query would be 40 more at least.
        #expect(most < before + 20, "\(before) threads before, \(most) during 200 queries on 40 connections")
    }

    @Test func `what a borrower left in the session is gone for the next`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        try await pool.withConnection { connection in
            try await connection.execute("SET statement_timeout = 12345")
            try await connection.execute("CREATE TEMPORARY TABLE leftover (a int)")
            try await connection.execute("LISTEN something")
            _ = try await connection.query("SELECT pg_advisory_lock(42)")
        }
        let rows = try await pool.query(
            """
            SELECT current_setting('statement_timeout'), to_regclass('leftover') IS NULL,
                   (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                    WHERE l.locktype = 'advisory' AND d.datname = current_database()),
                   current_setting('TimeZone')
            """)
        #expect(try rows[0].decode((String, Bool, Int, Int, String).self) == ("0", true, 0, 0, "UTC"))
        #expect(pool.statistics.opened == 1)
    }

    @Test func `a connection that comes back inside a transaction is dropped`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        _ = try await pool.withConnection { connection in try await connection.execute("BEGIN") }
        #expect(try await pool.query("SELECT 1").count == 1)
        #expect(pool.statistics.opened == 2 && pool.statistics.closed == 1)
    }

    @Test func `connections end after their lifetime`() async throws {
        let pool = PostgresPool(
            try await TestDatabase.createEmpty().configuration(), size: 1, maximumLifetime: .zero,
            logger: TestPostgres.logger)
        for _ in 0..<3 { _ = try await pool.query("SELECT 1") }
        #expect(pool.statistics.opened == 3 && pool.statistics.idle == 0)
    }

    @Test func `run closes the pool when its task is cancelled`() async throws {
        let pool = try await TestDatabase.createEmpty().pool()
        let service = Task { try await pool.run() }
        _ = try await pool.query("SELECT 1")
        service.cancel()
        try await service.value
        let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(error?.kind == .poolClosed && pool.statistics.idle == 0)
    }

    @Test func `terminated backends are replaced`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 4)
        // Idle ones: noticed when lent, nobody sees an error.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { _ = try await pool.query("SELECT pg_sleep(0.05)") } }
            try await group.waitForAll()
        }
        try await database.terminateBackends()
        for _ in 0..<8 { _ = try await pool.query("SELECT 1") }
        // Busy ones: their callers get a connection failure, later callers nothing.
        let victims = (0..<4).map { _ in Task { try await pool.query("SELECT pg_sleep(30)") } }
        let admin = try database.adminPool()
        try await withDeadline {
            while try await admin.query(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            ).count < 4 {}
        }
        try await database.terminateBackends()
        for victim in victims {
            let error = await #expect(throws: PostgresError.self) { try await victim.value }
            #expect(error?.isConnectionFailure == true && error?.isTransient == true)
        }
        for _ in 0..<8 { _ = try await pool.query("SELECT 1") }
        #expect(pool.statistics.leased == 0)
    }
}

/// Threads of this process, as the kernel counts them.
func threads() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Threads:") })
    return try #require(Int(line.dropFirst(8).trimmingCharacters(in: .whitespaces)))
}
