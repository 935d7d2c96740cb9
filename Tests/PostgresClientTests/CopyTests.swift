import Foundation
import PostgresClient
import Synchronization
import TestSupport
import Testing

@Suite struct `COPY` {
    private struct Refused: Error {}

    private func table() async throws -> PostgresPool {
        let pool = try await TestDatabase.createEmpty().pool(size: 1)
        try await pool.execute("CREATE TABLE t (id int8 PRIMARY KEY, name text, price numeric, at timestamptz)")
        return pool
    }

    private let into: SQL = "COPY t (id, name, price, at) FROM STDIN (FORMAT binary)"

    @Test func `100,000 rows in and out again`() async throws {
        let pool = try await table()
        let stored = try await pool.withConnection { connection in
            try await connection.copyIn(into, rows: 0..<100_000) { id, writer in
                writer.row(
                    id, id % 10 == 0 ? nil : "name \(id)", PostgresNumeric("\(id).25"),
                    PostgresTimestamp(microsecondsSinceEpoch: Int64(id)))
            }
        }
        #expect(stored == 100_000)
        let check = try await pool.query("SELECT count(*), sum(id)::int8, sum(price)::text, count(name) FROM t")
        #expect(try check[0].decode((Int, Int, String, Int).self) == (100_000, 4_999_950_000, "4999975000.00", 90_000))
        let (count, sum) = try await pool.withConnection { connection in
            var reader = CopyBinaryReader()
            var (count, sum) = (0, 0)
            for try await bytes in try await connection.copyOut(
                "COPY (SELECT id, name, price FROM t ORDER BY id) TO STDOUT (FORMAT binary)")
            {
                reader.append(bytes)
                while let row = try reader.next() {
                    let id = try row.decode(Int.self, at: 0)
                    #expect(try row.decode(String?.self, at: 1) == (id % 10 == 0 ? nil : "name \(id)"))
                    #expect(try row.decode(PostgresNumeric.self, at: 2).text == "\(id).25")
                    count += 1
                    sum += id
                }
            }
            #expect(reader.isFinished)
            return (count, sum)
        }
        #expect(count == 100_000 && sum == 4_999_950_000)
        #expect(pool.statistics.opened == 1)
    }

