import Foundation
import Logging
import ServiceKit
import ServiceLifecycle
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite("Service runner", .serialized)
struct ServiceRunnerTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs until it is told to stop, then writes its name down.
    private struct Part: Service {
        let name: String
        let started: AsyncStream<Void>.Continuation
        let stopped: Log
        func run() async throws {
            started.yield()
            try await gracefulShutdown()
            stopped.names.withLock { $0.append(name) }
        }
    }

    private final class Log: Sendable {
        let names = Mutex<[String]>([])
    }

    @Test("SIGTERM: drains, stops the parts in the reverse of their order, returns", .timeLimit(.minutes(1)))
    func terminates() async throws {
        let (starts, started) = AsyncStream.makeStream(of: Void.self)
        let log = Log()
        let drain = DrainState()
        let parts = ["pool", "worker", "http"].map { Part(name: $0, started: started, stopped: log) }
        async let run: Void = ServiceRunner.run(services: parts, drain: drain, logger: logger)
        var signals = starts.makeAsyncIterator()
        for _ in parts { await signals.next() }
        #expect(!drain.isDraining)
        kill(getpid(), SIGTERM)
        try await run
        #expect(drain.isDraining)
        #expect(log.names.withLock { $0 } == ["http", "worker", "pool"])
    }

    @Test("a part that never stops is cancelled after the limit", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        struct Stubborn: Service {
            let started: AsyncStream<Void>.Continuation
            func run() async throws {
                started.yield()
                try await Task.sleep(for: .seconds(3600))
            }
        }
        let (starts, started) = AsyncStream.makeStream(of: Void.self)
        let drain = DrainState()
        async let run: Void = ServiceRunner.run(
            services: [Stubborn(started: started)], drain: drain, limit: .milliseconds(100), grace: .seconds(600),
            logger: logger)
        var signals = starts.makeAsyncIterator()
        await signals.next()
        kill(getpid(), SIGTERM)
        try await run
        #expect(drain.isDraining)
    }

    @Test("a part that fails ends the service with its error", .timeLimit(.minutes(1)))
    func fails() async throws {
        struct Broken: Error {}
        struct Failing: Service {
            func run() async throws { throw Broken() }
        }
        await #expect(throws: Broken.self) {
            try await ServiceRunner.run(services: [Failing()], drain: DrainState(), logger: logger)
        }
    }
}
