import Foundation
import PostgresClient
import Realtime
import ServiceKit
import Synchronization
import TestSupport
import Testing
import WebSocketTransport
import WireFormat

@testable import StoreNotifier

@Suite("Durable subscribers", .timeLimit(.minutes(3)))
struct DurabilityTests {
    /// Reads until the connection ends, keeping what has been received.
    static func drain(_ client: Client, into seen: inout [RealtimeChange]) async {
        while let message = try? await client.next() {
            if let change = RealtimeChange(payload: message.payload) { seen.append(change) }
        }
    }

    static func check(_ seen: [RealtimeChange], rows: Int) {
        let hours = seen.compactMap { $0.record?["timestamp"]?.stringValue }
        #expect(Set(hours).count == rows)
        // What is delivered again comes with the same commit_timestamp, so that a reader can tell.
        #expect(Set(seen.map(\.commitTimestamp)).count == rows)
        var first: [String] = []
        for change in seen where !first.contains(change.commitTimestamp) { first.append(change.commitTimestamp) }
        #expect(first == first.sorted())
    }

    @Test("20 random cuts lose nothing", arguments: RealtimeVersion.allCases)
    func randomCuts(version: RealtimeVersion) async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let rows = 400
        try await RunningNotifier.run(database) { notifier in
            let token = try await RunningNotifier.token()
            var client = try await notifier.connect(version, token: token, query: "&subscriber=one")
            try await client.join("realtime:c", changes: [Client.binding()])
            var seen: [RealtimeChange] = []
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for hour in 0..<rows {
                        do {
                            try await pool.insertPrice("C", hour: hour)
                        } catch {
                            Issue.record("the writer failed: \(error)")
                            throw error
                        }
                    }
                }
                // Once all rows have been read and acknowledged, no more changes come to a connection.
                func isComplete() -> Bool {
                    Set(seen.compactMap { $0.record?["timestamp"]?.stringValue }).count == rows
                }
                for _ in 0..<20 where !isComplete() {
                    for _ in 0..<Int.random(in: 1...15) where !isComplete() {
                        seen.append(try await client.nextChange())
                    }
                    client.connection.abort()
                    await Self.drain(client, into: &seen)
                    client = try await notifier.connect(version, token: token, query: "&subscriber=one")
                    let ref = client.send(
                        "phx_join", "realtime:c", payload: ["config": ["postgres_changes": [Client.binding()]]])
                    let reply = try await client.next("phx_reply")
                    #expect(reply.ref == ref && reply.payload["status"] == "ok")
                }
                // While the writer still writes, and with heartbeats as every client of Supabase sends them: on a busy machine it
                // needs longer than a silent client is kept.
                while !isComplete() {
                    client.send("heartbeat", "phoenix")
                    seen.append(try await client.nextChange())
                }
                try await group.waitForAll()
            }
            Self.check(seen, rows: rows)
        }
    }

    @Test func `an explicit cursor begins after the given commit_timestamp`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        try await RunningNotifier.run(database) { notifier in
            let first = try await notifier.connect()
            try await first.join("realtime:s", changes: [Client.binding()])
            var stamps: [String] = []
            for hour in 0..<5 {
                try await pool.insertPrice("S", hour: hour)
                stamps.append(try await first.nextChange().commitTimestamp)
            }
            let second = try await notifier.connect(query: "&since=\(stamps[1])")
            try await second.join("realtime:s", changes: [Client.binding()])
            for hour in 2..<5 { #expect(try await second.nextChange().commitTimestamp == stamps[hour]) }
            // Older than the log: told to read afresh, without an error.
            let third = try await notifier.connect(query: "&since=2001-01-01T00:00:00Z")
            try await third.join("realtime:s", changes: [Client.binding()])
            let notice = try await third.next("system")
            #expect(notice.payload["status"] == "ok")
            #expect(notice.payload["message"]?.stringValue?.hasPrefix("CursorExpired: ") == true)
            #expect(try await third.next("system").payload["message"] == "Subscribed to PostgreSQL")
        }
    }

    @Test func `the cursor of another subject is not read`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        try await RunningNotifier.run(database) { notifier in
            for subject in ["a", "b"] {
                let client = try await notifier.connect(
                    token: try await RunningNotifier.token(subject: subject), query: "&subscriber=same")
                try await client.join("realtime:o", changes: [Client.binding()])
                if subject == "b" {
                    try await pool.insertPrice("O", hour: 1)
                    // Not the row of hour 0: b's own cursor begins at its join.
                    #expect(try await client.nextChange().record?["timestamp"] == "2024-01-01T01:00:00+00:00")
                }
                client.connection.abort()
                await client.connection.closed()
                if subject == "a" { try await pool.insertPrice("O", hour: 0) }
                while try await pool.query("SELECT rt.make_tick()").first?.decode(Int64?.self, at: 0) != nil {}
                try await Self.dispatched(notifier, pool)
            }
            let names = try await database.adminPool().query(
                "SELECT count(DISTINCT name) FROM rt.subscriber WHERE name <> 'optimizer'")
            #expect(try names.first?.decode(Int64.self, at: 0) == 2)
        }
    }

    /// Waits until the notifier has handed on all that is committed: a marker has come through.
    static func dispatched(_ notifier: RunningNotifier, _ pool: PostgresPool) async throws {
        let client = try await notifier.connect()
        try await client.join("realtime:marker", changes: [Client.binding("asset_symbol=eq.MARKER")])
        try await pool.insertPrice("MARKER", hour: Int.random(in: 0...1_000_000))
        _ = try await client.nextChange()
        client.connection.abort()
    }

    @Test func `kill -9 of the process loses nothing`() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let token = try await RunningNotifier.token()
        let rows = 60
        await NotifierSlots.shared.take()
        defer { Task { await NotifierSlots.shared.give() } }
        var seen: [RealtimeChange] = []
        var next = 0
        for round in 0..<3 {
            let process = try await NotifierProcess.start(database)
            let notifier = RunningNotifier(port: process.port, opsPort: process.opsPort)
            defer { process.kill() }
            let client = try await notifier.connect(token: token, query: "&subscriber=k")
            try await client.join("realtime:k", changes: [Client.binding()])
            for hour in next..<(round + 1) * rows / 3 - 5 { try await pool.insertPrice("K", hour: hour) }
            for _ in 0..<5 { seen.append(try await client.nextChange()) }
            process.kill()
            await Self.drain(client, into: &seen)
            // While nobody is there.
            for hour in ((round + 1) * rows / 3 - 5)..<(round + 1) * rows / 3 {
                try await pool.insertPrice("K", hour: hour)
            }
            next = (round + 1) * rows / 3
        }
        let process = try await NotifierProcess.start(database)
        defer { process.kill() }
        let client = try await RunningNotifier(port: process.port, opsPort: process.opsPort)
            .connect(token: token, query: "&subscriber=k")
        try await client.join("realtime:k", changes: [Client.binding()])
        while Set(seen.compactMap { $0.record?["timestamp"]?.stringValue }).count < rows {
            seen.append(try await client.nextChange())
        }
        Self.check(seen, rows: rows)
    }
}

