import Synchronization
import TestSupport
import Testing

@testable import HTTPFetch

/// A clock that moves only by its sleepers: every wait is over at once and is written down.
private final class SteppedClock: Sendable {
    private let state = Mutex((now: Duration.zero, waits: [Duration]()))

    var waits: [Duration] { state.withLock { $0.waits } }
    var now: Duration { state.withLock { $0.now } }

    func advance(_ time: Duration) { state.withLock { $0.now += time } }

    var fetchClock: FetchClock {
        FetchClock(
            now: { self.now }, unixSeconds: { 784_111_777 + Int(self.now.inSeconds) },
            sleep: { time in
                self.state.withLock {
                    $0.now += time
                    $0.waits.append(time)
                }
                try Task.checkCancellation()
            })
    }
}

@Suite struct `The polite fetcher` {
    /// Replies in turn; the last one again and again.
    private func server(_ replies: [LoopbackServer.Reply]) throws -> LoopbackServer {
        let turn = Atomic(0)
        return try LoopbackServer { _ in
            replies[min(turn.add(1, ordering: .relaxed).oldValue, replies.count - 1)]
        }
    }

    private func fetcher(
        _ clock: SteppedClock, limit: RateLimit = RateLimit(perSecond: 1_000, burst: 1_000),
        retry: RetryPolicy = RetryPolicy()
    ) -> HTTPFetcher {
        HTTPFetcher(client: HTTPClient(), defaultLimit: limit, retry: retry, clock: clock.fetchClock)
    }

    @Test func `retries failures until an answer comes`() async throws {
        let server = try server([.init(500), .init(502), .init(200, "0123", cutAfter: 1), .init(200, "good")])
        let clock = SteppedClock()
        let response = try await fetcher(clock).fetch(HTTPRequest(.get, server.url))
        #expect(response.text == "good")
        #expect(clock.waits.count == 3)
        #expect(zip(clock.waits, [0.5, 1.0, 2.0]).allSatisfy { $0.inSeconds <= $1 })
    }

    @Test(arguments: ["7", "Sun, 06 Nov 1994 08:49:44 GMT", "Sunday, 06-Nov-94 08:49:44 GMT"])
    func `waits as long as Retry-After says, in each of its forms`(_ value: String) async throws {
        let server = try server([.init(429, headers: ["Retry-After": value]), .init(200, "good")])
        let clock = SteppedClock()
        #expect(try await fetcher(clock).fetch(HTTPRequest(.get, server.url)).text == "good")
        #expect(clock.now.inSeconds >= 7 && clock.now.inSeconds <= 7.6)
    }

    @Test func `a date counts from the answer's own clock`() {
        let headers = [
            HTTPHeader("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
            HTTPHeader("Date", "Sun, 06 Nov 1994 08:49:07 GMT"),
        ]
        #expect(RetryAfter.wait(of: HTTPResponse(status: 429, headers: headers), now: 0) == .seconds(30))
        #expect(
            RetryAfter.wait(of: HTTPResponse(status: 429, headers: [HTTPHeader("Retry-After", "soon")]), now: 0) == nil)
    }

    @Test func `a longer wait than allowed hands the answer back and keeps quiet until then`() async throws {
        let server = try server([.init(429, headers: ["Retry-After": "600"]), .init(200, "good")])
        let clock = SteppedClock()
        let fetcher = fetcher(clock)
        #expect(try await fetcher.fetch(HTTPRequest(.get, server.url)).status == 429)
        #expect(clock.waits.isEmpty)
        #expect(try await fetcher.fetch(HTTPRequest(.get, server.url)).text == "good")
        #expect(clock.waits == [.seconds(600)])
    }

    @Test func `answers that are final are not asked again`() async throws {
        let server = try server([.init(404)])
        let clock = SteppedClock()
        #expect(try await fetcher(clock).fetch(HTTPRequest(.get, server.url)).status == 404)
        #expect(server.count == 1)
    }

    @Test func `a reader may find a failure inside a 200`() async throws {
        let server = try server([.init(200, "<html>"), .init(200, "rows")])
        let text = try await fetcher(SteppedClock()).fetch(HTTPRequest(.get, server.url)) { response in
            Judgement(response.text, response.text.hasPrefix("<") ? .failed : .answered)
        }
        #expect(text == "rows")
    }

    @Test func `five failures in a row open the breaker, and one probe closes it`() async throws {
        let server = try server([.init(500), .init(500), .init(500), .init(500), .init(500), .init(200, "well")])
        let clock = SteppedClock()
        let fetcher = fetcher(clock, retry: .never)
        let request = HTTPRequest(.get, server.url)
        for _ in 0..<5 { #expect(try await fetcher.fetch(request).status == 500) }
        await #expect(throws: FetchError.circuitOpen(host: "127.0.0.1:\(server.port)", remaining: .seconds(30))) {
            try await fetcher.fetch(request)
        }
        #expect(server.count == 5)
        clock.advance(.seconds(30))
        #expect(try await fetcher.fetch(request).text == "well")
        #expect(try await fetcher.fetch(request).text == "well")
    }

