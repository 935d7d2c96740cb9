import Foundation
import HTTPTypes
import Metrics
import PostgresClient
import ServiceKit
import Synchronization
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Replies before a request is routed", .timeLimit(.minutes(2)))
struct ArrivalTests {
    private static let request: JSONValue = ["assets": ["AAA", "BBB"], "objective": "MinRisk", "store": false]

    private struct Arrivals {
        let service: ServiceUnderTest
        let early: EarlyAnswer

        init(_ service: ServiceUnderTest, origins: CORSOrigins = .none, drain: DrainState? = nil) {
            self.service = service
            let access = Routes.Access(
                // A loaded machine takes its time, in which keys are not to be forgotten.
                authenticator: Authenticator(
                    keys: APIKeys(service.optimizer.pool), tokens: nil, lifetime: .seconds(600)),
                origins: origins, keyQuota: RateQuota(requests: 5))
            self.access = access
            early =
                OptimizeOnArrival(
                    service.optimizer, access: access, registry: service.registry, drain: drain
                ).answer
        }
        private let access: Routes.Access

        /// So that the key has been seen.
        func greet(_ key: String? = nil) async throws {
            _ = try await access.authenticator.authenticate(bearer: key ?? service.key, apiKey: nil)
        }

        func head(
            _ more: (name: String, value: String)..., path: String = "/api/portfolio/optimize", key: String? = nil
        ) -> EarlyAnswer.Head {
            var fields = [("Host", "x"), ("authorization", "Bearer \(key ?? service.key)")]
            if !more.contains(where: { $0.name == "Content-Type" }) {
                fields.append(("Content-Type", "application/json"))
            }
            return EarlyAnswer.Head(post: path, fields + more.map { ($0.name, $0.value) })
        }

        func reply(_ body: JSONValue, _ head: EarlyAnswer.Head? = nil) async -> EarlyAnswer.Reply? {
            let arrival = EarlyAnswer.Arrival(
                head: head ?? self.head(), body: body.bytes(), requestID: "request-of-mine", since: .now)
            switch early.decide(arrival) {
            case .pass, .refuse: return nil
            case .reply(let reply): return reply
            case .replyLater(let ask, let make):
                let isGood = await withCheckedContinuation { told in ask { told.resume(returning: $0) } }
                return isGood ? make() : nil
            }
        }
    }

    private func plain(_ bytes: [UInt8]?) throws -> String? {
        guard let bytes, case .object(var object) = try StrictJSON.parse(bytes),
            var meta = object["meta"]?.objectValue
        else { return nil }
        for member in ["request_id", "total_ms"] { meta[member] = nil }
        object["meta"] = .object(meta)
        return JSONValue.object(object).serialized()
    }

