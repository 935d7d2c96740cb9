import CoreMetrics
public import HTTPTypes
public import WireFormat

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Holds each credential and each tenant to its quota.
///
/// The count is of this process; replicas count for themselves.
public final class RateLimiter: Sendable {
    private let buckets = TokenBuckets<Name>()
    private let key: RateQuota
    private let tenant: RateQuota
    /// Where it counts what it refuses.
    public let registry: PrometheusRegistry?
    /// The policy of a credential without a limit of its own.
    private let policy: String

    /// A credential, or a whole tenant where the subject is nil.
    private struct Name: Hashable {
        var tenant: UUID
        var subject: String?
    }

    public static let shed = "shed_total"

    /// - Parameters:
    ///   - key: of a credential that has no limit of its own.
    ///   - tenant: of all credentials of a tenant together.
    public init(key: RateQuota, tenant: RateQuota, registry: PrometheusRegistry?) {
        self.key = key
        self.tenant = tenant
        self.registry = registry
        policy = Self.policy(key, tenant)
        registry?.describe(Self.shed, "Requests that were refused for load, by why")
    }

    /// Takes a request of both quotas.
    /// - Parameter set: is told what the answer says of them, in the IETF's headers, whatever it becomes.
    /// Throws LIM-001 over either quota.
    public func take(_ principal: Principal, set: (HTTPField.Name, String) -> Void) throws(Problem) {
        let own = principal.requestsPerMinute.map { RateQuota(requests: $0) } ?? key
        let byKey = buckets.take(Name(tenant: principal.tenant, subject: principal.subject), quota: own)
        // A caller over its own quota takes nothing from its tenant's.
        let byTenant = byKey.isAllowed ? buckets.take(Name(tenant: principal.tenant), quota: tenant) : nil
        set(.rateLimitPolicy, own == key ? policy : Self.policy(own, tenant))
        var left = Self.state("key", byKey)
        if let byTenant { left += ", " + Self.state("tenant", byTenant) }
        set(.rateLimit, left)
        for (name, decision) in [("key", byKey), ("tenant", byTenant)] {
            guard let decision, !decision.isAllowed else { continue }
            registry?.makeCounter(label: Self.shed, dimensions: [("why", "\(name)_rate")]).increment(by: 1)
            let quota = name == "key" ? own : tenant
            throw Problem(
                .rateLimited,
                "More than \(quota.requests) requests in \(Int(quota.window / .seconds(1))) s by this \(name == "key" ? "credential" : "tenant").",
                retryAfter: decision.retrySeconds)
        }
    }

    private static func policy(_ key: RateQuota, _ tenant: RateQuota) -> String {
        [("key", key), ("tenant", tenant)].map { name, quota in
            "\"\(name)\";q=\(quota.requests);w=\(Int(quota.window / .seconds(1)))"
        }.joined(separator: ", ")
    }

    private static func state(_ name: String, _ decision: RateDecision) -> String {
        "\"" + name + "\";r=" + String(decision.remaining) + ";t=" + String(decision.resetSeconds)
    }
}
