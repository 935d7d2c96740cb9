import HTTPTypes
import Hummingbird
import Logging
import ServiceKit
import TestSupport
import Testing
import WireFormat

@Suite("Rate limits")
struct TokenBucketTests {
    private let start = ContinuousClock.now

    @Test("a full quota at once, then one for each share of the window; names do not share")
    func refills() {
        let buckets = TokenBuckets<String>()
        let quota = RateQuota(requests: 3, window: .seconds(30))
        for left in [2, 1, 0] {
            let decision = buckets.take("a", quota: quota, now: start)
            #expect(decision.isAllowed && decision.remaining == left && decision.resetSeconds == (3 - left) * 10)
        }
        let refused = buckets.take("a", quota: quota, now: start)
        #expect(!refused.isAllowed && refused.remaining == 0)
        #expect(refused.resetSeconds == 30 && refused.retrySeconds == 10)
        #expect(buckets.take("b", quota: quota, now: start).isAllowed)
        #expect(!buckets.take("a", quota: quota, now: start + .milliseconds(9_900)).isAllowed)
        #expect(buckets.take("a", quota: quota, now: start + .seconds(10)).isAllowed)
        #expect(!buckets.take("a", quota: quota, now: start + .seconds(10)).isAllowed)
        // Never more than the quota, however long nobody came.
        for _ in 0..<3 { #expect(buckets.take("a", quota: quota, now: start + .seconds(10_000)).isAllowed) }
        #expect(!buckets.take("a", quota: quota, now: start + .seconds(10_000)).isAllowed)
    }

    @Test("over any stretch of time no more than the quota and what refilled", arguments: [1 as UInt64, 2, 3])
    func bounded(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let buckets = TokenBuckets<Int>()
        let quota = RateQuota(requests: 7, window: .seconds(11))
        var now = start
        var allowed: [ContinuousClock.Instant] = []
        for _ in 0..<2000 {
            now += .milliseconds(Int64.random(in: 0...900, using: &random))
            if buckets.take(0, quota: quota, now: now).isAllowed { allowed.append(now) }
        }
        for (n, first) in allowed.enumerated() {
            for m in n..<min(allowed.count, n + 40) {
                let stretch = (allowed[m] - first) / .seconds(1)
                #expect(Double(m - n + 1) <= 7 + stretch * 7 / 11 + 1e-6)
            }
        }
        #expect(allowed.count > 400)
    }

    @Test("the memory is bounded, and who is nearly empty is remembered")
    func forgets() {
        let buckets = TokenBuckets<Int>(mostNames: 100)
        let quota = RateQuota(requests: 5)
        for _ in 0..<5 { _ = buckets.take(0, quota: quota, now: start) }
        for name in 1..<1000 { _ = buckets.take(name, quota: quota, now: start) }
        #expect(!buckets.take(0, quota: quota, now: start).isAllowed)
    }
}

@Suite("Pages of other origins")
struct CORSTests {
    private static func client(_ list: String) throws -> RouterClient<RouterResponder<BallastRequestContext>> {
        let origins = try #require(CORSOrigins(list))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return RouterClient(
            BallastRouter.build(metrics: nil, origins: origins, logger: logger) { router in
                router.get("/data") { _, _ in Response(json: 1) }
                router.get("/wrong") { _, _ -> Response in throw Problem(.invalidValue, "No.") }
            })
    }

    @Test("a listed page may read answers and problems; its preflight is answered")
    func listed() async throws {
        let client = try Self.client("https://app.example.org, http://localhost:3000")
        for path in ["/data", "/wrong", "/nowhere"] {
            let answer = try await client.send(.get, path, headers: [.origin: "http://localhost:3000"])
            #expect(answer.headers[.accessControlAllowOrigin] == "http://localhost:3000")
            #expect(answer.headers[.vary] == "Origin")
            #expect(answer.headers[.accessControlExposeHeaders]?.contains("RateLimit") == true)
            #expect(answer.headers[.accessControlAllowCredentials] == nil)
        }
        let preflight = try await client.send(
            .options, "/data",
            headers: [.origin: "https://app.example.org", .accessControlRequestMethod: "POST"])
        #expect(preflight.status == 204)
        #expect(preflight.headers[.accessControlAllowOrigin] == "https://app.example.org")
        #expect(preflight.headers[.accessControlAllowMethods]?.contains("POST") == true)
        #expect(preflight.headers[.accessControlAllowHeaders]?.contains("Idempotency-Key") == true)
    }

    @Test(
        "any other origin is told nothing",
        arguments: [
            "https://app.example.org.evil.org", "https://evil.org", "http://app.example.org",
            "https://app.example.org:444",
            "null", "*", "https://APP.example.org",
        ])
    func others(origin: String) async throws {
        let client = try Self.client("https://app.example.org")
        let answer = try await client.send(.get, "/data", headers: [.origin: origin])
        #expect(answer.status == 200 && answer.headers[.accessControlAllowOrigin] == nil)
        #expect(answer.headers[.vary] == "Origin")
        let preflight = try await client.send(
            .options, "/data", headers: [.origin: origin, .accessControlRequestMethod: "GET"])
        #expect(preflight.status == 405 && preflight.headers[.accessControlAllowMethods] == nil)
    }

    @Test("without a list no field is sent")
    func none() async throws {
        let answer = try await Self.client("").send(.get, "/data", headers: [.origin: "https://app.example.org"])
        #expect(answer.headers[.vary] == nil && answer.headers[.accessControlAllowOrigin] == nil)
    }

    @Test(
        "only exact origins can be listed",
        arguments: [
            "*", "null", "https://*.example.org", "https://a.org/path", "a.org", "https://", "https://A.org",
            "ftp://a.org",
        ])
    func refusesLists(text: String) { #expect(CORSOrigins(text) == nil) }
}
