#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What a credential may do.
public enum Scope: String, Sendable, CaseIterable, Comparable {
    /// Read market data, portfolios, results, plans.
    case dataRead = "data:read"
    /// Optimise, store and delete portfolios, backtest; push market data.
    case optimize
    /// Make reallocation plans.
    case rebalancePlan = "rebalance:plan"
    /// Confirm or reject plans.
    case rebalanceConfirm = "rebalance:confirm"
    /// Execute confirmed plans.
    case rebalanceExecute = "rebalance:execute"
    /// Everything.
    case admin

    public static func < (a: Scope, b: Scope) -> Bool { a.rawValue < b.rawValue }
}

/// Who makes a request: the tenant whose rows it sees and what it may do.
public struct Principal: Sendable, Equatable {
    public var tenant: UUID
    /// `key:<id>` or the token's subject; goes to logs and audit.
    public var subject: String
    public var scopes: Set<Scope>
    /// The API key's public id; nil for tokens.
    public var keyID: String?
    /// The credential's own limit; nil for the service's default.
    public var requestsPerMinute: Int?

    public init(
        tenant: UUID, subject: String, scopes: Set<Scope>, keyID: String? = nil, requestsPerMinute: Int? = nil
    ) {
        self.tenant = tenant
        self.subject = subject
        self.scopes = scopes
        self.keyID = keyID
        self.requestsPerMinute = requestsPerMinute
    }

    /// Whether the scope, or `admin`, is among the credential's.
    public func allows(_ scope: Scope) -> Bool { scopes.contains(scope) || scopes.contains(.admin) }
}

/// Tenants.
public enum Tenants {
    /// 00000000-0000-0000-0000-000000000001: the one tenant of a fresh install.
    public static let standard = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
}
