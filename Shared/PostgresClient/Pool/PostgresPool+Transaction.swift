import Synchronization
import CLibPQ

extension PostgresPool {
    /// Runs the body in a transaction and commits it; anything thrown rolls it back.
    ///
    /// A serialization failure (40001) or a deadlock (40P01), in the body or at COMMIT, runs the body again on a fresh transaction after a random pause,
    /// up to `maximumAttempts` times; so does a connection from the pool that turns out to be dead. So the body may run several times: it must have no
    /// effect outside of the database. BEGIN, the role and the tenant travel with the body's first statement.
    ///
    /// - Throws: what the body throws; `.commitUnknown` when the connection is lost between COMMIT and its answer; `.transactionAborted` when the body swallowed
    ///   an error that had already undone the transaction; and as `query`.
    @discardableResult
    public nonisolated(nonsending) func transaction<R>(
        _ options: TransactionOptions = .login, _ body: nonisolated(nonsending) (PostgresConnection) async throws -> R
    ) async throws -> R {
        var attempt = 1
        while true {
            let connection = try await acquire()
            connection.beginTransaction(options)
            do {
                let result = try await body(connection)
                try await connection.commitTransaction()
                await release(connection)
                return result
            } catch {
                let canRunAgain = connection.canRunAgain(after: error)
                await connection.rollBackTransaction()
                await release(connection)
                guard canRunAgain, attempt < options.maximumAttempts, !Task.isCancelled else { throw error }
                counters.withLock { $0.retries += 1 }
                try? await Task.sleep(for: Self.pause(before: attempt))
                if Task.isCancelled { throw error }
                attempt += 1
            }
        }
    }

    /// Runs one statement that only reads, as the role of the options, in a transaction of its own: BEGIN, the role, the statement and COMMIT are one round
    /// trip. Where the connection turns out to be dead, it runs again as `transaction` does.
    ///
    /// - Throws: as `query`.
    public nonisolated(nonsending) func snapshot(
        _ options: TransactionOptions, _ statement: SQL
    ) async throws -> [PostgresRow] {
        var options = options
        options.readOnly = true
        let connection = try await acquire()
        do {
            let rows = try await connection.runAlone(options, statement)
            await release(connection)
            return rows
        } catch {
            let canRunAgain = connection.canRunAgain(after: error)
            await connection.rollBackTransaction()
            await release(connection)
            guard canRunAgain, !Task.isCancelled else { throw error }
            return try await transaction(options) { try await $0.query(statement) }
        }
    }

    /// Full jitter: anything up to 5 ms, doubled with each attempt, at most 500 ms. Two rivals that wait equally long would meet again.
    private static func pause(before attempt: Int) -> Duration {
        min(.milliseconds(500), .milliseconds(5) * (1 << min(attempt, 8))) * Double.random(in: 0...1)
    }
}

extension PostgresConnection {
    /// BEGIN waits for the first statement.
    func beginTransaction(_ options: TransactionOptions) {
        session.withLock { session in
            session.prefix = options.prologue
            session.isInTransactionBlock = true
            session.mustRunAgain = false
        }
    }

    /// A whole transaction of one statement.
    func runAlone(_ options: TransactionOptions, _ statement: SQL) async throws(PostgresError) -> [PostgresRow] {
        beginTransaction(options)
        let rows = try await run([statement, "COMMIT"])[0].rows
        session.withLock { $0.isInTransactionBlock = false }
        return rows
    }

    /// COMMIT, unless nothing was done.
    func commitTransaction() async throws(PostgresError) {
        let isUntouched = session.withLock { session in
            guard !session.prefix.isEmpty else { return false }
            session.prefix = []
            session.isInTransactionBlock = false
            return true
        }
        if isUntouched { return }
        let wasOpen = !link.isBad && session.withLock { !$0.isBroken }
        do throws(PostgresError) {
            let result = try await run(["COMMIT"])[0]
            session.withLock { $0.isInTransactionBlock = false }
            guard result.commandTag == "COMMIT" else {
                throw PostgresError(.transactionAborted, "the transaction had failed before COMMIT")
            }
        } catch {
            // COMMIT went out and the connection ended before its answer, or with a farewell in its place.
            if wasOpen && session.withLock({ $0.isBroken }) {
                var unknown = error
                unknown.kind = .commitUnknown
                throw unknown
            }
            throw error
        }
    }

    /// ROLLBACK, whatever happens to the task; a connection that can't do it is done with.
    func rollBackTransaction() async {
        let mustSend = session.withLock { session in
            defer {
                session.prefix = []
                session.isInTransactionBlock = false
            }
            return session.prefix.isEmpty && session.isInTransactionBlock && !session.isBroken
        }
        guard mustSend, !link.isBad, link.transactionStatus != PQTRANS_IDLE else { return }
        do { _ = try await run(["ROLLBACK"], shielded: true) } catch { markBroken() }
    }

    /// Whether the transaction can be run again as a whole: it has surely not been committed, and the reason may be gone next time.
    func canRunAgain(after error: any Error) -> Bool {
        let error = error as? PostgresError
        if error?.kind == .commitUnknown { return false }
        if session.withLock({ $0.mustRunAgain }) { return true }
        guard let error else { return false }
        return error.isSerializationFailure || error.isConnectionFailure
    }
}
