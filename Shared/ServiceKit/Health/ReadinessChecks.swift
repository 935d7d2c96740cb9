import Synchronization
public import WireFormat

/// What has to be well before a service takes traffic: the database answers, migrations match, the queue is not full.
public final class ReadinessChecks: Sendable {
    /// A check answers a short detail, or throws what is wrong.
    public typealias Check = @Sendable () async throws -> String

    private let checks = Mutex<[(name: String, check: Check)]>([])
    private let timeout: Duration
    /// Whether the service is stopping: then it is not ready, whatever the checks say.
    public let drain: DrainState

    /// - Parameter timeout: how long a check may take; a slower one has failed.
    public init(drain: DrainState = DrainState(), timeout: Duration = .seconds(1)) {
        self.drain = drain
        self.timeout = timeout
    }

    public func add(_ name: String, _ check: @escaping Check) {
        checks.withLock { $0.append((name, check)) }
    }

    /// The answers of all checks, taken at the same time.
    public struct Report: Sendable {
        public var isReady: Bool
        public var json: JSONValue
    }

    /// Runs every check, each at most `timeout`.
    public func report() async -> Report {
        let checks = checks.withLock { $0 }
        let timeout = timeout
        let results = await withTaskGroup(of: (Int, Bool, JSONValue).self) { group in
            for (n, entry) in checks.enumerated() {
                group.addTask {
                    let start = ContinuousClock.now
                    var ok = true
                    var detail: String
                    do {
                        detail = try await withTimeLimit(timeout) { try await entry.check() }
                    } catch is TimeLimitPassed {
                        ok = false
                        detail = "no answer within \(timeout)"
                    } catch {
                        ok = false
                        detail = (error as? NotReady)?.description ?? Problem(mapping: error)?.detail ?? "failed"
                    }
                    let elapsed = (ContinuousClock.now - start) / .milliseconds(1)
                    return (
                        n, ok,
                        ["ok": .bool(ok), "detail": .string(detail), "ms": JSONValue((elapsed * 100).rounded() / 100)]
                    )
                }
            }
            var results: [(Int, Bool, JSONValue)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }
        }
        let draining = drain.isDraining
        let ready = !draining && results.allSatisfy { $0.1 }
        let json: JSONValue = [
            "ready": .bool(ready), "draining": .bool(draining),
            "checks": .object(JSONObject(zip(checks, results).map { ($0.name, $1.2) })),
        ]
        return Report(isReady: ready, json: json)
    }
}

/// Whether this process has been told to stop.
public final class DrainState: Sendable {
    private let draining = Atomic<Bool>(false)
    public init() {}
    public var isDraining: Bool { draining.load(ordering: .relaxed) }
    public func begin() { draining.store(true, ordering: .relaxed) }
}
