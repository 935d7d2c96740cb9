/// When a host is left alone.
public struct BreakerPolicy: Sendable, Equatable {
    /// Failures in a row that open the breaker.
    public var consecutiveFailures = 5
    /// Half of this many last exchanges failed: open, too.
    public var window = 20
    public var openFor: Duration = .seconds(30)

    public init() {}
}

/// Closed, open until a time, or half open with one probe under way.
///
/// Times are the fetcher's monotonic clock.
struct CircuitBreaker: Sendable {
    enum State: Sendable, Equatable {
        case closed
        case open(until: Duration)
        case probing
    }

    let policy: BreakerPolicy
    private(set) var state = State.closed
    private var failuresInARow = 0
    /// The last exchanges, newest last; true = failed.
    private var recent: [Bool] = []

    init(_ policy: BreakerPolicy) { self.policy = policy }

    /// Nil when the request may go; else how long the host is still left alone.
    mutating func admit(now: Duration) -> Duration? {
        switch state {
        case .closed: return nil
        case .open(let until) where now >= until:
            state = .probing
            return nil
        case .open(let until): return until - now
        case .probing: return policy.openFor
        }
    }

    mutating func recordSuccess() {
        if state == .probing { recent = [] }
        state = .closed
        failuresInARow = 0
        note(false)
    }

    /// Returns true when this failure opened the breaker.
    mutating func recordFailure(now: Duration) -> Bool {
        failuresInARow += 1
        note(true)
        let failed = recent.count { $0 }
        let opens =
            state == .probing || failuresInARow >= policy.consecutiveFailures
            || (recent.count == policy.window && failed * 2 >= policy.window)
        if opens { open(until: now + policy.openFor) }
        return opens
    }

    /// The source named a time (a ban, a spent quota), or a wall that patience does not remove.
    mutating func open(until: Duration) {
        state = .open(until: until)
        failuresInARow = 0
        recent = []
    }

    /// The probe ended without an answer of the host: the next request is the probe.
    mutating func abandonProbe(now: Duration) {
        if state == .probing { state = .open(until: now) }
    }

    private mutating func note(_ failed: Bool) {
        recent.append(failed)
        if recent.count > policy.window { recent.removeFirst() }
    }
}
