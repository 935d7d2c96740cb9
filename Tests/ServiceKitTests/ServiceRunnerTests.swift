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

    @Test("a second signal ends the process at once")
    func secondSignal() async {
        await #expect(processExitsWith: .exitCode(1)) {
            let (starts, started) = AsyncStream.makeStream(of: Void.self)
            let drain = DrainState()
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            async let run: Void = ServiceRunner.run(
                services: [Deaf(started: started)], drain: drain, limit: .seconds(600), logger: logger)
            for await _ in starts { break }
            kill(getpid(), SIGTERM)
            while !drain.isDraining { await Task.yield() }
            kill(getpid(), SIGTERM)
            try await run
        }
    }

    @Test("what does not even heed cancellation is ended by force after the grace")
    func force() async {
        await #expect(processExitsWith: .exitCode(1)) {
            let (starts, started) = AsyncStream.makeStream(of: Void.self)
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            async let run: Void = ServiceRunner.run(
                services: [Deaf(started: started)], drain: DrainState(), limit: .milliseconds(20),
                grace: .milliseconds(20),
                logger: logger)
            for await _ in starts { break }
            kill(getpid(), SIGTERM)
            try await run
        }
    }

    @Test("the failpoint crash leaves without cleaning up")
    func crash() async {
        await #expect(processExitsWith: .exitCode(137)) { try await Failpoints("x=crash@2").hitTwice("x") }
    }
}

/// Heeds neither a graceful stop nor cancellation.
private struct Deaf: Service {
    let started: AsyncStream<Void>.Continuation
    func run() async throws {
        started.yield()
        await withCheckedContinuation { (never: CheckedContinuation<Void, Never>) in
            Self.kept.withLock { $0.append(never) }
        }
    }
    private static let kept = Mutex<[CheckedContinuation<Void, Never>]>([])
}

extension Failpoints {
    fileprivate func hitTwice(_ name: String) async throws {
        try await hit(name)
        try await hit(name)
    }
}
