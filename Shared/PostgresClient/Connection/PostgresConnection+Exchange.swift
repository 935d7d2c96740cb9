import CLibPQ
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What an operation remembers between its waits.
struct Exchange {
    /// Ignore cancellation: a ROLLBACK, or the answer to a statement that is being cancelled already.
    var isShielded: Bool
    var deadline: ContinuousClock.Instant?
    /// Set once the server has been asked to cancel.
    var cancellation: OneShot<Void>?
}

extension PostgresConnection {
    /// Runs statements as one pipeline: one round trip, one synchronisation point at the end.
    func run(_ statements: [SQL], shielded: Bool = false) async throws(PostgresError) -> [QueryResult] {
        await gate.enter()
        defer { gate.leave() }
        do throws(PostgresError) {
            return try await pipeline(statements, shielded: shielded)
        } catch  where error.isStalePlan && link.transactionStatus == PQTRANS_IDLE {
            // Outside a transaction nothing has happened yet.
            return try await pipeline(statements, shielded: shielded)
        }
    }

    private enum Expected {
        case statement(Int)
        case preparation(StatementCache.Key)
        case deallocation
        /// The synchronisation point after the deallocations.
        case separator
    }

    private func pipeline(_ statements: [SQL], shielded: Bool) async throws(PostgresError) -> [QueryResult] {
        var exchange = Exchange(isShielded: shielded)
        try begin(shielded: shielded)
        let prefix = session.withLock { session in
            defer { session.prefix = [] }
            return session.prefix
        }
        var expected: [Expected] = []
        do throws(PostgresError) {
            try link.enterPipeline()
            try sendDeallocations(&expected)
            for (index, statement) in (prefix + statements).enumerated() {
                try send(statement, as: index - prefix.count, &expected)
            }
            try link.synchronise()
        } catch {
            markBroken()
            throw error
        }
        let results = try await collect(expected, count: statements.count, &exchange)
        do { try link.exitPipeline() } catch {
            markBroken()
            throw error
        }
        return results
    }

    /// Statements that fell out of the cache are dropped in a part of their own, so that they are no part of a transaction that follows.
    private func sendDeallocations(_ expected: inout [Expected]) throws(PostgresError) {
        guard link.transactionStatus == PQTRANS_IDLE || link.transactionStatus == PQTRANS_ACTIVE else { return }
        let names = session.withLock { session in
            defer { session.evicted = [] }
            return session.evicted
        }
        guard !names.isEmpty else { return }
        for name in names {
            try link.sendQuery(prepared: nil, "DEALLOCATE \(name)", [])
            expected.append(.deallocation)
        }
        try link.synchronise()
        expected.append(.separator)
    }

    private func send(_ sql: SQL, as index: Int, _ expected: inout [Expected]) throws(PostgresError) {
        let text = sql.text
        guard Self.isWorthPreparing(text) else {
            try link.sendQuery(prepared: nil, text, sql.parameters)
            expected.append(.statement(index))
            return
        }
        let key = StatementCache.Key(text: text, types: sql.parameters.map(\.type.rawValue))
        switch session.withLock({ $0.statements.lookup(key) }) {
        case .prepared(let name):
            try link.sendQuery(prepared: name, text, sql.parameters)
        case .missing(let name, let evicted):
            if let evicted { session.withLock { $0.evicted.append(evicted) } }
            try link.sendPrepare(name: name, text, types: key.types)
            expected.append(.preparation(key))
            try link.sendQuery(prepared: name, text, sql.parameters)
        }
        expected.append(.statement(index))
    }

    /// Transaction control can't be prepared usefully, and COMMIT must work in a failed transaction; a COPY or a utility statement gains nothing.
    private static func isWorthPreparing(_ text: String) -> Bool {
        let first = text.drop { $0.isWhitespace || $0 == "(" }.prefix { $0.isLetter }.lowercased()
        return ["select", "insert", "update", "delete", "with", "merge", "values"].contains(first)
    }

    /// Receives everything up to the last synchronisation point; the first failure is the pipeline's.
    private func collect(
        _ expected: [Expected], count: Int, _ exchange: inout Exchange
    ) async throws(PostgresError) -> [QueryResult] {
        var results: [QueryResult] = []
        var failure: PostgresError?
        var position = 0
        var silences = 0
        receiving: while true {
            guard let answer = try await nextAnswer(&exchange) else {
                // One after each statement is normal.
                silences += 1
                if link.isBad || silences > 3 { throw broken(failure) }
                continue
            }
            silences = 0
            let awaited: Expected? = position < expected.count ? expected[position] : nil
            position += 1
            switch answer {
            case .synchronised:
                if awaited == nil { break receiving }
            case .result(let result):
                if case .statement(let index)? = awaited, index >= 0 { results.append(result) }
            case .failure(var error):
                if case .deallocation? = awaited, !error.isConnectionFailure { continue }
                if case .preparation(let key)? = awaited { session.withLock { $0.statements.forget(key) } }
                error.statementIndex = Self.statementIndex(expected, at: position - 1)
                if failure == nil { failure = error }
                if error.isConnectionFailure { throw broken(failure) }
            case .skipped:
                if case .preparation(let key)? = awaited { session.withLock { $0.statements.forget(key) } }
            case .copyIn, .copyOut:
                throw broken(PostgresError(.usage, "COPY goes through copyIn and copyOut"))
            }
        }
        await finish(&exchange)
        if let failure {
            do { try link.exitPipeline() } catch { markBroken() }
            throw recorded(failure, exchange)
        }
        guard results.count == count else {
            throw broken(PostgresError(.connection, "\(results.count) results for \(count) statements"))
        }
        return results
    }

