/// Everything that can go wrong between this process and PostgreSQL.
///
/// `description` holds no value of a row and no text of a query, so it may be shown; `debugDescription` says everything and is for logs.
public struct PostgresError: Error, Sendable, Equatable {
    /// What kind of failure it is; `server` has a `sqlState`.
    public enum Kind: String, Sendable, Hashable {
        /// The server refused the statement.
        case server
        /// The connection could not be made or was lost. The statement in flight may have run, a transaction has not.
        case connection
        /// No connection within `connectTimeout`.
        case connectTimeout
        /// All connections of the pool stayed busy for `waitTimeout`.
        case poolTimeout
        /// The pool has been closed.
        case poolClosed
        /// The task was cancelled; the running statement was cancelled on the server too.
        case cancelled
        /// The connection was lost after COMMIT was sent: the transaction may or may not have been committed.
        case commitUnknown
        /// COMMIT was answered with ROLLBACK: an earlier error in the transaction had been swallowed.
        case transactionAborted
        /// A value could not be decoded as the type asked for.
        case decoding
        /// The connection URL or the settings are wrong.
        case configuration
        /// A call that makes no sense, such as parameters in a COPY statement.
        case usage
    }

    /// What kind of failure it is.
    public var kind: Kind
    /// The server's code, where the server sent one.
    public var sqlState: SQLState?
    /// The primary message. May hold values of the query.
    public var message: String
    /// The server's DETAIL. Often holds values of the row.
    public var detail: String?
    /// The server's HINT.
    public var hint: String?
    /// The constraint that was violated.
    public var constraint: String?
    /// The schema the error concerns.
    public var schema: String?
    /// The table the error concerns.
    public var table: String?
    /// The column the error concerns.
    public var column: String?
    /// Position in the query text, from 1.
    public var position: Int?
    /// In a pipeline: which of its statements failed, from 0.
    public var statementIndex: Int?

    /// An error with no more than its kind and a message.
    public init(_ kind: Kind, _ message: String, sqlState: SQLState? = nil) {
        self.kind = kind
        self.message = message
        self.sqlState = sqlState
    }

    /// The same call may succeed when made again: serialization failure, deadlock, lost connection, exhausted pool or server.
    public var isTransient: Bool {
        if isConnectionFailure || isSerializationFailure { return true }
        switch kind {
        case .poolTimeout: return true
        case .server: return sqlState?.category == "53" || sqlState == .lockNotAvailable
        default: return false
        }
    }

    /// 40001 or 40P01: run the whole transaction again.
    public var isSerializationFailure: Bool {
        sqlState == .serializationFailure || sqlState == .deadlockDetected
    }

    /// There is no usable connection: refused, lost, timed out, or the server is starting or stopping.
    public var isConnectionFailure: Bool {
        switch kind {
        case .connection, .connectTimeout: true
        case .server:
            sqlState?.category == "08" || sqlState == .adminShutdown || sqlState == .crashShutdown
                || sqlState == .cannotConnectNow
        default: false
        }
    }

    /// Class 23: a constraint refused the row.
    public var isConstraintViolation: Bool { sqlState?.category == "23" }

    /// 23505
    public var isUniqueViolation: Bool { sqlState == .uniqueViolation }

    /// The server refused the password or the role.
    public var isAuthenticationFailure: Bool { sqlState?.category == "28" }
}

extension PostgresError: CustomStringConvertible {
    /// Kind, SQLSTATE and the names of database objects: nothing that came from a user.
    public var description: String {
        var text = "postgres: \(kind.rawValue)"
        if let sqlState { text += " \(sqlState)" }
        if let constraint { text += " constraint=\(constraint)" }
        if let table { text += " table=\(table)" }
        if let column { text += " column=\(column)" }
        if kind != .server && kind != .decoding && kind != .connection { text += ": \(message)" }
        return text
    }
}

extension PostgresError: CustomDebugStringConvertible {
    /// Everything the server said. For logs only.
    public var debugDescription: String {
        var text = "postgres: \(kind.rawValue)"
        if let sqlState { text += " \(sqlState)" }
        text += ": \(message)"
        let fields: [(String, String?)] = [
            ("detail", detail), ("hint", hint), ("schema", schema), ("table", table), ("column", column),
            ("constraint", constraint), ("position", position.map(String.init)),
            ("statement", statementIndex.map(String.init)),
        ]
        for case let (name, value?) in fields { text += " \(name)=\(value)" }
        return text
    }
}
