/// A five-character SQLSTATE as the server sends it; its first two characters are the class.
public struct SQLState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The five characters, for example `23505`.
    public let rawValue: String

    /// Wraps the server's code as it is.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The first two characters: `23` is an integrity constraint violation.
    public var category: Substring { rawValue.prefix(2) }

    /// The five characters.
    public var description: String { rawValue }

    /// 23505
    public static let uniqueViolation = SQLState(rawValue: "23505")
    /// 23503
    public static let foreignKeyViolation = SQLState(rawValue: "23503")
    /// 23514
    public static let checkViolation = SQLState(rawValue: "23514")
    /// 23502
    public static let notNullViolation = SQLState(rawValue: "23502")
    /// 40001
    public static let serializationFailure = SQLState(rawValue: "40001")
    /// 40P01
    public static let deadlockDetected = SQLState(rawValue: "40P01")
    /// 55P03
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    /// 57014: cancelled by request or by `statement_timeout`.
    public static let queryCancelled = SQLState(rawValue: "57014")
    /// 57P01: the backend was told to end (`pg_terminate_backend`, a fast shutdown).
    public static let adminShutdown = SQLState(rawValue: "57P01")
    /// 57P02
    public static let crashShutdown = SQLState(rawValue: "57P02")
    /// 57P03: the server is starting up or shutting down.
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
    /// 25P02: an earlier statement of this transaction failed.
    public static let inFailedTransaction = SQLState(rawValue: "25P02")
    /// 0A000; also "cached plan must not change result type".
    public static let featureNotSupported = SQLState(rawValue: "0A000")
    /// 26000: the prepared statement is gone.
    public static let invalidStatementName = SQLState(rawValue: "26000")
    /// 28P01
    public static let invalidPassword = SQLState(rawValue: "28P01")
    /// 28000
    public static let invalidAuthorization = SQLState(rawValue: "28000")
    /// 42501
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    /// 42P01
    public static let undefinedTable = SQLState(rawValue: "42P01")
    /// 42601
    public static let syntaxError = SQLState(rawValue: "42601")
}
