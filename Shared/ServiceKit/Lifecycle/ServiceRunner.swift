public import Logging
public import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Runs the parts of a service until it is told to stop.
///
/// SIGTERM or SIGINT: `drain` begins (readyz answers 503), the service goes on for `lag`, then the parts are stopped in the
/// reverse of their order, each finishing what is in flight. After `limit` what still runs is cancelled, and `grace` later the
/// process ends by force. A second signal ends it at once.
public enum ServiceRunner {
    /// - Parameters:
    ///   - services: in the order of their start: pool, ops server, workers, HTTP server. The last one stops first.
    ///   - lag: how long to go on serving after the signal, so that load balancers notice.
    ///   - limit: how long stopping may take before what still runs is cancelled.
    /// - Throws: what made a part fail. Returns when all parts have stopped.
    public static func run(
        services: [any Service], drain: DrainState, lag: Duration = .zero, limit: Duration = .seconds(20),
        grace: Duration = .seconds(4), logger: Logger
    ) async throws {
        signal(SIGPIPE, SIG_IGN)
        var configuration = ServiceGroupConfiguration(
            services: services + [DrainGate(drain: drain, lag: lag, logger: logger)], logger: logger)
        configuration.maximumGracefulShutdownDuration = limit
        let group = ServiceGroup(configuration: configuration)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        defer { LogSink.standardError.flush() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                tasks.addTask { await watch(signals, group: group, limit: limit + grace, drain: drain, logger: logger) }
                try await tasks.next()
                tasks.cancelAll()
            }
        } catch  where drain.isDraining && !(error is StartupFailure) {
            logger.warning("Stopped before everything had finished", metadata: ["error": "\(error)"])
        }
    }

    private static func watch(
        _ signals: UnixSignalsSequence, group: ServiceGroup, limit: Duration, drain: DrainState, logger: Logger
    ) async {
        guard let first = await next(signals) else { return }
        logger.info("Stopping", metadata: ["signal": "\(first)"])
        drain.begin()
        await group.triggerGracefulShutdown()
        await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                do { try await Task.sleep(for: limit) } catch { return false }
                return true
            }
            tasks.addTask { await next(signals) != nil }
            // Both ends are reached only by a second signal or by the deadline; cancellation means that all has stopped.
            if await tasks.next() == true, !Task.isCancelled {
                logger.error("Ended by force")
                LogSink.standardError.flush(timeout: .milliseconds(500))
                _exit(1)
            }
            tasks.cancelAll()
        }
    }

    /// The stream behind the sequence has one reader at a time: an iterator a wait.
    private static func next(_ signals: UnixSignalsSequence) async -> UnixSignal? {
        var iterator = signals.makeAsyncIterator()
        return await iterator.next()
    }

    /// Something that kept the service from starting.
    public struct StartupFailure: Error, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }
}

/// The last part in the order, so the first to be stopped: it tells the others that stopping has begun and waits.
struct DrainGate: Service {
    let drain: DrainState
    let lag: Duration
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        drain.begin()
        if lag > .zero { try? await Task.sleep(for: lag) }
    }
}
