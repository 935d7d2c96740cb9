import Foundation
import Logging
import PostgresClient
import Realtime
import ServiceKit
import TestSupport
import WebSocketTransport
import WireFormat

@testable import StoreNotifier

/// A notifier in this process, on a free port, over a database of its own.
struct RunningNotifier: Sendable {
    static let secret = "test-secret-test-secret-test-secret!"

    let port: Int
    let opsPort: Int

    /// Runs a notifier and gives it to the body; afterwards stops it as SIGTERM does.
    static func run<R: Sendable>(
        _ database: TestDatabase, configure: (inout Notifier.Settings) -> Void = { _ in },
        _ body: @escaping @Sendable (RunningNotifier) async throws -> R
    ) async throws -> R {
        await NotifierSlots.shared.take()
        defer { Task { await NotifierSlots.shared.give() } }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let (opsPorts, opsPort) = AsyncStream.makeStream(of: Int.self)
        var settings = Notifier.Settings()
        settings.port = 0
        settings.opsPort = 0
        settings.sqlDirectory = RepositoryRoot.migrations.path
        settings.rules.refusalDelay = .zero
        settings.joinRefusalDelay = .zero
        settings.onListening = { port.yield($0) }
        settings.onOpsListening = { opsPort.yield($0) }
        configure(&settings)
        let drain = DrainState()
        let notifier = Notifier.build(
            settings, pool: try database.pool(size: 6), tokens: try await JWTVerifier(secret: Secret(secret)),
            readiness: ReadinessChecks(drain: drain), metrics: PrometheusRegistry(), logger: TestPostgres.logger)
        let stop = StopService()
        let group = ServiceStack(services: notifier.services + [stop], logger: TestPostgres.logger)
        return try await withThrowingTaskGroup(of: R?.self) { tasks in
            tasks.addTask {
                try await group.run()
                return nil
            }
            tasks.addTask {
                var (all, allOps) = (ports.makeAsyncIterator(), opsPorts.makeAsyncIterator())
                guard let port = await all.next(), let opsPort = await allOps.next() else { throw CancellationError() }
                let running = RunningNotifier(port: port, opsPort: opsPort)
                while !(await HealthProbe.isReady(host: "127.0.0.1", port: opsPort)) { await Task.yield() }
                do {
                    let result = try await body(running)
                    stop.stop()
                    return result
                } catch {
                    stop.stop()
                    throw error
                }
            }
            var result: R?
            while let next = try await tasks.next() { if let next { result = next } }
            guard let result else { throw CancellationError() }
            return result
        }
    }

    /// A signed token.
    static func token(
        role: String = "authenticated", subject: String = "tester", tenant: UUID? = nil, lifetime: Double = 3600
    ) async throws -> String {
        let now = Date().timeIntervalSince1970
        return try await JWTVerifier(secret: Secret(secret)).mint(
            role: role, subject: subject, tenant: tenant, issued: now, expires: now + lifetime)
    }

    func url(_ version: RealtimeVersion, token: String, query: String = "") -> String {
        "ws://127.0.0.1:\(port)/realtime/v1/websocket?vsn=\(version.vsn)&apikey=\(token)\(query)"
    }

    func connect(_ version: RealtimeVersion = .v2, token: String? = nil, query: String = "") async throws -> Client {
        let token = if let token { token } else { try await Self.token() }
        return Client(try await WebSocketClient.connect(to: url(version, token: token, query: query)), version)
    }
}

/// Each notifier has some ten sessions, and the test server has two hundred: so many notifiers at a time.
actor NotifierSlots {
    static let shared = NotifierSlots(6)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func give() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

/// A client that speaks the protocol word by word. Used by one task.
final class Client: @unchecked Sendable {  // one task at a time
    let connection: WebSocketConnection
    let version: RealtimeVersion
    private var messages: WebSocketConnection.Messages.AsyncIterator
    private var lastRef = 0

    init(_ connection: WebSocketConnection, _ version: RealtimeVersion) {
        self.connection = connection
        self.version = version
        messages = connection.messages.makeAsyncIterator()
    }

    /// The connection ended, and how.
    struct Ended: Error {
        var closure: WebSocketClosure?
    }

    @discardableResult
    func send(_ event: String, _ topic: String, joinRef: String? = nil, payload: JSONValue = [:]) -> String {
        lastRef += 1
        let ref = String(lastRef)
        connection.send(
            version.encode(
                RealtimeMessage(
                    joinRef: event == "phx_join" ? ref : joinRef, ref: ref, topic: topic, event: event, payload: payload
                ),
                fromClient: true))
        return ref
    }

    /// The next text message.
    func next() async throws -> RealtimeMessage {
        while let message = await messages.next() {
            if case .text(let text) = message { return try version.decode(text) }
        }
        throw Ended(closure: connection.closure)
    }

    /// The next message of an event; others are skipped.
    func next(_ event: String) async throws -> RealtimeMessage {
        while true {
            let message = try await next()
            if message.event == event { return message }
        }
    }

    func nextBinary() async throws -> [UInt8] {
        while let message = await messages.next() {
            if case .binary(let bytes) = message { return bytes }
        }
        throw Ended(closure: connection.closure)
    }

    /// The next change.
    func nextChange() async throws -> RealtimeChange {
        guard let change = RealtimeChange(payload: try await next("postgres_changes").payload) else {
            throw Ended(closure: connection.closure)
        }
        return change
    }

    /// Joins and returns the reply's payload.
    @discardableResult
    func join(_ topic: String, changes: [JSONValue] = [], config: JSONObject = JSONObject()) async throws -> JSONValue {
        var config = config
        config["postgres_changes"] = .array(changes)
        let ref = send("phx_join", topic, payload: ["config": .object(config)])
        while true {
            let reply = try await next("phx_reply")
            if reply.ref == ref { return reply.payload }
        }
    }

    static func binding(
        _ filter: String? = nil, event: String = "*", table: String = "market_data", schema: String = "public"
    ) -> JSONValue {
        var entry = JSONObject([("event", .string(event)), ("schema", .string(schema)), ("table", .string(table))])
        if let filter { entry["filter"] = .string(filter) }
        return .object(entry)
    }
}

extension PostgresPool {
    /// A row of the specification's table.
    func insertPrice(_ symbol: String, hour: Int, price: String = "100.50") async throws {
        try await execute(
            """
            INSERT INTO market_data (asset_symbol, "timestamp", price)
            VALUES (\(symbol), '2024-01-01Z'::timestamptz + \(Int64(hour)) * interval '1 hour', \(price)::text::numeric)
            """)
    }
}
