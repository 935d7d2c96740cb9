import Foundation
import HTTPFetch
import Synchronization
import TestSupport
import WireFormat

/// The real `optimizer` beside the test bundle, over a test's database.
final class OptimizerProcess: Sendable {
    struct NotStarted: Error, CustomStringConvertible {
        var description: String
    }

    /// Where it listens; nil where it died before.
    let url: String?
    private let process: Child

    /// Used by the thread that waits for the end, and through its id, which never changes.
    private final class Child: @unchecked Sendable {
        let process: Process
        let ended = Mutex<Bool>(false)
        init(_ process: Process) { self.process = process }
    }

    private init(url: String?, process: Child) {
        self.url = url
        self.process = process
    }

    static let path: String? = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("optimizer").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    /// Starts it and waits until it listens or has died.
    static func start(
        _ database: TestDatabase, failpoints: String = "", environment: [String: String] = [:]
    ) async throws -> OptimizerProcess {
        guard let path else { throw NotStarted(description: "optimizer is not beside the tests") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["serve"]
        process.environment = [
            "BALLAST_DATABASE_URL": database.url, "BALLAST_OPTIMIZER_PORT": "0", "BALLAST_OPTIMIZER_OPS_PORT": "0",
            "BALLAST_SQL_DIRECTORY": RepositoryRoot.migrations.path, "BALLAST_REALTIME_URL": "",
            "BALLAST_SOLVER_THREADS": "1", "BALLAST_POOL_SIZE": "3",
            "FAILPOINTS_ENABLED": failpoints.isEmpty ? "0" : "1",
            "FAILPOINTS": failpoints,
        ].merging(environment) { $1 }
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = FileHandle.nullDevice
        let (ports, found) = AsyncStream.makeStream(of: String.self)
        try process.run()
        let child = Child(process)
        let reading = pipe.fileHandleForReading
        DispatchQueue.global().async {
            var text = ""
            while true {
                let data = reading.availableData
                guard !data.isEmpty else { break }
                text += String(decoding: data, as: UTF8.self)
                while let end = text.firstIndex(of: "\n") {
                    let line = String(text[..<end])
                    text = String(text[text.index(after: end)...])
                    guard let json = try? StrictJSON.parse(line), json["message"] == "Listening",
                        let port = json["port"]?.stringValue ?? json["metadata"]?["port"]?.stringValue
                    else { continue }
                    found.yield("http://127.0.0.1:\(port)")
                }
            }
            child.process.waitUntilExit()
            child.ended.withLock { $0 = true }
            found.finish()
        }
        var first = ports.makeAsyncIterator()
        return OptimizerProcess(url: await first.next(), process: child)
    }

    var hasEnded: Bool { process.ended.withLock { $0 } }

    /// SIGKILL: no handler, no goodbye.
    func kill() {
        guard !hasEnded else { return }
        Glibc.kill(process.process.processIdentifier, SIGKILL)
    }

    func call(_ method: HTTPRequest.Method, _ path: String, _ body: JSONValue, key: String) async throws -> Int {
        guard let url else { throw NotStarted(description: "it died before it listened") }
        var request = HTTPRequest(
            method, url + path,
            headers: [HTTPHeader("Authorization", "Bearer \(key)"), HTTPHeader("Content-Type", "application/json")],
            body: body.bytes())
        request.timeout = .seconds(20)
        return try await HTTPClient().fetch(request).status
    }
}
