import Foundation
import HTTPFetch
import Logging
import PostgresClient
import Testing
import WireFormat

/// The real processes against a real PostgreSQL: the project's own local stack, started in a temporary folder on the executables
/// that were built with these tests.
final class LocalStack: Sendable {
    /// What `deploy/local/up` wrote to `ballast.env`.
    let environment: [String: String]
    let pool: PostgresPool
    private let state: URL
    private let http = HTTPClient()

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The folder of the executables: where this test bundle lies.
    static let executables = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    static let isBuilt = ["etl", "store-notifier", "optimizer", "ballast"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: executables.appending(path: $0).path)
    }

    private init(state: URL, environment: [String: String], pool: PostgresPool) {
        self.state = state
        self.environment = environment
        self.pool = pool
    }

    /// Starts a stack, hands it to `body`, and stops it, whatever happens.
    static func with(_ body: (LocalStack) async throws -> Void) async throws {
        let state = FileManager.default.temporaryDirectory.appending(path: "ballast-end-to-end-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
        do {
            try await run("up", state: state)
            let environment = try variables(of: state)
            let configuration = try PostgresConfiguration(
                url: try #require(environment["BALLAST_DATABASE_URL"]))
            let pool = PostgresPool(
                configuration, size: 4, waitTimeout: .seconds(30), logger: Logger(label: "end-to-end"))
            let stack = LocalStack(state: state, environment: environment, pool: pool)
            try await body(stack)
        } catch {
            stopAndRemove(state)
            throw error
        }
        stopAndRemove(state)
    }

    private static func stopAndRemove(_ state: URL) {
        let cluster = try? FileManager.default.destinationOfSymbolicLink(atPath: state.appending(path: "postgres").path)
        let down = process("down", state: state)
        try? down.run()
        down.waitUntilExit()
        if let cluster, cluster.contains("/ballast-") { try? FileManager.default.removeItem(atPath: cluster) }
        try? FileManager.default.removeItem(at: state)
    }

    private static func variables(of state: URL) throws -> [String: String] {
        let text = try String(contentsOf: state.appending(path: "ballast.env"), encoding: .utf8)
        let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
        return Dictionary(pairs) { first, _ in first }
    }

    // MARK: Scripts of deploy/local

    private static func process(_ script: String, _ arguments: [String] = [], state: URL) -> Process {
        let process = Process()
        process.executableURL = root.appending(path: "deploy/local/\(script)")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        var environment = ProcessInfo.processInfo.environment
        for name in environment.keys where name.hasPrefix("BALLAST_") { environment[name] = nil }
        environment["BALLAST_STATE_DIR"] = state.path
        environment["BALLAST_BIN"] = executables.path
        process.environment = environment
        return process
    }

    /// Runs a script to its end; a failure carries the last lines that it wrote.
    private static func run(_ script: String, _ arguments: [String] = [], state: URL) async throws {
        let process = process(script, arguments, state: state)
        let log = state.appending(path: "\(script)-\(UUID().uuidString).log")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        let output = try FileHandle(forWritingTo: log)
        process.standardOutput = output
        process.standardError = output
        let status = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { done.resume(throwing: error) }
        }
        guard status == 0 else {
            let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
            throw ScriptFailure(script: script, status: status, output: String(text.suffix(2000)))
        }
    }

    struct ScriptFailure: Error {
        let script: String
        let status: Int32
        let output: String
    }

    /// Brings back whatever has died.
    func up() async throws { try await Self.run("up", state: state) }

    /// Restarts PostgreSQL as after a crash, with recovery.
    func crashPostgres() async throws { try await Self.run("restart-postgres", ["immediate"], state: state) }

    /// Kills a service at once: no handler, no goodbye.
    func kill(_ service: String) throws {
        let variables = try Self.variables(of: state)
        let name = "BALLAST_PID_" + service.uppercased().replacing("-", with: "_")
        let pid = try #require(variables[name].flatMap { Int32($0) })
        Glibc.kill(pid, SIGKILL)
    }

    // MARK: HTTP

    func call(
        _ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil
    ) async throws -> (status: Int, body: JSONValue) {
        let url = try #require(environment["BALLAST_URL"])
        let key = try #require(environment["BALLAST_API_KEY"])
        let request = HTTPRequest(
            method, url + path,
            headers: [HTTPHeader("Authorization", "Bearer \(key)"), HTTPHeader("Content-Type", "application/json")],
            body: body.map { Array($0.serialized().utf8) })
        let response = try await http.fetch(request)
        return (response.status, response.body.isEmpty ? .null : try StrictJSON.parse(response.body))
    }

    /// POST /api/portfolio/optimize, which has to answer 200.
    func optimize(_ request: JSONValue) async throws -> JSONValue {
        let (status, body) = try await call(.post, "/api/portfolio/optimize", request)
        try #require(status == 200, "\(status): \(body.serialized())")
        return body
    }

    // MARK: Waiting

    /// Repeats a question until it is answered with true. The services signal their work to each other, not to us, so that this asks.
    func wait(
        _ what: String, atMost limit: Duration = .seconds(60), until isTrue: () async throws -> Bool
    ) async throws {
        let start = ContinuousClock.now
        while true {
            if try await isTrue() { return }
            try #require(ContinuousClock.now - start < limit, "waited \(limit) for \(what)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Waits until the etl has stored the samples' closes of a symbol.
    func waitForSamples(_ symbols: [String]) async throws {
        for symbol in symbols {
            try await wait("the closes of \(symbol)", atMost: .seconds(180)) {
                let rows = try await pool.query(
                    "select count(*) from market_data where asset_symbol = \(symbol) and timestamp >= '2022-12-20'")
                return try rows.first?.decode(Int64.self, at: 0) ?? 0 > 0
            }
        }
    }
}

extension JSONValue {
    subscript(_ key: String) -> JSONValue? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var double: Double? {
        if case .number(let number) = self { number.double } else { nil }
    }
}
