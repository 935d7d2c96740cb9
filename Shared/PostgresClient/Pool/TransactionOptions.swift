#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// How a transaction begins: as whom, how isolated, how often it may run again.
public struct TransactionOptions: Sendable {
    /// As whom the statements run; it ends with the transaction.
    public enum Role: Sendable, Hashable {
        /// The login role itself.
        case login
        /// `ballast_app` for one tenant: row-level security shows that tenant's rows and no other.
        case app(tenant: UUID)
        /// `ballast_feed`: reads events and jobs of all tenants.
        case feed
    }

    /// SQL isolation levels, as PostgreSQL has them.
    public enum Isolation: String, Sendable, Hashable {
        /// Each statement sees what was committed before it.
        case readCommitted = "READ COMMITTED"
        /// All statements see what was committed before the first.
        case repeatableRead = "REPEATABLE READ"
        /// As if transactions ran one after another; expects retries.
        case serializable = "SERIALIZABLE"
    }

    /// As whom.
    public var role: Role
    /// How isolated.
    public var isolation: Isolation
    /// Refuses writes.
    public var readOnly: Bool
    /// Limit of each statement; nil leaves the server's setting.
    public var statementTimeout: Duration?
    /// Limit of each wait for a lock; nil leaves the server's setting.
    public var lockTimeout: Duration?
    /// How often the body may run in all.
    public var maximumAttempts: Int

    /// All settings.
    public init(
        role: Role = .login, isolation: Isolation = .readCommitted, readOnly: Bool = false,
        statementTimeout: Duration? = nil,
        lockTimeout: Duration? = nil, maximumAttempts: Int = 10
    ) {
        self.role = role
        self.isolation = isolation
        self.readOnly = readOnly
        self.statementTimeout = statementTimeout
        self.lockTimeout = lockTimeout
        self.maximumAttempts = maximumAttempts
    }

    /// As the login role.
    public static let login = TransactionOptions()
    /// As `ballast_feed`.
    public static let feed = TransactionOptions(role: .feed)
    /// As `ballast_app` for one tenant.
    public static func app(_ tenant: UUID) -> TransactionOptions { TransactionOptions(role: .app(tenant: tenant)) }

    /// The statements that go out in front of the first of the body, in the same round trip.
    var prologue: [SQL] {
        var statements: [SQL] = [
            .raw("BEGIN ISOLATION LEVEL \(isolation.rawValue) READ \(readOnly ? "ONLY" : "WRITE")")
        ]
        switch role {
        case .login: break
        case .app(let tenant):
            statements.append("SET LOCAL ROLE ballast_app")
            statements.append("SELECT set_config('app.tenant', \(tenant.uuidString.lowercased()), true)")
        case .feed: statements.append("SET LOCAL ROLE ballast_feed")
        }
        if let statementTimeout {
            statements.append(.raw("SET LOCAL statement_timeout = \(statementTimeout.milliseconds)"))
        }
        if let lockTimeout { statements.append(.raw("SET LOCAL lock_timeout = \(lockTimeout.milliseconds)")) }
        return statements
    }
}
