import CLibPQ
import Synchronization
public import Logging

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One session with the server. Operations of several tasks run one after another, in the order of their calls.
///
/// Cancelling a task cancels its running statement on the server. A connection that fails is never used again.
public final class PostgresConnection: Sendable {
    /// What changes while operations run; only the operation that holds the gate writes it.
    struct Session {
        var statements: StatementCache
        /// Statements that go out in front of the next operation: BEGIN and what belongs to it.
        var prefix: [SQL] = []
        /// Names of prepared statements to drop with the next operation.
        var evicted: [String] = []
        var isBroken = false
        var isInTransactionBlock = false
        /// A serialization failure, a deadlock or a stale plan was reported in this transaction, even if the body swallowed it.
        var mustRunAgain = false
        /// Notifications that arrived with answers to other statements.
        var notifications: [PostgresNotification] = []
    }

    let configuration: PostgresConfiguration
    let logger: Logger
    let link: LibPQConnection
    let cancelHandle: CancelHandle
    let gate = OperationGate()
    let session: Mutex<Session>
    /// When the session began.
    let openedAt = ContinuousClock.now
    /// The server process of this session, as in `pg_stat_activity.pid`.
    public let backendID: Int32
    /// True when the session is encrypted.
    public let isEncrypted: Bool

    /// Opens a session outside of any pool, for those that need one of their own.
    ///
    /// - Throws: `.connection`, `.connectTimeout`, `.cancelled`, or `.server` when the server refuses the role or the password.
    public static func connect(
        _ configuration: PostgresConfiguration, logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        do throws(PostgresError) {
            return try await open(configuration, logger)
        } catch  where error.isAuthenticationFailure {
            // The password may have been rotated since it was read.
            guard let fresh = try configuration.reread() else { throw error }
            return try await open(fresh, logger)
        }
    }

    private static func open(
        _ configuration: PostgresConfiguration, _ logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        let addresses = try await NameResolution.resolve(configuration, until: deadline)
        let link = try LibPQConnection(parameters: configuration.parameters(addresses: addresses))
        var polling = LibPQConnection.Polling.writing
        while true {
            let interest: SocketReactor.Interest
            switch polling {
            case .finished:
                return PostgresConnection(configuration, logger, link, try link.finishConnecting())
            case .failed: throw link.connectionError()
            case .reading: interest = .read
            case .writing: interest = .write
            }
            switch await SocketReactor.shared.wait(link.socket, interest, until: deadline) {
            case .ready: polling = link.poll()
            case .timedOut: throw PostgresError(.connectTimeout, "no session within \(configuration.connectTimeout)")
            case .cancelled: throw PostgresError(.cancelled, "cancelled while connecting")
            }
        }
    }

    private init(
        _ configuration: PostgresConfiguration, _ logger: Logger, _ link: LibPQConnection, _ cancelHandle: CancelHandle
    ) {
        self.configuration = configuration
        self.logger = logger
        self.link = link
        self.cancelHandle = cancelHandle
        session = Mutex(Session(statements: StatementCache(capacity: configuration.statementCacheCapacity)))
        backendID = link.backendID
        isEncrypted = link.isEncrypted
    }

    /// Runs a statement and returns its rows.
    ///
    /// - Throws: `.server` with the SQLSTATE, `.connection` when the session is lost, `.cancelled`.
    public func query(_ sql: SQL) async throws(PostgresError) -> [PostgresRow] {
        try await run([sql])[0].rows
    }

    /// Runs a statement and returns the number of rows it affected.
    ///
    /// - Throws: as `query`.
    @discardableResult
    public func execute(_ sql: SQL) async throws(PostgresError) -> Int {
        try await run([sql])[0].affectedRows
    }

    /// Runs statements in one round trip and returns the rows of each. They succeed or fail together: outside a transaction they are one.
    ///
    /// - Throws: as `query`, with the `statementIndex` of the one that failed.
    public func pipeline(_ statements: [SQL]) async throws(PostgresError) -> [[PostgresRow]] {
        guard !statements.isEmpty else { return [] }
        return try await run(statements).map(\.rows)
    }

    /// Ends the session. Whatever runs in it fails.
    public func close() async {
        await gate.enter()
        markBroken()
        link.close()
        gate.leave()
    }

    /// Never to be used again.
    func markBroken() {
        session.withLock { $0.isBroken = true }
    }

    /// Can be handed to somebody else: alive, and not inside a transaction.
    var isIdle: Bool {
        let fit = session.withLock { !$0.isBroken && $0.prefix.isEmpty && !$0.isInTransactionBlock }
        return fit && !link.isBad && link.transactionStatus == PQTRANS_IDLE
    }

    /// Looks at the socket, without waiting, whether the server has gone since the last use.
    var isAlive: Bool {
        guard isIdle else { return false }
        // Nothing should arrive on an idle session but a farewell or a change of a setting. Read it: after the last there may be an end of file.
        for _ in 0..<4 {
            var probe = pollfd(fd: link.socket, events: Int16(POLLIN), revents: 0)
            guard poll(&probe, 1, 0) > 0 else { return true }
            do { try link.consumeInput() } catch { return false }
            _ = link.isBusy
        }
        return false
    }
}