    @Test func `from an asynchronous sequence, inside a transaction`() async throws {
        let pool = try await table()
        let rows = AsyncStream { stream in
            for id in 0..<1000 { stream.yield(id) }
            stream.finish()
        }
        let count = try await pool.transaction { connection in
            try await connection.copyIn("COPY t (id) FROM STDIN (FORMAT binary)", rows: rows) { id, writer in
                writer.row(id)
            }
            return try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0)
        }
        #expect(count == 1000)
    }

    @Test func `text in pieces that end anywhere`() async throws {
        let pool = try await table()
        let stored = try await pool.withConnection { connection in
            try await connection.copyIn("COPY t (id, name) FROM STDIN") { stream in
                for byte in "1\tone\n2\ttwo\n".utf8 { try await stream.write([byte]) }
            }
        }
        #expect(stored == 2)
        let lines = try await pool.withConnection { connection in
            var lines: [String] = []
            for try await bytes in try await connection.copyOut(
                "COPY (SELECT id, name FROM t ORDER BY id) TO STDOUT (FORMAT csv)")
            {
                lines.append(String(decoding: bytes, as: UTF8.self))
            }
            return lines
        }
        #expect(lines == ["1,one\n", "2,two\n"])
    }

    @Test func `a writer that throws stores nothing and keeps the connection`() async throws {
        let pool = try await table()
        await #expect(throws: Refused.self) {
            try await pool.withConnection { connection in
                try await connection.copyIn(into, rows: 0..<10_000) { id, writer in
                    if id == 9_000 { throw Refused() }
                    writer.row(id, "x", PostgresNumeric(1), nil as PostgresTimestamp?)
                }
            }
        }
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 0)
        #expect(pool.statistics.opened == 1)
    }

    @Test func `rows that the server refuses are its error, and the connection is kept`() async throws {
        let pool = try await table()
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withConnection { connection in
                try await connection.copyIn(into, rows: 0..<50_000) { id, writer in
                    writer.row(id % 40_000, "x", PostgresNumeric(1), nil as PostgresTimestamp?)
                }
            }
        }
        #expect(error?.isUniqueViolation == true && error?.constraint == "t_pkey")
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 0)
        let missing = await #expect(throws: PostgresError.self) {
            try await pool.withConnection { connection in
                try await connection.copyIn("COPY nowhere FROM STDIN") { _ in }
            }
        }
        #expect(missing?.sqlState == .undefinedTable)
        let usage = await #expect(throws: PostgresError.self) {
            try await pool.withConnection { connection in
                _ = try await connection.copyOut("COPY (SELECT \(1)) TO STDOUT")
            }
        }
        #expect(usage?.kind == .usage)
        #expect(pool.statistics.opened == 1)
    }

    @Test func `a reading left early ends with its connection, and the pool goes on`() async throws {
        let pool = try await table()
        try await pool.withConnection { connection in
            for try await _ in try await connection.copyOut("COPY (SELECT generate_series(1, 1000000)) TO STDOUT") {
                break
            }
        }
        #expect(try await pool.query("SELECT 1").count == 1)
        #expect(pool.statistics.opened == 2)
    }

    @Test func `a cancelled reading ends its statement and keeps its connection`() async throws {
        let pool = try await table()
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (cancelled, cancel) = AsyncStream.makeStream(of: Void.self)
        let reader = Task {
            try await pool.withConnection { connection in
                var rows = 0
                for try await _ in try await connection.copyOut("COPY (SELECT generate_series(1, 100000000)) TO STDOUT")
                {
                    rows += 1
                    if rows > 1 { continue }
                    begin.yield()
                    // Cancelled between two pieces, while the server goes on sending.
                    for await _ in cancelled { break }
                }
            }
        }
        for await _ in begun { break }
        reader.cancel()
        cancel.yield()
        let error = await #expect(throws: PostgresError.self) { try await withDeadline { try await reader.value } }
        #expect(error?.kind == .cancelled)
        #expect(try await pool.query("SELECT 1").count == 1)
        #expect(pool.statistics.opened == 1)
    }

    @Test func `a writer waits for a server that does not take its rows`() async throws {
        let database = try await TestDatabase.createEmpty()
        let (pool, admin) = (try database.pool(size: 1), try database.adminPool(size: 2))
        _ = try await pool.pipeline([
            "CREATE TABLE t (id int8, filler text)",
            """
            CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$
            """,
            "CREATE TRIGGER stall BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stall()",
        ])
        let written = Counter()
        try await admin.withConnection { holder in
            _ = try await holder.query("SELECT pg_advisory_lock(7)")
            let writer = Task {
                try await pool.withConnection { connection in
                    try await connection.copyIn("COPY t FROM STDIN (FORMAT binary)") { stream in
                        var rows = CopyBinaryWriter()
                        while true {
                            for id in 0..<100 { rows.row(id, String(repeating: "x", count: 1000)) }
                            try await stream.write(rows.take())
                            written.add(100_000)
                        }
                    }
                }
            }
            // Each question to the server is time in which an unchecked writer would go on.
            @Sendable func bytesWhenSteady() async throws -> Int {
                var last = -1
                while true {
                    for _ in 0..<100 { _ = try await admin.query("SELECT 1") }
                    let now = written.value
                    if now == last { return now }
                    last = now
                }
            }
            let bytes = try await withDeadline { try await bytesWhenSteady() }
            #expect(bytes < 64 << 20)
            writer.cancel()
            let error = await #expect(throws: PostgresError.self) { try await writer.value }
            #expect(error?.kind == .cancelled)
        }
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 0)
        #expect(pool.statistics.opened == 1)
    }

    @Test func `a backend killed during COPY is a connection failure`() async throws {
        let database = try await TestDatabase.createEmpty()
        let pool = try database.pool(size: 1)
        try await pool.execute("CREATE TABLE t (id int8)")
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withConnection { connection in
                try await connection.copyIn("COPY t FROM STDIN (FORMAT binary)") { stream in
                    var writer = CopyBinaryWriter()
                    writer.row(1)
                    try await stream.write(writer.take())
                    try await database.terminateBackends()
                    for id in 0..<200_000 { writer.row(id) }
                    writer.finish()
                    try await stream.write(writer.take())
                }
            }
        }
        #expect(error?.isConnectionFailure == true)
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 0)
    }

    @Test func `what is no binary stream is refused`() throws {
        var reader = CopyBinaryReader()
        reader.append([UInt8](repeating: 65, count: 64))
        let error = #expect(throws: PostgresError.self) { try reader.next() }
        #expect(error?.kind == .decoding)
    }
}

/// A number that several tasks add to.
private final class Counter: Sendable {
    private let sum = Mutex(0)

    var value: Int { sum.withLock { $0 } }

    func add(_ amount: Int) { sum.withLock { $0 += amount } }
}