/// The real executable.
final class NotifierProcess: Sendable {
    let port: Int
    let opsPort: Int
    private let identifier: Int32
    private let isKilled = Mutex(false)

    private init(port: Int, opsPort: Int, identifier: Int32) {
        self.port = port
        self.opsPort = opsPort
        self.identifier = identifier
    }

    static func start(_ database: TestDatabase) async throws -> NotifierProcess {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try ChildProcess.built("store-notifier"))
        process.arguments = ["serve"]
        process.environment = [
            "BALLAST_DATABASE_URL": database.url, "BALLAST_JWT_SECRET": RunningNotifier.secret,
            "BALLAST_NOTIFIER_PORT": "0",
            "BALLAST_NOTIFIER_OPS_PORT": "0", "BALLAST_SQL_DIRECTORY": RepositoryRoot.migrations.path,
        ]
        let pipe = Pipe()
        process.standardError = pipe
        // Not ours: an orphan must not keep whoever reads the tests' output waiting.
        process.standardOutput = FileHandle.nullDevice
        let (lines, line) = AsyncStream.makeStream(of: Int.self)
        let reader = LineReader { text in
            guard let json = try? StrictJSON.parse(text), let message = json["message"]?.stringValue,
                message.hasPrefix("Server started"), let port = message.split(separator: ":").last.flatMap({ Int($0) })
            else { return }
            line.yield(port)
        }
        try process.run()
        // A plain reader that owns the pipe until the process ends: Foundation's readability handler closes descriptors twice.
        let output = Output(process: process, pipe: pipe)
        DispatchQueue.global().async {
            // What is there now: `read(upToCount:)` would wait for all of it.
            while true {
                let data = output.pipe.fileHandleForReading.availableData
                guard !data.isEmpty else { break }
                reader.append(data)
            }
            line.finish()
            output.process.waitUntilExit()
        }
        var ports: [Int] = []
        for await port in lines {
            ports.append(port)
            if ports.count == 2 { break }
        }
        // Both say the same sentence: the operations port is the one that answers /readyz.
        guard ports.count == 2 else { throw Client.Ended() }
        let firstIsOps =
            (try? await HealthProbe.get(host: "127.0.0.1", port: ports[0], path: "/healthz"))?.status == 200
        let (ops, port) = firstIsOps ? (ports[0], ports[1]) : (ports[1], ports[0])
        while !(await HealthProbe.isReady(host: "127.0.0.1", port: ops)) { await Task.yield() }
        return NotifierProcess(port: port, opsPort: ops, identifier: process.processIdentifier)
    }

    /// Used by the reading thread alone once it has been started.
    private struct Output: @unchecked Sendable {
        let process: Process
        let pipe: Pipe
    }

    /// SIGKILL, once: the number may be another process's afterwards.
    func kill() {
        isKilled.withLock { isKilled in
            if !isKilled { Foundation.kill(identifier, SIGKILL) }
            isKilled = true
        }
    }
}

/// Splits what a pipe gives into lines.
final class LineReader: @unchecked Sendable {  // called by one queue
    private var rest = Data()
    private let handle: @Sendable (String) -> Void

    init(_ handle: @escaping @Sendable (String) -> Void) { self.handle = handle }

    func append(_ data: Data) {
        rest += data
        while let end = rest.firstIndex(of: 10) {
            handle(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
            rest = Data(rest[rest.index(after: end)...])
        }
    }
}
