private import Synchronization

/// A client with manners: rate limits, retries with full jitter, `Retry-After`, and a circuit breaker, each kept per host.
public final class HTTPFetcher: Sendable {
    private struct Host {
        var bucket: TokenBucket
        var breaker: CircuitBreaker
        /// No request to the host before this time: it said so.
        var quietUntil: Duration = .zero
        var retryBudget = 10.0
    }

    private let client: HTTPClient
    private let limits: [String: RateLimit]
    private let defaultLimit: RateLimit
    private let retry: RetryPolicy
    private let breaker: BreakerPolicy
    private let clock: FetchClock
    private let observe: @Sendable (FetchEvent) -> Void
    private let hosts = Mutex<[String: Host]>([:])

    /// - Parameter limits: by `host:port`; other hosts get `defaultLimit`.
    public init(
        client: HTTPClient, limits: [String: RateLimit] = [:],
        defaultLimit: RateLimit = RateLimit(perSecond: 5, burst: 5),
        retry: RetryPolicy = RetryPolicy(), breaker: BreakerPolicy = BreakerPolicy(), clock: FetchClock = .system,
        observe: @escaping @Sendable (FetchEvent) -> Void = { _ in }
    ) {
        self.client = client
        self.limits = limits
        self.defaultLimit = defaultLimit
        self.retry = retry
        self.breaker = breaker
        self.clock = clock
        self.observe = observe
    }

    /// Fetches, judging answers by their status; the last answer is returned whatever its status.
    public func fetch(_ request: HTTPRequest) async throws(FetchError) -> HTTPResponse {
        let clock = clock
        return try await fetch(request) { response in
            let after = RetryAfter.wait(of: response, now: clock.unixSeconds())
            return Judgement(response, Verdict(status: response.status, retryAfter: after))
        }
    }

    /// Fetches until `judge` takes an answer as final or patience ends; returns the last reading.
    ///
    /// - Throws: the last transport error, `.circuitOpen` while the host is left alone, `.cancelled`.
    public func fetch<Reading: Sendable>(
        _ request: HTTPRequest, judge: @Sendable (HTTPResponse) -> Judgement<Reading>
    ) async throws(FetchError) -> Reading {
        let host = try HTTPAddress(request.url).authority
        var attempt = 0
        while true {
            try await takeTurn(host)
            let started = clock.now()
            let result: Result<Judgement<Reading>, FetchError>
            var status: Int?
            do throws(FetchError) {
                let response = try await client.fetch(request)
                status = response.status
                result = .success(judge(response))
            } catch {
                result = .failure(error)
            }
            observe(.exchanged(host: host, status: status, attempt: attempt, took: clock.now() - started))
            guard let wait = settle(host, result, attempt: attempt) else { return try result.map(\.reading).get() }
            attempt += 1
            try await pause(host, wait)
        }
    }

    /// Waits for the breaker's leave, the host's own quiet time and a token.
    private func takeTurn(_ host: String) async throws(FetchError) {
        let now = clock.now()
        let limit = limits[host] ?? defaultLimit
        let turn: Result<Duration, FetchError> = hosts.withLock { hosts in
            var entry = hosts[host] ?? Host(bucket: TokenBucket(limit, now: now), breaker: CircuitBreaker(breaker))
            defer { hosts[host] = entry }
            if let remaining = entry.breaker.admit(now: now) {
                return .failure(.circuitOpen(host: host, remaining: remaining))
            }
            let quiet = max(.zero, entry.quietUntil - now)
            return .success(max(quiet, entry.bucket.reserve(now: now)))
        }
        let wait = try turn.get()
        if wait > .zero {
            do throws(FetchError) {
                try await pause(host, wait)
            } catch {
                abandonProbe(host)
                throw error
            }
        }
    }

    private func pause(_ host: String, _ wait: Duration) async throws(FetchError) {
        observe(.waits(host: host, duration: wait))
        do {
            try await clock.sleep(wait)
        } catch {
            throw .cancelled
        }
    }

    private func abandonProbe(_ host: String) {
        let now = clock.now()
        hosts.withLock { $0[host]?.breaker.abandonProbe(now: now) }
    }

    /// Books the result with the host; returns how long to wait before the next try, or nil when this was the last.
    private func settle<Reading>(
        _ host: String, _ result: Result<Judgement<Reading>, FetchError>, attempt: Int
    ) -> Duration? {
        let now = clock.now()
        let verdict: Verdict
        switch result {
        case .success(let judgement): verdict = judgement.verdict
        case .failure(let error) where error.isTransient: verdict = .failed
        case .failure(.untrusted), .failure(.tooLarge):
            recordFinalFailure(host)
            return nil
        case .failure:
            abandonProbe(host)
            return nil
        }
        var opened: Duration?
        let wait: Duration? = hosts.withLock { hosts in
            guard var entry = hosts[host] else { return nil }
            defer { hosts[host] = entry }
            if attempt == 0 { entry.retryBudget = min(10, entry.retryBudget + retry.budgetShare) }
            switch verdict {
            case .answered:
                entry.breaker.recordSuccess()
                return nil
            case .refused(let time):
                entry.breaker.open(until: now + time)
                opened = time
                return nil
            case .slowDown(let after):
                entry.breaker.recordSuccess()
                if let after { entry.quietUntil = max(entry.quietUntil, now + after) }
                return again(&entry, attempt, after)
            case .failed:
                if entry.breaker.recordFailure(now: now) {
                    opened = breaker.openFor
                    return nil
                }
                return again(&entry, attempt, nil)
            }
        }
        if let opened { observe(.breakerOpened(host: host, duration: opened)) }
        return wait
    }

    /// The host answered wrongly and would again: counts against it, without another try.
    private func recordFinalFailure(_ host: String) {
        let now = clock.now()
        let opened = hosts.withLock { $0[host]?.breaker.recordFailure(now: now) ?? false }
        if opened { observe(.breakerOpened(host: host, duration: breaker.openFor)) }
    }

    private func again(_ entry: inout Host, _ attempt: Int, _ after: Duration?) -> Duration? {
        guard attempt < retry.retries, entry.retryBudget >= 1, (after ?? .zero) <= retry.longestWait else { return nil }
        entry.retryBudget -= 1
        let jittered = retry.backoff(attempt: attempt, random: .random(in: 0...1))
        // A stated time is a lower bound; the jitter on top keeps callers from coming back in step.
        return after.map { $0 + min(jittered, .milliseconds(500)) } ?? jittered
    }
}