    /// Which of the caller's statements an answer belongs to, nil for those that go in front of them.
    private static func statementIndex(_ expected: [Expected], at position: Int) -> Int? {
        for item in expected.dropFirst(position) {
            if case .statement(let index) = item { return index >= 0 ? index : nil }
        }
        return nil
    }

    /// Runs a text of several statements by the simple protocol: migrations, and resetting a session.
    func runScript(_ text: String, shielded: Bool = false) async throws(PostgresError) {
        await gate.enter()
        defer { gate.leave() }
        try await flushPrefix()
        var exchange = Exchange(isShielded: shielded)
        try begin(shielded: shielded)
        do { try link.sendScript(text) } catch {
            markBroken()
            throw error
        }
        try await drain(&exchange)
    }

    /// Sends what waits to go in front of the next statement, where that one can't be part of a pipeline.
    func flushPrefix() async throws(PostgresError) {
        guard session.withLock({ !$0.prefix.isEmpty }) else { return }
        _ = try await pipeline([], shielded: false)
    }

    /// Receives everything up to the end of a command outside of a pipeline.
    @discardableResult
    func drain(_ exchange: inout Exchange) async throws(PostgresError) -> QueryResult? {
        var last: QueryResult?
        var failure: PostgresError?
        while let answer = try await nextAnswer(&exchange) {
            switch answer {
            case .result(let result): last = result
            case .failure(let error):
                if failure == nil { failure = error }
                if error.isConnectionFailure { throw broken(failure) }
            case .copyIn, .copyOut, .skipped, .synchronised:
                throw broken(PostgresError(.usage, "an answer out of place"))
            }
        }
        await finish(&exchange)
        if let failure { throw recorded(failure, exchange) }
        return last
    }

    // MARK: Waiting

    /// Refuses to begin on a dead connection or in a cancelled task.
    func begin(shielded: Bool) throws(PostgresError) {
        if session.withLock({ $0.isBroken }) || link.isBad {
            markBroken()
            throw PostgresError(.connection, "the connection is closed")
        }
        if !shielded && Task.isCancelled { throw PostgresError(.cancelled, "cancelled before the statement was sent") }
    }

    /// The next answer; sends what is still to be sent meanwhile.
    func nextAnswer(_ exchange: inout Exchange) async throws(PostgresError) -> LibPQConnection.Answer? {
        do throws(PostgresError) {
            var isFlushed = try link.flush()
            while link.isBusy {
                try await wait(isFlushed ? .read : .readOrWrite, &exchange)
                try link.consumeInput()
                if !isFlushed { isFlushed = try link.flush() }
            }
        } catch {
            await finish(&exchange)
            // The farewell of a backend that was told to end may be waiting in libpq's buffer: it has the better reason.
            if error.kind == .connection, !link.isBusy, case .failure(let reason)? = link.nextAnswer() {
                throw broken(reason)
            }
            throw broken(error)
        }
        collectNotifications()
        return link.nextAnswer()
    }

    /// Waits for the socket. At the first sign of cancellation asks the server to cancel, then waits on, for a limited time.
    func wait(_ interest: SocketReactor.Interest, _ exchange: inout Exchange) async throws(PostgresError) {
        switch await SocketReactor.shared.wait(
            link.socket, interest, until: exchange.deadline, shielded: exchange.isShielded)
        {
        case .ready: break
        case .timedOut:
            throw exchange.cancellation == nil
                ? PostgresError(.connection, "the server does not answer")
                : PostgresError(.cancelled, "the server did not end the cancelled statement; its connection is dropped")
        case .cancelled: requestCancel(&exchange)
        }
    }

    /// Asks the server to end the running statement; the answer to the statement itself is still to come.
    func requestCancel(_ exchange: inout Exchange) {
        guard exchange.cancellation == nil else { return }
        let done = OneShot<Void>()
        BlockingLane.cancellation.start { [cancelHandle] in
            _ = cancelHandle.cancel()
            done.set(())
        }
        exchange.cancellation = done
        exchange.isShielded = true
        exchange.deadline = .now + configuration.cancelTimeout
    }

    /// Waits until a cancel request has been passed on, so that it can't hit the next statement of this session.
    func finish(_ exchange: inout Exchange) async {
        guard let cancellation = exchange.cancellation else { return }
        let timer = SocketReactor.shared.schedule(at: .now + configuration.cancelTimeout) { [self] in
            markBroken()
            cancellation.set(())
        }
        await cancellation.value()
        SocketReactor.shared.unschedule(timer)
    }

    func collectNotifications() {
        let received = link.notifications()
        if !received.isEmpty { session.withLock { $0.notifications += received } }
    }

    // MARK: Failing

    /// The error of an operation that ends its connection.
    func broken(_ error: PostgresError?) -> PostgresError {
        markBroken()
        return error ?? link.connectionError()
    }

    /// Notes what the transaction wrapper wants to know, and calls a statement that this task's cancellation ended cancelled.
    func recorded(_ error: PostgresError, _ exchange: Exchange) -> PostgresError {
        if error.isSerializationFailure || error.isStalePlan {
            session.withLock { session in
                session.mustRunAgain = true
                guard error.isStalePlan else { return }
                let names = session.statements.removeAll()
                if error.sqlState == .featureNotSupported { session.evicted += names }
            }
        }
        if exchange.cancellation != nil, error.sqlState == .queryCancelled {
            var cancelled = error
            cancelled.kind = .cancelled
            return cancelled
        }
        return error
    }
}

extension PostgresError {
    /// A prepared statement that no longer fits its tables, or that is gone.
    fileprivate var isStalePlan: Bool {
        kind == .server
            && (sqlState == .invalidStatementName
                || (sqlState == .featureNotSupported && message.contains("cached plan")))
    }
}
