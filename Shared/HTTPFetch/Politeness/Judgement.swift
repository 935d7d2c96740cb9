/// What an answer means for the manners of asking again.
public enum Verdict: Sendable, Equatable {
    /// A final answer, welcome or not.
    case answered
    /// Too fast: wait the given time, else back off; the host itself is well.
    case slowDown(after: Duration?)
    /// The host failed this time.
    case failed
    /// Asking again is no use before the given time has passed.
    case refused(for: Duration)

    /// The verdict by status alone.
    public init(status: Int, retryAfter: Duration?) {
        switch status {
        case 429: self = .slowDown(after: retryAfter)
        case 503: self = retryAfter == nil ? .failed : .slowDown(after: retryAfter)
        case 408, 500, 502, 504, 520...530: self = .failed
        default: self = .answered
        }
    }
}

/// What a reader of answers made of one: its own reading, and the verdict for the retry loop.
public struct Judgement<Reading: Sendable>: Sendable {
    public var reading: Reading
    public var verdict: Verdict

    public init(_ reading: Reading, _ verdict: Verdict) {
        self.reading = reading
        self.verdict = verdict
    }
}

/// What a fetcher did, for logs and metrics.
public enum FetchEvent: Sendable, Equatable {
    /// One exchange ended; `status` is nil when no answer came.
    case exchanged(host: String, status: Int?, attempt: Int, took: Duration)
    /// A request waits for the rate limit, a `Retry-After`, or its back-off.
    case waits(host: String, duration: Duration)
    /// The host is left alone for this long.
    case breakerOpened(host: String, duration: Duration)
}
