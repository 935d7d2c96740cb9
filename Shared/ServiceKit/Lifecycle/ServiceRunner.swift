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
        let (stopping, begin) = AsyncStream.makeStream(of: Void.self)
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                tasks.addTask {
                    var isStopping = false
                    for await signal in signals {
                        if isStopping { endByForce("A second signal", logger) }
                        isStopping = true
                        logger.info("Stopping", metadata: ["signal": "\(signal)"])
                        drain.begin()
                        begin.yield()
                        await group.triggerGracefulShutdown()
                    }
                }
                tasks.addTask {
                    for await _ in stopping {
                        try await Task.sleep(for: limit + grace)
                        endByForce("Stopping took too long", logger)
                    }
                }
                try await tasks.next()
                tasks.cancelAll()
            }
        } catch  where drain.isDraining && !(error is StartupFailure) {
            logger.warning("Stopped before everything had finished", metadata: ["error": "\(error)"])
        }
    }

    private static func endByForce(_ reason: String, _ logger: Logger) {
        logger.error("Ended by force", metadata: ["reason": "\(reason)"])
        LogSink.standardError.flush(timeout: .milliseconds(500))
        _exit(1)
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
        // Cancelled, not stopped: another part has failed, and its error is the news.
        do { try await gracefulShutdown() } catch { return }
        drain.begin()
        if lag > .zero { try? await Task.sleep(for: lag) }
    }
}
