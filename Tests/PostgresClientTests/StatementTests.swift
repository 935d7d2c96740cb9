import Foundation
import PostgresClient
import TestSupport
import Testing

@testable import PostgresClient

@Suite struct `SQL text` {
    @Test func `values become parameters, whatever they contain`() {
        let hostile = "'); DROP TABLE t; --"
        let sql: SQL = "INSERT INTO t VALUES (\(hostile), \(1), \(nil as Int?))"
        #expect(sql.text == "INSERT INTO t VALUES ($1, $2, $3)")
        #expect(sql.parameters.map(\.bytes?.count) == [hostile.utf8.count, 8, nil])
    }

    @Test func `fragments are renumbered`() {
        let condition: SQL = "a = \(1) AND b = \("x")"
        let sql: SQL = "SELECT \(true) WHERE \(condition) OR c = \(2.5)"
        #expect(sql.text == "SELECT $1 WHERE a = $2 AND b = $3 OR c = $4")
        #expect((condition + " ORDER BY " + .identifier(#"we"ird"#)).text == #"a = $1 AND b = $2 ORDER BY "we""ird""#)
    }
}

@Suite struct `Statements` {
    private func connection() async throws -> PostgresConnection {
        try await PostgresConnection.connect(
            PostgresConfiguration(url: try await TestDatabase.createEmpty().url), logger: TestPostgres.logger)
    }

    @Test func `errors carry what the server said, and print none of the row`() async throws {
        let connection = try await connection()
        try await connection.execute(
            "CREATE TABLE t (id int PRIMARY KEY, amount numeric CONSTRAINT positive CHECK (amount > 0))")
        #expect(try await connection.execute("INSERT INTO t VALUES (\(1), \(PostgresNumeric(5)))") == 1)
        let duplicate = try #require(
            await #expect(throws: PostgresError.self) {
                try await connection.execute("INSERT INTO t VALUES (\(1), \(PostgresNumeric(5)))")
            })
        #expect(duplicate.isUniqueViolation && duplicate.isConstraintViolation && !duplicate.isTransient)
        #expect(duplicate.constraint == "t_pkey" && duplicate.table == "t" && duplicate.schema == "public")
        #expect(duplicate.detail == "Key (id)=(1) already exists.")
        #expect(!"\(duplicate)".contains("already exists") && "\(duplicate)".contains("23505"))
        let check = await #expect(throws: PostgresError.self) {
            try await connection.execute("INSERT INTO t VALUES (\(2), \(PostgresNumeric(-5)))")
        }
        #expect(check?.sqlState == .checkViolation && check?.constraint == "positive")
        let syntax = await #expect(throws: PostgresError.self) { try await connection.query("SELEKT 1") }
        #expect(syntax?.sqlState == .syntaxError && syntax?.position == 1)
        // The session is as good as before.
        #expect(try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 1)
    }

    @Test func `a pipeline succeeds or fails as a whole, and says where`() async throws {
        let connection = try await connection()
        try await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        let results = try await connection.pipeline([
            "INSERT INTO t VALUES (\(1)) RETURNING id", "SELECT count(*) FROM t", "SELECT generate_series(1, 3)",
        ])
        #expect(results.map(\.count) == [1, 1, 3])
        let error = await #expect(throws: PostgresError.self) {
            try await connection.pipeline([
                "INSERT INTO t VALUES (\(2))", "SELECT 1 / \(0)", "INSERT INTO t VALUES (\(3))",
                "SELECT nowhere FROM nothing",
            ])
        }
        #expect(error?.sqlState == SQLState(rawValue: "22012") && error?.statementIndex == 1)
        #expect(try await connection.query("SELECT id FROM t").map { try $0.decode(Int.self, at: 0) } == [1])
        let parse = await #expect(throws: PostgresError.self) {
            try await connection.pipeline(["SELECT 1", "SELECT nowhere FROM nothing", "SELECT 2"])
        }
        #expect(parse?.sqlState == .undefinedTable && parse?.statementIndex == 1)
        // What could not be prepared is not taken for prepared.
        try await connection.execute("CREATE TABLE nothing AS SELECT 5 AS nowhere")
        #expect(try await connection.query("SELECT nowhere FROM nothing")[0].decode(Int.self, at: 0) == 5)
        #expect(try await connection.query("SELECT 2")[0].decode(Int.self, at: 0) == 2)
    }

    @Test func `a statement is prepared once, and the least recently used goes`() async throws {
        var configuration = try PostgresConfiguration(url: try await TestDatabase.createEmpty().url)
        configuration.statementCacheCapacity = 3
        let connection = try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
        for round in 0..<3 { _ = try await connection.query("SELECT \(round) AS a") }
        for table in ["b", "c", "d", "e"] {
            _ = try await connection.query("SELECT \(1) AS \(identifier: table)")
            _ = try await connection.query("SELECT \(2) AS a")
        }
        // Not prepared itself: it begins with TABLE.
        let held = try await connection.query("TABLE pg_prepared_statements")
        let texts = Set(try held.map { try $0.decode(String.self, named: "statement") })
        #expect(
            texts.contains("SELECT $1 AS a") && texts.contains(#"SELECT $1 AS "e""#)
                && !texts.contains(#"SELECT $1 AS "b""#))
        #expect(held.count <= 4)
    }

    @Test func `a changed table and a lost statement are prepared anew`() async throws {
        let connection = try await connection()
        try await connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        let all: SQL = "SELECT * FROM t"
        #expect(try await connection.query(all)[0].count == 1)
        try await connection.execute("ALTER TABLE t ADD b text DEFAULT 'x'")
        #expect(try await connection.query(all)[0].count == 2)
        try await connection.execute("DEALLOCATE ALL")
        #expect(try await connection.query(all)[0].count == 2)
        #expect(try await connection.query("SELECT 7")[0].decode(Int.self, at: 0) == 7)
    }

    @Test func `operations of several tasks on one connection take turns`() async throws {
        let connection = try await connection()
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for value in 1...50 {
                group.addTask { try await connection.query("SELECT \(value)")[0].decode(Int.self, at: 0) }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 1275)
    }

    @Test func `the cache is least recently used first`() {
        func key(_ text: String) -> StatementCache.Key { .init(text: text, types: []) }
        var cache = StatementCache(capacity: 2)
        #expect(cache.lookup(key("a")) == .missing(name: "ballast_1", evicted: nil))
        #expect(cache.lookup(key("b")) == .missing(name: "ballast_2", evicted: nil))
        #expect(cache.lookup(key("a")) == .prepared(name: "ballast_1"))
        #expect(cache.lookup(key("c")) == .missing(name: "ballast_3", evicted: "ballast_2"))
        #expect(cache.lookup(.init(text: "a", types: [20])) == .missing(name: "ballast_4", evicted: "ballast_1"))
        cache.forget(key("c"))
        #expect(cache.count == 1)
        #expect(cache.removeAll() == ["ballast_4"])
    }
}
