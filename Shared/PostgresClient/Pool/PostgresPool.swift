import Synchronization
public import Logging
public import ServiceLifecycle

/// A bounded number of sessions, opened when needed, lent in the order of asking.
///
/// Works from the start; `run()` closes it at a graceful shutdown. A connection that failed, is older than its lifetime, or comes back inside a transaction is
/// dropped and replaced, so a restart of the server needs no other step than asking again.
public final class PostgresPool: Service, Sendable {
    /// Figures for metrics.
    public struct Statistics: Sendable, Hashable {
        /// The bound.
        public var size = 0
        /// Open and unused.
        public var idle = 0
        /// Lent, or being opened.
        public var leased = 0
        /// Tasks in the queue.
        public var waiting = 0
        /// Connections opened since the start.
        public var opened = 0
        /// Connections closed since the start.
        public var closed = 0
        /// Waits that ended with `.poolTimeout` since the start.
        public var timeouts = 0
        /// Transactions run again after 40001, 40P01 or a changed table since the start.
        public var retries = 0
    }

    /// How a wait ended.
    enum Turn: Sendable {
        case lease(PostgresConnection)
        case open, timedOut, cancelled, closed
    }

    typealias State = PoolState<PostgresConnection, CheckedContinuation<Turn, Never>>

    struct Counters {
        var opened = 0
        var closed = 0
        var timeouts = 0
        var retries = 0
        var nextWaiter: UInt64 = 0
    }

    /// The settings of its connections.
    public let configuration: PostgresConfiguration
    private let waitTimeout: Duration
    private let maximumLifetime: Duration
    private let logger: Logger
    private let state: Mutex<State>
    let counters = Mutex(Counters())
    private let isClosing = OneShot<Void>()

    /// A pool of at most `size` connections; `waitTimeout` bounds the wait for one; `maximumLifetime` (30 minutes) is shortened by up to a tenth
    /// for each connection so that they don't end together.
    public init(
        _ configuration: PostgresConfiguration, size: Int, waitTimeout: Duration = .seconds(5),
        maximumLifetime: Duration = .seconds(1800), logger: Logger
    ) {
        self.configuration = configuration
        self.waitTimeout = waitTimeout
        self.maximumLifetime = maximumLifetime
        self.logger = logger
        state = Mutex(State(size: size))
    }

