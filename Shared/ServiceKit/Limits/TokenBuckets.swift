import Synchronization

/// How many requests are allowed in how long.
public struct RateQuota: Sendable, Equatable {
    public var requests: Int
    public var window: Duration

    public init(requests: Int, window: Duration = .seconds(60)) {
        self.requests = max(1, requests)
        self.window = window
    }

    var perSecond: Double { Double(requests) / (window / .seconds(1)) }
}

/// What a bucket says to a request.
public struct RateDecision: Sendable, Equatable {
    public var isAllowed: Bool
    /// Whole requests that are left.
    public var remaining: Int
    /// Seconds until the quota is whole again.
    public var resetSeconds: Int
    /// Seconds until one more request is allowed; 0 where one is.
    public var retrySeconds: Int
}

/// Token buckets by name: each holds a full quota, a request takes one, and they refill evenly.
///
/// A bucket that is full again is forgotten, so that the memory follows the callers of one window. Where more names come than are kept,
/// the fullest half is forgotten: those callers lose nothing that a moment would not have given them back.
public final class TokenBuckets<Name: Hashable & Sendable>: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: ContinuousClock.Instant
    }

    private let buckets = Mutex<[Name: Bucket]>([:])
    private let mostNames: Int

    public init(mostNames: Int = 20_000) { self.mostNames = max(2, mostNames) }

    /// Takes one request of the quota.
    public func take(
        _ name: Name, quota: RateQuota, now: ContinuousClock.Instant = .now
    ) -> RateDecision {
        buckets.withLock { buckets in
            var bucket = buckets[name] ?? Bucket(tokens: Double(quota.requests), at: now)
            let elapsed = max(0, (now - bucket.at) / .seconds(1))
            bucket.tokens = min(Double(quota.requests), bucket.tokens + elapsed * quota.perSecond)
            bucket.at = now
            let isAllowed = bucket.tokens >= 1
            if isAllowed { bucket.tokens -= 1 }
            if buckets[name] == nil, buckets.count >= mostNames { Self.forgetFullest(&buckets, keep: mostNames / 2) }
            buckets[name] = bucket
            let missing = Double(quota.requests) - bucket.tokens
            return RateDecision(
                isAllowed: isAllowed, remaining: Int(bucket.tokens),
                resetSeconds: Int((missing / quota.perSecond).rounded(.up)),
                retrySeconds: isAllowed ? 0 : max(1, Int(((1 - bucket.tokens) / quota.perSecond).rounded(.up))))
        }
    }

    private static func forgetFullest(_ buckets: inout [Name: Bucket], keep: Int) {
        let emptiest = buckets.sorted { $0.value.tokens < $1.value.tokens }.prefix(keep)
        buckets = Dictionary(uniqueKeysWithValues: emptiest.map { ($0.key, $0.value) })
    }

    /// Names that are remembered.
    var count: Int { buckets.withLock { $0.count } }
}
