internal import CLibCurlSystem

/// How often and how late a failed exchange is tried again.
public struct RetryPolicy: Sendable, Equatable {
    /// Tries after the first.
    public var retries = 5
    public var base: Duration = .milliseconds(500)
    public var cap: Duration = .seconds(60)
    /// A longer `Retry-After` is not waited out: the answer is handed back, and the host is left alone until then.
    public var longestWait: Duration = .seconds(60)
    /// Retries allowed for each request made; a reserve of ten starts full.
    public var budgetShare = 0.1

    public init() {}

    public static let never: RetryPolicy = {
        var policy = RetryPolicy()
        policy.retries = 0
        return policy
    }()

    /// Full jitter: anything from nothing to `base * 2^attempt`, capped. `attempt` counts from zero.
    func backoff(attempt: Int, random: Double) -> Duration {
        let ceiling = min(cap.inSeconds, base.inSeconds * Double(1 << min(attempt, 20)))
        return .seconds(ceiling * random)
    }
}

/// The two forms of `Retry-After` (RFC 9110, 10.2.3).
public enum RetryAfter {
    /// How long the answer asks to wait; a date counts from the answer's own `Date`, else from `now`.
    public static func wait(of response: HTTPResponse, now unixSeconds: Int) -> Duration? {
        guard let value = response.header("retry-after") else { return nil }
        if let seconds = Int(value) { return seconds >= 0 ? .seconds(seconds) : nil }
        guard let due = unixTime(httpDate: value) else { return nil }
        let sent = response.header("date").flatMap { unixTime(httpDate: $0) } ?? unixSeconds
        return .seconds(max(0, due - sent))
    }

    /// Seconds since 1970 of an HTTP date in any of its three forms; nil if it is none.
    public static func unixTime(httpDate: String) -> Int? {
        let seconds = curl_getdate(httpDate, nil)
        return seconds < 0 ? nil : seconds
    }
}