    /// Waits for the graceful shutdown or the cancellation of its task, then closes the pool.
    public func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await isClosing.value()
        } onCancelOrGracefulShutdown: {
            self.isClosing.set(())
        }
        await close()
    }

    /// Hands out no more connections and closes the idle ones; those in use are closed when they come back.
    public func close() async {
        isClosing.set(())
        let (idle, waiters) = state.withLock { $0.close() }
        for waiter in waiters { waiter.resume(returning: .closed) }
        for connection in idle { await drop(connection) }
    }

    /// How it stands.
    public var statistics: Statistics {
        var result = Statistics()
        state.withLock { state in
            result.size = state.size
            result.idle = state.idle.count
            result.leased = state.leased
            result.waiting = state.waiting
        }
        counters.withLock { counters in
            result.opened = counters.opened
            result.closed = counters.closed
            result.timeouts = counters.timeouts
            result.retries = counters.retries
        }
        return result
    }

    /// Runs one statement on any connection and returns its rows. It is a transaction of its own, as the login role.
    ///
    /// - Throws: `.server`, `.connection`, `.poolTimeout`, `.cancelled`.
    public func query(_ sql: SQL) async throws(PostgresError) -> [PostgresRow] {
        try await pipeline([sql])[0]
    }

    /// Runs one statement on any connection and returns the number of rows it affected.
    ///
    /// - Throws: as `query`.
    @discardableResult
    public func execute(_ sql: SQL) async throws(PostgresError) -> Int {
        try await lend { connection throws(PostgresError) in try await connection.execute(sql) }
    }

    /// Runs statements on any connection as one transaction and one round trip.
    ///
    /// - Throws: as `query`.
    public func pipeline(_ statements: [SQL]) async throws(PostgresError) -> [[PostgresRow]] {
        try await lend { connection throws(PostgresError) in try await connection.pipeline(statements) }
    }

    private func lend<R: Sendable>(
        _ body: (PostgresConnection) async throws(PostgresError) -> R
    ) async throws(PostgresError) -> R {
        let connection = try await acquire()
        do throws(PostgresError) {
            let result = try await body(connection)
            await release(connection)
            return result
        } catch {
            await release(connection)
            throw error
        }
    }

    /// Lends a connection for several operations. Afterwards its session is reset: role, settings, LISTEN, advisory locks, temporary tables.
    ///
    /// - Throws: what the body throws, and as `query`.
    @discardableResult
    public nonisolated(nonsending) func withConnection<R>(
        _ body: nonisolated(nonsending) (PostgresConnection) async throws -> R
    ) async throws -> R {
        let connection = try await acquire()
        do {
            let result = try await body(connection)
            await reset(connection)
            await release(connection)
            return result
        } catch {
            await reset(connection)
            await release(connection)
            throw error
        }
    }

    /// One round trip, after which the next borrower finds the session as if new.
    private func reset(_ connection: PostgresConnection) async {
        guard connection.isIdle else { return }
        do {
            try await connection.runScript(
                "RESET ROLE; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); CLOSE ALL; DISCARD TEMP",
                shielded: true)
        } catch {
            connection.markBroken()
        }
    }

    // MARK: Lending

    /// Borrows a connection; `release` must follow.
    func acquire() async throws(PostgresError) -> PostgresConnection {
        if Task.isCancelled { throw PostgresError(.cancelled, "cancelled before a connection was lent") }
        switch state.withLock({ $0.acquire() }) {
        case .lease(let connection): return try await checked(connection)
        case .open: return try await open()
        case .closed: throw PostgresError(.poolClosed, "the pool is closed")
        case .wait:
            switch await waitForTurn() {
            case .lease(let connection): return try await checked(connection)
            case .open: return try await open()
            case .timedOut:
                counters.withLock { $0.timeouts += 1 }
                throw PostgresError(.poolTimeout, "no connection was free within \(waitTimeout)")
            case .cancelled: throw PostgresError(.cancelled, "cancelled while waiting for a connection")
            case .closed: throw PostgresError(.poolClosed, "the pool is closed")
            }
        }
    }

    /// Gives a connection back, or its slot when it is of no more use.
    func release(_ connection: PostgresConnection) async {
        let isFit = connection.isIdle && !isExpired(connection) && !state.withLock({ $0.isClosed })
        if !isFit { await drop(connection) }
        hand(over: state.withLock { isFit ? $0.release(connection) : $0.slotFailed() })
        // Closed between the two looks: what has just been put back is idle for ever.
        if isFit, state.withLock({ $0.isClosed }) {
            for connection in state.withLock({ $0.removeIdle { _ in true } }) { await drop(connection) }
        }
    }

    private func hand(over handover: State.Handover) {
        switch handover {
        case .none: break
        case .lease(let connection, let waiter): waiter.resume(returning: .lease(connection))
        case .open(let waiter): waiter.resume(returning: .open)
        }
    }

    /// An idle connection may have died meanwhile: then its slot gets a new one.
    private func checked(_ connection: PostgresConnection) async throws(PostgresError) -> PostgresConnection {
        if connection.isAlive && !isExpired(connection) { return connection }
        await drop(connection)
        return try await open()
    }

    private func open() async throws(PostgresError) -> PostgresConnection {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(configuration, logger: logger)
            counters.withLock { $0.opened += 1 }
            return connection
        } catch {
            hand(over: state.withLock { $0.slotFailed() })
            throw error
        }
    }

    private func drop(_ connection: PostgresConnection) async {
        counters.withLock { $0.closed += 1 }
        await connection.close()
    }

    private func isExpired(_ connection: PostgresConnection) -> Bool {
        let shortened = maximumLifetime * (1 - 0.1 * Double(connection.backendID % 16) / 16)
        return .now - connection.openedAt > shortened
    }

    private func waitForTurn() async -> Turn {
        let id = counters.withLock { counters in
            defer { counters.nextWaiter += 1 }
            return counters.nextWaiter
        }
        let timer = SocketReactor.shared.schedule(at: .now + waitTimeout) { self.abandon(id, .timedOut) }
        defer { SocketReactor.shared.unschedule(timer) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let immediate: Turn? = state.withLock { state in
                    switch state.acquire() {
                    case .lease(let connection): return .lease(connection)
                    case .open: return .open
                    case .closed: return .closed
                    case .wait:
                        state.enqueue(continuation, id: id)
                        return nil
                    }
                }
                if let immediate {
                    continuation.resume(returning: immediate)
                } else if Task.isCancelled {
                    abandon(id, .cancelled)
                }
            }
        } onCancel: {
            abandon(id, .cancelled)
        }
    }

    private func abandon(_ id: UInt64, _ turn: Turn) {
        state.withLock { $0.abandon(id: id) }?.resume(returning: turn)
    }
}