    @Test("what is ready is what the endpoint says, with its fields, until a price changes")
    func ready() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            let arrivals = Arrivals(service)
            #expect(await arrivals.reply(Self.request) == nil, "whose key nobody has seen")
            try await arrivals.greet()
            #expect(await arrivals.reply(Self.request) == nil, "that nobody has answered")
            _ = try await service.optimize(Self.request)
            let routed = try await service.call(.post, "/api/portfolio/optimize", Self.request)
            let early = try #require(await arrivals.reply(Self.request))
            #expect(try plain(early.body) == plain(Array(routed.text.utf8)))
            let meta = try StrictJSON.parse(early.body)["meta"]
            #expect(meta?["request_id"] == "request-of-mine" && meta?["cached"] == true)
            let fields = Dictionary(early.fields.map { ($0.name, $0.value) }) { first, _ in first }
            #expect(fields["Cache-Control"] == "no-store" && fields["Content-Type"] == "application/json")
            #expect(fields["RateLimit"]?.hasPrefix("\"key\";r=4") == true)
            _ = try await service.admin.execute(
                "UPDATE market_data SET price = price * 1.01 WHERE asset_symbol = 'AAA'")
            #expect(await arrivals.reply(Self.request) == nil)
            _ = try await service.optimize(Self.request)
            #expect(await arrivals.reply(Self.request) != nil)
        }
    }

    @Test("another tenant, a missing scope, a key over its quota: each goes its way")
    func others() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            let arrivals = Arrivals(service)
            try await arrivals.greet()
            _ = try await service.optimize(Self.request)
            let foreign = try await service.foreignKey()
            try await arrivals.greet(foreign)
            #expect(await arrivals.reply(Self.request, arrivals.head(key: foreign)) == nil)
            let reader = try await APIKeys(service.optimizer.pool).create(name: "reader", scopes: [.dataRead]).reveal()
            try await arrivals.greet(reader)
            #expect(await arrivals.reply(Self.request, arrivals.head(key: reader)) == nil)
            for _ in 0..<5 { #expect(await arrivals.reply(Self.request) != nil) }
            #expect(await arrivals.reply(Self.request) == nil)
        }
    }

    @Test("a head that changes what is answered is none of its business")
    func heads() async throws {
        try await ServiceUnderTest.with { service in
            let origins = try #require(CORSOrigins("https://a.example"))
            let drain = DrainState()
            let arrivals = Arrivals(service, origins: origins, drain: drain)
            let concerns = arrivals.early.concerns
            #expect(concerns(arrivals.head()) && concerns(arrivals.head(path: "/api/v1/portfolio/optimize")))
            #expect(!concerns(arrivals.head(path: "/api/portfolio/optimize?async=true")))
            #expect(!concerns(arrivals.head(path: "/api/portfolio/metrics")))
            for (name, value) in [
                ("prefer", "respond-async"), ("Idempotency-Key", "key-of-mine"), ("Origin", "https://a.example"),
                ("X-Request-Timeout", "3"), ("Content-Type", "text/plain"), ("EXPECT", "100-continue"),
            ] { #expect(!concerns(arrivals.head((name, value))), "\(name)") }
            try await service.writePrices(["AAA", "BBB"])
            try await arrivals.greet()
            _ = try await service.optimize(Self.request)
            #expect(await arrivals.reply(Self.request)?.fields.contains { $0 == ("Vary", "Origin") } == true)
            drain.begin()
            #expect(!concerns(arrivals.head()), "the answer has to ask for the connection to be closed")
        }
    }

    @Test(
        "while the queue is full, who comes is refused before it is routed, with what the endpoint would say, and counted"
    )
    func refused() async throws {
        try await ServiceUnderTest.with { service in
            let arrivals = Arrivals(service)
            try await arrivals.greet()
            let gate = service.optimizer.gate
            let soon = ContinuousClock.now + .seconds(100)
            var waiting: [Task<Void, any Error>] = []
            // Each tenant of its own: none has more than its part.
            while !gate.isShedding {
                let count = gate.load.running + gate.load.waiting
                waiting.append(
                    Task { _ = try await gate.enter(tenant: UUID(), cost: 0.01, deadline: soon) })
                try await eventually { gate.load.running + gate.load.waiting > count }
            }
            defer { for task in waiting { task.cancel() } }
            let arrival = EarlyAnswer.Arrival(
                head: arrivals.head(), body: Self.request.bytes(), requestID: "request-of-mine", since: .now)
            guard case .refuse(let problem) = arrivals.early.decide(arrival) else {
                Issue.record("it was not refused")
                return
            }
            #expect(problem.status == 503)
            let routed = try await service.call(.post, "/api/portfolio/optimize", Self.request)
            #expect(routed.status == 503 && routed.json?["code"] == "SYS-101")
            let seconds = try #require(routed.json?["retry_after_s"]?.intValue)
            #expect(routed.headers[.retryAfter] == String(seconds))
            let text = await service.registry.text()
            #expect(text.contains("shed_total{why=\"load\"} 2\n"))
            #expect(
                text.contains(
                    "http_server_request_duration_seconds_count{method=\"POST\",route=\"/api/portfolio/optimize\",status=\"503\"} "
                ))
        }
    }
}
