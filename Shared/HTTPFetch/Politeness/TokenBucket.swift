/// How fast a host may be asked: `perSecond` requests on average, `burst` at once.
public struct RateLimit: Sendable, Equatable {
    public var perSecond: Double
    public var burst: Double

    public init(perSecond: Double, burst: Double = 1) {
        precondition(perSecond > 0 && burst >= 1, "a rate limit lets requests through")
        self.perSecond = perSecond
        self.burst = burst
    }
}

/// A token bucket that gives out reservations: who comes when it is empty is told how long to wait, in order of arrival.
struct TokenBucket: Sendable {
    let limit: RateLimit
    /// Negative while reservations are outstanding.
    private var tokens: Double
    private var refilledAt: Duration

    init(_ limit: RateLimit, now: Duration) {
        self.limit = limit
        tokens = limit.burst
        refilledAt = now
    }

    /// Takes a token and returns how long to wait before using it.
    mutating func reserve(now: Duration) -> Duration {
        if now > refilledAt {
            tokens = min(limit.burst, tokens + (now - refilledAt).inSeconds * limit.perSecond)
            refilledAt = now
        }
        tokens -= 1
        return tokens >= 0 ? .zero : .seconds(-tokens / limit.perSecond)
    }
}

extension Duration {
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
