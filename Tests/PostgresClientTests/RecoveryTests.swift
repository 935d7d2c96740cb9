import Foundation
import PostgresClient
import TestSupport
import Testing

/// What a crash or a restart of the server looks like from here, on servers of their own.
@Suite(.serialized) struct `Recovery from the server's end` {
    @Test func `SIGKILL of the server: pool and listener go on by themselves`() async throws {
        let cluster = try await TestPostgres.Cluster()
        let configuration = try PostgresConfiguration(url: cluster.url())
        let pool = PostgresPool(configuration, size: 4, waitTimeout: .seconds(10), logger: TestPostgres.logger)
        try await pool.execute("CREATE TABLE t (id int)")
        var listener = PostgresListener(configuration, logger: TestPostgres.logger).notifications(channels: ["c"])
            .makeAsyncIterator()
        #expect(await listener.next() == .connected)
        let victims = (0..<3).map { _ in Task { try await pool.query("SELECT pg_sleep(30)") } }
        try await withDeadline {
            while try await pool.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'").count < 3 {}
        }
        try await cluster.kill()
        for victim in victims {
            let error = try await withDeadline { await #expect(throws: PostgresError.self) { try await victim.value } }
            #expect(error?.isConnectionFailure == true)
        }
        #expect(await listener.next() == .disconnected)
        let refused = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(refused?.isConnectionFailure == true)
        try await cluster.start()
        try await pool.execute("INSERT INTO t VALUES (1)")
        let events = try await withDeadline { [listener] in
            var listener = listener
            let connected = await listener.next()
            try await pool.execute("NOTIFY c, 'again'")
            return [connected, await listener.next()]
        }
        #expect(events == [.connected, .notification(channel: "c", payload: "again")])
        #expect(pool.statistics.leased == 0)
    }

    @Test func `an ordinary restart is not seen by who asks afterwards`() async throws {
        let cluster = try await TestPostgres.Cluster()
        let pool = PostgresPool(try PostgresConfiguration(url: cluster.url()), size: 2, logger: TestPostgres.logger)
        try await pool.execute("CREATE TABLE t (id int)")
        try await cluster.restart()
        try await pool.execute("INSERT INTO t VALUES (1)")
        try await pool.transaction { connection in try await connection.execute("INSERT INTO t VALUES (2)") }
        #expect(try await pool.query("SELECT count(*) FROM t")[0].decode(Int.self, at: 0) == 2)
    }

    @Test func `no server, no name, a server that says nothing`() async throws {
        let cluster = try await TestPostgres.Cluster()
        try await cluster.stop()
        let refused = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(PostgresConfiguration(url: cluster.url()), logger: TestPostgres.logger)
        }
        #expect(refused?.kind == .connection)
        let unknown = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(
                PostgresConfiguration(url: "postgres://a@no-such-host.invalid/b?sslmode=disable"),
                logger: TestPostgres.logger)
        }
        #expect(unknown?.isConnectionFailure == true)
        // A socket that accepts and stays silent.
        let silent = try SilentServer()
        var configuration = try PostgresConfiguration(url: "postgres://a@127.0.0.1:\(silent.port)/b")
        configuration.connectTimeout = .milliseconds(200)
        let clock = ContinuousClock()
        let took = await clock.measure {
            let error = await #expect(throws: PostgresError.self) {
                try await PostgresConnection.connect(configuration, logger: TestPostgres.logger)
            }
            #expect(error?.kind == .connectTimeout && error?.isTransient == true)
        }
        #expect(took < .seconds(3))
    }

    @Test func `passwords are checked, and one that was rotated is read again`() async throws {
        let cluster = try await TestPostgres.Cluster()
        let admin = try await PostgresConnection.connect(
            PostgresConfiguration(url: cluster.url()), logger: TestPostgres.logger)
        try await admin.execute("CREATE ROLE password_user LOGIN PASSWORD 'first'")
        let wrong = try PostgresConfiguration(url: cluster.url(user: "password_user", password: "wrong"))
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(wrong, logger: TestPostgres.logger)
        }
        #expect(error?.isAuthenticationFailure == true && error?.isTransient == false)
        #expect(!"\(wrong)\(String(reflecting: wrong))".contains("wrong"))

        let file = FileManager.default.temporaryDirectory.appendingPathComponent("ballast-\(UUID().uuidString).url")
        defer { try? FileManager.default.removeItem(at: file) }
        try cluster.url(user: "password_user", password: "first").write(to: file, atomically: true, encoding: .utf8)
        let pool = PostgresPool(
            try PostgresConfiguration(environment: ["BALLAST_DATABASE_URL_FILE": file.path]), size: 1,
            logger: TestPostgres.logger)
        #expect(try await pool.query("SELECT current_user::text")[0].decode(String.self, at: 0) == "password_user")
        try await admin.execute("ALTER ROLE password_user PASSWORD 'second'")
        try (cluster.url(user: "password_user", password: "second") + "\n").write(
            to: file, atomically: true, encoding: .utf8)
        try await admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'password_user'")
        #expect(try await pool.query("SELECT 1").count == 1)
    }
}

/// Listens on a free port of 127.0.0.1 and never answers.
private final class SilentServer {
    let port: Int
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, raw, &length) == 0
            }
        }
        try #require(isBound)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}
