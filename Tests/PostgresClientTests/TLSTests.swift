import Foundation
import PostgresClient
import TestSupport
import Testing

/// A server with a certificate for `localhost` alone. Its address is 127.0.0.1 too, which the certificate doesn't name.
@Suite(.serialized) struct `TLS` {
    private static let cluster = Task { try await TestPostgres.Cluster(tls: true) }

    private func connect(host: String, _ parameters: String) async throws -> PostgresConnection {
        let cluster = try await Self.cluster.value
        let filled = parameters.replacing("CA", with: cluster.directory.appendingPathComponent("server.crt").path)
        return try await PostgresConnection.connect(
            PostgresConfiguration(url: cluster.url(host: host, parameters: filled)), logger: TestPostgres.logger)
    }

    @Test(arguments: [
        ("localhost", "sslmode=verify-full&sslrootcert=CA", true),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=CA", true),
        ("127.0.0.1", "sslmode=require", true), ("127.0.0.1", "sslmode=disable", false), ("127.0.0.1", "", false),
    ])
    func `what is right connects`(host: String, parameters: String, isEncrypted: Bool) async throws {
        let connection = try await connect(host: host, parameters)
        #expect(connection.isEncrypted == isEncrypted)
        let seen = try await connection.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        #expect(try seen[0].decode(Bool.self, at: 0) == isEncrypted)
        await connection.close()
    }

    @Test(arguments: [
        // The name differs; the authority is another.
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=CA"), ("localhost", "sslmode=verify-full"),
        ("localhost", "sslmode=verify-ca"),
    ])
    func `what is wrong does not`(host: String, parameters: String) async throws {
        let error = await #expect(throws: PostgresError.self) { try await connect(host: host, parameters) }
        #expect(error?.kind == .connection)
        #expect(error?.message.contains("certificate") == true)
    }

    @Test func `a server without TLS is refused when it is required`() async throws {
        let plain = try await TestPostgres.shared.adminURL
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(
                PostgresConfiguration(url: plain + "?sslmode=require"), logger: TestPostgres.logger)
        }
        #expect(error?.kind == .connection)
    }

    @Test func `large answers and COPY through TLS`() async throws {
        let connection = try await connect(host: "localhost", "sslmode=verify-full&sslrootcert=CA")
        let rows = try await connection.query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
        #expect(rows.count == 5000)
        try await connection.execute("CREATE TEMPORARY TABLE t (id int8, filler text)")
        let stored = try await connection.copyIn("COPY t FROM STDIN (FORMAT binary)", rows: 0..<20_000) { id, writer in
            writer.row(id, String(repeating: "y", count: 100))
        }
        #expect(stored == 20_000)
        await connection.close()
    }

    @Test func `modes that may end in plain text are refused, and other hosts are verified by default`() throws {
        for mode in ["prefer", "allow", "nonsense"] {
            let error = #expect(throws: PostgresError.self) {
                try PostgresConfiguration(url: "postgres://a@b/c?sslmode=\(mode)")
            }
            #expect(error?.kind == .configuration)
        }
        #expect(try PostgresConfiguration(url: "postgres://a@db.example.org/c").tls == .verifyFull)
        #expect(try PostgresConfiguration(url: "postgres://a@localhost/c").tls == .disable)
        for url in ["", "mysql://x", "host=a dbname=b", "postgres://a:b@c:port/d?x=y", "postgres://secret@%zz"] {
            let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(url: url) }
            #expect(error?.kind == .configuration && error?.message.contains("secret") == false)
        }
    }
}
