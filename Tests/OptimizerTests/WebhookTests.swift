import Foundation
import HTTPFetch
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Webhooks", .timeLimit(.minutes(2)))
struct WebhookTests {
    private func sender(_ service: ServiceUnderTest) throws -> WebhookSender {
        WebhookSender(
            store: service.optimizer.webhooks, hosts: WebhookHosts("127.0.0.1"), client: HTTPClient(),
            listener: PostgresListener(try service.database.configuration(), logger: TestPostgres.logger),
            event: service.optimizer.event, logger: TestPostgres.logger)
    }

    private var admin: Principal { Principal(tenant: Tenants.standard, subject: "test", scopes: [.admin]) }

    @Test("the signature is that of Standard Webhooks' own example")
    func signature() {
        // From the specification's test vectors.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        let body = Array(#"{"test": 2432232314}"#.utf8)
        let signed = WebhookSignature.sign(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: body, secret: secret)
        #expect(signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        #expect(WebhookSignature.sign(id: "a", timestamp: 1, body: body, secret: "whsec_?") == nil)
    }

    @Test("a result is told once it is stored, signed, and taken by a 2xx")
    func delivers() async throws {
        try await ServiceUnderTest.with { service in
            let receiver = try LoopbackServer { _ in .init(204) }
            defer { receiver.stop() }
            let (_, secret) = try await service.optimizer.webhooks.add(
                url: receiver.url + "/hook", events: ["portfolio.result"], for: admin, requestID: "r")
            try await service.writePrices(["AAA", "BBB"])
            _ = try await service.optimize(["assets": ["AAA", "BBB"], "objective": "MinRisk", "portfolio_id": "told"])
            let due = try await service.optimizer.webhooks.claim()
            #expect(due.count == 1)
            try await sender(service).deliver(due)
            var requests = receiver.requests.makeAsyncIterator()
            let request = try #require(await requests.next())
            let event = try StrictJSON.parse(request.body)
            #expect(event["type"] == "portfolio.result" && event["data"]?["portfolio_id"] == "told")
            #expect(event["data"]?["weights"]?["AAA"]?.doubleValue != nil)
            let id = try #require(request.headers["webhook-id"])
            let time = try #require(request.headers["webhook-timestamp"].flatMap { Int($0) })
            #expect(abs(Double(time) - Date().timeIntervalSince1970) < 60)
            let wanted = WebhookSignature.sign(id: id, timestamp: time, body: request.body, secret: secret)
            #expect(request.headers["webhook-signature"] == wanted)
            let listed = try #require(try await service.optimizer.webhooks.list(tenant: Tenants.standard).first)
            #expect(listed.sent == 1 && listed.pending == 0 && listed.lastError == nil)
            #expect(try await service.optimizer.webhooks.claim().isEmpty)
        }
    }

    @Test("what is not taken is tried again under the same id, and given up after eight attempts")
    func retries() async throws {
        try await ServiceUnderTest.with { service in
            let receiver = try LoopbackServer { _ in .init(500) }
            defer { receiver.stop() }
            _ = try await service.optimizer.webhooks.add(
                url: receiver.url, events: ["job.done"], for: admin, requestID: "r")
            _ = try await service.admin.execute(
                "SELECT ballast.webhook_tell(\(Tenants.standard), 'job.done', '{\"job_id\":\"x\"}')")
            var ids: Set<UUID> = []
            for attempt in 1...8 {
                let due = try await service.optimizer.webhooks.claim()
                try #require(due.count == 1)
                ids.insert(due[0].id)
                #expect(due[0].attempt == Int32(attempt))
                // Held while it is sent, and afterwards not due at once.
                #expect(try await service.optimizer.webhooks.claim().isEmpty)
                try await sender(service).deliver(due)
                #expect(try await service.optimizer.webhooks.claim().isEmpty)
                _ = try await service.admin.execute("UPDATE ballast.webhook_delivery SET next_at = clock_timestamp()")
            }
            #expect(ids.count == 1)
            #expect(try await service.optimizer.webhooks.claim().isEmpty)
            let listed = try #require(try await service.optimizer.webhooks.list(tenant: Tenants.standard).first)
            #expect(listed.failed == 1 && listed.lastError == "status 500")
        }
    }

    @Test("only listed hosts over https can be told, and the list holds for what was kept before")
    func hosts() async throws {
        let hosts = WebhookHosts("hooks.example.org, 127.0.0.1")
        for url in ["https://hooks.example.org/x", "https://hooks.example.org:8443", "http://127.0.0.1:9/x"] {
            try hosts.check(url)
        }
        for url in [
            "http://hooks.example.org", "https://example.org", "https://hooks.example.org.evil.org",
            "https://169.254.169.254/",
            "https://hooks.example.org@evil.org/", "ftp://hooks.example.org", "hooks.example.org", "https://localhost/",
            "",
            "https://evil.org/#hooks.example.org",
        ] {
            #expect(throws: Problem.self, "\(url)") { try hosts.check(url) }
        }
        try await ServiceUnderTest.with { service in
            _ = try await service.optimizer.webhooks.add(
                url: "https://elsewhere.example.org", events: ["job.done"], for: admin, requestID: "r")
            _ = try await service.admin.execute("SELECT ballast.webhook_tell(\(Tenants.standard), 'job.done', '{}')")
            try await sender(service).deliver(try await service.optimizer.webhooks.claim())
            let listed = try #require(try await service.optimizer.webhooks.list(tenant: Tenants.standard).first)
            #expect(listed.lastError?.contains("BALLAST_WEBHOOK_HOSTS") == true && listed.pending == 1)
        }
    }

    @Test("the endpoints need the scope admin, show the secret once, and keep tenants apart")
    func endpoints() async throws {
        try await ServiceUnderTest.with { service in
            let keys = APIKeys(service.optimizer.pool)
            let admin = try await keys.create(name: "admin", scopes: [.admin]).reveal()
            let body: JSONValue = ["url": "https://hooks.example.org/x", "events": ["job.done"]]
            #expect(try await service.call(.post, "/api/webhooks", body).status == 403)
            // The service under test has an empty list of hosts.
            let refused = try await service.call(.post, "/api/webhooks", body, key: admin)
            #expect(refused.status == 422 && refused.json?["errors"]?[0]?["pointer"] == "#/url")
            let wrong = try await service.call(
                .post, "/api/webhooks", ["url": 1, "events": ["nothing"], "x": 1], key: admin)
            #expect(wrong.status == 422 && wrong.json?["errors"]?.arrayValue?.count == 3)
            let (id, secret) = try await service.optimizer.webhooks.add(
                url: "https://hooks.example.org/x", events: ["job.done"], for: self.admin, requestID: "r")
            let listed = try await service.call(.get, "/api/webhooks", key: admin)
            #expect(listed.json?["items"]?[0]?["webhook_id"]?.stringValue == id && !listed.text.contains(secret))
            let tenant = UUID()
            _ = try await service.admin.execute(
                "INSERT INTO ballast.tenant (tenant_id, name) VALUES (\(tenant), 'other')")
            let foreign = try await keys.create(name: "foreign", scopes: [.admin], tenant: tenant).reveal()
            #expect(
                try await service.call(.get, "/api/webhooks", key: foreign).json?["items"]?.arrayValue?.isEmpty == true)
            #expect(try await service.call(.delete, "/api/webhooks/\(id)", key: foreign).status == 404)
            #expect(try await service.call(.delete, "/api/webhooks/\(id)", key: admin).status == 204)
            #expect(try await service.call(.delete, "/api/webhooks/\(id)", key: admin).status == 404)
        }
    }
}
