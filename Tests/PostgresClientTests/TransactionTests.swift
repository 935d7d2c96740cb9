import Foundation
import PostgresClient
import Synchronization
import TestSupport
import Testing

@Suite struct `Transactions` {
    private struct Refused: Error {}

    @Test func `what is thrown rolls back, what returns commits`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 2)
        try await pool.execute("CREATE TABLE t (id int)")
        await #expect(throws: Refused.self) {
            try await pool.transaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                throw Refused()
            }
        }
        let count = try await pool.transaction { connection in
            try await connection.execute("INSERT INTO t VALUES (2)")
            return try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0)
        }
        #expect(count == 1)
        #expect(try await pool.transaction { _ in 5 } == 5)
        #expect(pool.statistics.leased == 0)
    }

    @Test func `isolation, access and limits reach the server`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        let options = TransactionOptions(
            isolation: .serializable, readOnly: true, statementTimeout: .seconds(7), lockTimeout: .milliseconds(1500))
        let row = try await pool.transaction(options) { connection in
            try await connection.query(
                """
                SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),
                       current_setting('statement_timeout'), current_setting('lock_timeout')
                """)[0]
        }
        #expect(try row.decode((String, String, String, String).self) == ("serializable", "on", "7s", "1500ms"))
        let after = try await pool.query("SELECT current_setting('statement_timeout')")
        #expect(try after[0].decode(String.self, at: 0) == "0")
    }

    @Test func `a snapshot is a whole transaction in one call, and its failure leaves none open`() async throws {
        let pool = try await TestDatabase.create().pool(size: 1)
        let tenant = UUID()
        for _ in 0..<3 {
            let row = try await pool.snapshot(
                .app(tenant),
                "SELECT current_user::text, ballast.current_tenant(), current_setting('transaction_read_only')")[0]
            let (user, seen, readOnly) = try row.decode((String, UUID, String).self)
            #expect(user == "ballast_app" && seen == tenant && readOnly == "on")
            await #expect(throws: PostgresError.self) { try await pool.snapshot(.app(tenant), "SELECT 1/0") }
            let after = try await pool.query("SELECT current_user::text")[0]
            #expect(try after.decode(String.self, at: 0) == pool.configuration.user)
        }
        #expect(pool.statistics.leased == 0)
    }

    @Test func `the role and the tenant are the transaction's, and end with it`() async throws {
        let pool = try await TestDatabase.create().pool(size: 1)
        let tenant = UUID()
        let row = try await pool.transaction(.app(tenant)) { connection in
            try await connection.query("SELECT current_user::text, ballast.current_tenant()")[0]
        }
        let (user, seen) = try row.decode((String, UUID).self)
        #expect(user == "ballast_app" && seen == tenant)
        let feed = try await pool.transaction(.feed) { connection in
            try await connection.query("SELECT current_user::text")[0]
        }
        #expect(try feed.decode(String.self, at: 0) == "ballast_feed")
        let after = try await pool.query("SELECT current_user::text, ballast.current_tenant()")
        #expect(try after[0].decode((String, UUID?).self) == (TestDatabase.owner, nil))
    }

    @Test func `the prologue travels with the first statement`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool(size: 1)
        // pg_stat_activity.xact_start is set by BEGIN: before the first statement there is no transaction on the server.
        let admin = try database.adminPool()
        let pid = try await pool.query("SELECT pg_backend_pid()")[0].decode(Int32.self, at: 0)
        let idle = try await pool.transaction(.app(UUID())) { _ in
            try await admin.query("SELECT xact_start IS NULL FROM pg_stat_activity WHERE pid = \(pid)")[0].decode(
                Bool.self, at: 0)
        }
        #expect(idle)
    }

    @Test func `two transactions that conflict are both done in the end`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 8)
        try await pool.execute("CREATE TABLE account (id int PRIMARY KEY, balance int8 NOT NULL)")
        try await pool.execute("INSERT INTO account SELECT i, 0 FROM generate_series(1, 2) i")
        let options = TransactionOptions(isolation: .serializable, maximumAttempts: 100)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    try await pool.transaction(options) { connection in
                        let sum = try await connection.query("SELECT sum(balance)::int8 FROM account")[0].decode(
                            Int.self, at: 0)
                        try await connection.execute("UPDATE account SET balance = \(sum + 1) WHERE id = 1")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await pool.query("SELECT balance FROM account WHERE id = 1")[0].decode(Int.self, at: 0) == 40)
        #expect(pool.statistics.retries > 0)
    }

    @Test func `a deadlock is broken and its victim runs again`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 2)
        try await pool.execute("CREATE TABLE account (id int PRIMARY KEY, balance int8 NOT NULL)")
        try await pool.execute("INSERT INTO account VALUES (1, 0), (2, 0)")
        let barrier = Rendezvous(parties: 2)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (first, second) in [(1, 2), (2, 1)] {
                group.addTask {
                    try await pool.transaction { connection in
                        try await connection.execute("UPDATE account SET balance = balance + 1 WHERE id = \(first)")
                        await barrier.meet()
                        try await connection.execute("UPDATE account SET balance = balance + 1 WHERE id = \(second)")
                    }
                }
            }
            try await group.waitForAll()
        }
        let rows = try await pool.query("SELECT balance FROM account")
        #expect(try rows.map { try $0.decode(Int.self, at: 0) } == [2, 2])
        // More than one when the victim comes back to its first row before the server has woken the other one, which waits for it.
        #expect(pool.statistics.retries >= 1)
    }

    @Test func `attempts are bounded, and the last error is the one thrown`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        let runs = Mutex(0)
        let error = await #expect(throws: PostgresError.self) {
            try await pool.transaction(TransactionOptions(maximumAttempts: 3)) { connection in
                runs.withLock { $0 += 1 }
                _ = try await connection.execute("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$")
            }
        }
        #expect(error?.sqlState == .serializationFailure)
        #expect(runs.withLock { $0 } == 3)
    }

    @Test func `other errors do not run it again`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        let runs = Mutex(0)
        await #expect(throws: PostgresError.self) {
            try await pool.transaction { connection in
                runs.withLock { $0 += 1 }
                _ = try await connection.query("SELECT 1 / 0")
            }
        }
        #expect(runs.withLock { $0 } == 1)
    }

    @Test func `an error that the body swallowed does not pass for a commit`() async throws {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        try await pool.execute("CREATE TABLE t (id int)")
        let error = await #expect(throws: PostgresError.self) {
            try await pool.transaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                _ = try? await connection.query("SELECT 1 / 0")
            }
        }
        #expect(error?.kind == .transactionAborted)
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 0)
    }

    @Test func `a lost answer to COMMIT is told apart`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 1)
        // A deferred trigger that ends its own backend: the server dies between COMMIT and its answer.
        _ = try await pool.pipeline([
            "CREATE TABLE t (id int)",
            """
            CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$
            """,
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()",
        ])
        let runs = Mutex(0)
        let error = await #expect(throws: PostgresError.self) {
            try await pool.transaction { connection in
                runs.withLock { $0 += 1 }
                try await connection.execute("INSERT INTO t VALUES (1)")
            }
        }
        #expect(error?.kind == .commitUnknown)
        #expect(error?.isTransient == false)
        #expect(runs.withLock { $0 } == 1, "an unknown outcome must not run again")
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test func `a connection lost before COMMIT runs it again on another`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 1)
        try await pool.execute("CREATE TABLE t (id int)")
        let runs = Mutex(0)
        try await pool.transaction { connection in
            try await connection.execute("INSERT INTO t VALUES (1)")
            let isFirst = runs.withLock { runs in
                runs += 1
                return runs == 1
            }
            if isFirst { try await database.terminateBackends() }
            try await connection.execute("INSERT INTO t VALUES (2)")
        }
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 2)
        #expect(runs.withLock { $0 } == 2)
    }
}

/// A point where tasks wait for each other once; later comers pass.
actor Rendezvous {
    private var missing: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(parties: Int) { missing = parties }

    func meet() async {
        missing -= 1
        if missing > 0 {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            waiting.forEach { $0.resume() }
            waiting = []
        }
    }
}