    @Test func `a refusal leaves the host alone for the stated time`() async throws {
        let server = try server([.init(418)])
        let clock = SteppedClock()
        let fetcher = fetcher(clock)
        let request = HTTPRequest(.get, server.url)
        let judge: @Sendable (HTTPResponse) -> Judgement<Int> = { Judgement($0.status, .refused(for: .seconds(120))) }
        #expect(try await fetcher.fetch(request, judge: judge) == 418)
        clock.advance(.seconds(119))
        await #expect(throws: FetchError.circuitOpen(host: "127.0.0.1:\(server.port)", remaining: .seconds(1))) {
            try await fetcher.fetch(request, judge: judge)
        }
        clock.advance(.seconds(1))
        #expect(try await fetcher.fetch(request, judge: judge) == 418)
    }

    @Test func `requests keep to the rate of their host`() async throws {
        let server = try server([.init(200)])
        let clock = SteppedClock()
        let fetcher = fetcher(clock, limit: RateLimit(perSecond: 4, burst: 2))
        for _ in 0..<10 { _ = try await fetcher.fetch(HTTPRequest(.get, server.url)) }
        #expect(clock.now >= .seconds(2) && clock.now < .seconds(2.3))
    }

    @Test func `retries are a bounded share of all requests`() async throws {
        let server = try server([.init(503)])
        let clock = SteppedClock()
        let fetcher = HTTPFetcher(
            client: HTTPClient(), defaultLimit: RateLimit(perSecond: 1_000, burst: 1_000),
            breaker: {
                var policy = BreakerPolicy()
                (policy.consecutiveFailures, policy.window) = (10_000, 10_000)
                return policy
            }(), clock: clock.fetchClock)
        for _ in 0..<40 { _ = try await fetcher.fetch(HTTPRequest(.get, server.url)) }
        // Forty requests, the ten of the reserve, and a tenth of forty.
        #expect(server.count <= 54)
    }

    @Test func `a host with many faults is still served in the end`() async throws {
        // Ten in a hundred 429, five 500, two cut bodies, one web page: etl.md 7.4.
        let turn = Atomic(0)
        let server = try LoopbackServer { _ in
            switch turn.add(1, ordering: .relaxed).oldValue * 37 % 100 {
            case 0..<5: .init(429, headers: ["Retry-After": "1"])
            case 5..<10: .init(429, headers: ["Retry-After": "Sun, 06 Nov 1994 08:49:38 GMT"])
            case 10..<15: .init(500)
            case 15..<17: .init(200, "rows", cutAfter: 2)
            case 17: .init(200, "<html>")
            default: .init(200, "rows")
            }
        }
        let clock = SteppedClock()
        var policy = RetryPolicy()
        policy.budgetShare = 1
        let fetcher = fetcher(clock, retry: policy)
        for _ in 0..<200 {
            let text = try await fetcher.fetch(HTTPRequest(.get, server.url)) { response in
                let after = RetryAfter.wait(of: response, now: 784_111_777)
                let isWall = response.text.hasPrefix("<")
                return Judgement(response.text, isWall ? .failed : Verdict(status: response.status, retryAfter: after))
            }
            #expect(text == "rows")
        }
    }
}

@Suite struct `The circuit breaker` {
    @Test func `opens on half of the last twenty`() {
        var breaker = CircuitBreaker(BreakerPolicy())
        var opened = false
        for index in 0..<20 where !opened {
            if index % 2 == 0 { breaker.recordSuccess() } else { opened = breaker.recordFailure(now: .zero) }
        }
        #expect(opened)
    }

    @Test func `lets one probe through and no more`() {
        var breaker = CircuitBreaker(BreakerPolicy())
        breaker.open(until: .seconds(10))
        let first = [9, 10, 10].map { breaker.admit(now: .seconds($0)) }
        #expect(first == [.seconds(1), nil, .seconds(30)])
        breaker.abandonProbe(now: .seconds(11))
        let second = breaker.admit(now: .seconds(11))
        let opened = breaker.recordFailure(now: .seconds(11))
        let third = breaker.admit(now: .seconds(12))
        #expect(second == nil)
        #expect(opened)
        #expect(third == .seconds(29))
    }
}

@Suite struct `The token bucket` {
    @Test func `gives out turns in order of arrival`() {
        var bucket = TokenBucket(RateLimit(perSecond: 2, burst: 2), now: .zero)
        let waits = (0..<4).map { _ in bucket.reserve(now: .zero) }
        #expect(waits == [.zero, .zero, .seconds(0.5), .seconds(1)])
        let later = bucket.reserve(now: .seconds(10))
        #expect(later == .zero)
    }
}
