import Foundation
import HTTPTypes
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Idempotency-Key")
struct IdempotencyTests {
    private static let name = HTTPField.Name.idempotencyKey
    private static let request: JSONValue = ["assets": ["AAA", "BBB"], "risk_measure": "MV", "objective": "MinRisk"]

    @Test("a request that is sent twice is answered once, byte for byte; without a key it runs again")
    func replays() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            let first = try await service.call(
                .post, "/api/portfolio/optimize", Self.request, headers: [Self.name: "\"k-1\""])
            #expect(first.status == 200 && first.headers[.idempotencyReplayed] == nil)
            // Bare text names the same key.
            let second = try await service.call(
                .post, "/api/portfolio/optimize", Self.request, headers: [Self.name: "k-1"])
            #expect(second.status == 200 && second.headers[.idempotencyReplayed] == "true")
            #expect(second.body == first.body)
            #expect(second.headers[.contentType] == first.headers[.contentType])
            let third = try await service.call(
                .post, "/api/portfolio/optimize", Self.request, headers: [Self.name: "k-2"])
            #expect(third.headers[.idempotencyReplayed] == nil && third.body != first.body)
            #expect(third.json?["portfolio_id"] == first.json?["portfolio_id"])
        }
    }

    @Test("refusals are kept, what may pass is not")
    func keepsRefusals() async throws {
        try await ServiceUnderTest.with { service in
            let refused = try await service.call(
                .post, "/api/portfolio/optimize", Self.request, headers: [Self.name: "r"])
            #expect(refused.status == 422)
            try await service.writePrices(["AAA", "BBB"])
            let again = try await service.call(
                .post, "/api/portfolio/optimize", Self.request, headers: [Self.name: "r"])
            #expect(again.status == 422 && again.headers[.idempotencyReplayed] == "true" && again.body == refused.body)
            // A deadline that passes: 504, and the same key runs.
            service.optimizer.solver.stop()
            let shed = try await service.call(.post, "/api/portfolio/optimize", Self.request, headers: [Self.name: "s"])
            #expect(shed.status == 503)
            let rows = try await service.admin.query("SELECT count(*) FROM ballast.idempotency WHERE key = 's'")
            #expect(try rows.first?.decode(Int64.self, at: 0) == 0)
        }
    }

    @Test("another request with the same key is 422, one that still runs 409, one that fell silent is taken over")
    func conflicts() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB"])
            _ = try await service.call(.post, "/api/portfolio/optimize", Self.request, headers: [Self.name: "k"])
            let other = try await service.call(
                .post, "/api/portfolio/optimize", ["assets": ["AAA"]], headers: [Self.name: "k"])
            #expect(other.status == 422 && other.json?["code"] == "STA-007")
            // The key of another tenant, and of another path, is another key.
            let foreign = try await service.foreignKey()
            let theirs = try await service.call(
                .post, "/api/portfolio/optimize", Self.request, key: foreign, headers: [Self.name: "k"])
            #expect(theirs.status == 200 && theirs.headers[.idempotencyReplayed] == nil)

            let store = IdempotencyStore(service.optimizer.pool)
            let key = try IdempotencyKey(header: "slow")
            let hash = Array(repeating: UInt8(7), count: 32)
            let tenant = Tenants.standard
            func claim(_ owner: String, lease: Duration = .seconds(90)) async throws -> IdempotencyStore.Claim {
                try await store.claim(
                    key, route: "POST /x", requestSHA256: hash, owner: owner, tenant: tenant, lease: lease)
            }
            #expect(try await claim("a", lease: .microseconds(1)) == .run)
            #expect(try await claim("b") == .run)
            #expect(try await claim("c") == .running)
            // The one that was taken for dead can neither finish nor release.
            let answer = IdempotencyStore.Answer(status: 201, headers: ["Location": "/y"], body: [1, 2, 3])
            try await store.finish(key, route: "POST /x", owner: "a", tenant: tenant, answer: answer)
            try await store.release(key, route: "POST /x", owner: "a", tenant: tenant)
            #expect(try await claim("d") == .running)
            try await store.finish(key, route: "POST /x", owner: "b", tenant: tenant, answer: answer)
            #expect(try await claim("e") == .done(answer))
        }
    }

    @Test("of a hundred at once with one key one runs")
    func race() async throws {
        try await ServiceUnderTest.with { service in
            let store = IdempotencyStore(service.optimizer.pool)
            let key = try IdempotencyKey(header: "race")
            let hash = Array(repeating: UInt8(1), count: 32)
            let claims = try await withThrowingTaskGroup(of: IdempotencyStore.Claim.self) { group in
                for n in 0..<100 {
                    group.addTask {
                        try await store.claim(
                            key, route: "POST /x", requestSHA256: hash, owner: "\(n)", tenant: Tenants.standard)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(claims.count(where: { $0 == .run }) == 1)
            #expect(claims.count(where: { $0 == .running }) == 99)
        }
    }

    @Test("an old answer makes room for the same key, and is cleared away by others")
    func expires() async throws {
        try await ServiceUnderTest.with { service in
            let store = IdempotencyStore(service.optimizer.pool)
            let hash = Array(repeating: UInt8(1), count: 32)
            for name in ["x", "y"] {
                let key = try IdempotencyKey(header: name)
                for (owner, keep) in [("1", Duration.microseconds(1)), ("2", .seconds(60))] {
                    let claim = try await store.claim(
                        key, route: "POST /x", requestSHA256: hash, owner: owner, tenant: Tenants.standard, keep: keep)
                    #expect(claim == .run)
                }
            }
        }
    }

    @Test("a key that is none is 400", arguments: ["", "\"\"", "a b", String(repeating: "k", count: 256), "\u{e9}"])
    func badKeys(text: String) async throws {
        #expect(throws: Problem.self) { try IdempotencyKey(header: text) }
    }
}

@Suite("Access to the optimizer")
struct AccessTests {
    @Test("each answer tells the quotas, and over them it is 429 with Retry-After")
    func limits() async throws {
        let small: @Sendable (Routes.Access) -> Routes.Access = { access in
            var access = access
            access.limiter = RateLimiter(
                key: RateQuota(requests: 3), tenant: RateQuota(requests: 5),
                registry: access.limiter.registry)
            return access
        }
        try await ServiceUnderTest.with(access: small) { service in
            for left in [2, 1, 0] {
                // A refusal tells it as well.
                let answer = try await service.call(.get, left == 1 ? "/api/portfolio/nosuch" : "/api/portfolio")
                #expect(answer.headers[.rateLimitPolicy] == #""key";q=3;w=60, "tenant";q=5;w=60"#)
                #expect(answer.headers[.rateLimit]?.hasPrefix("\"key\";r=\(left);t=") == true)
            }
            let refused = try await service.call(.get, "/api/portfolio")
            #expect(refused.status == 429 && refused.json?["code"] == "LIM-001")
            #expect(refused.headers[.retryAfter].flatMap { Int($0) } ?? 0 > 0)
            #expect(refused.headers[.rateLimit]?.hasPrefix("\"key\";r=0;") == true)
            // Another key of the tenant has its own three, and the tenant two more.
            let keys = APIKeys(service.optimizer.pool)
            let second = try await keys.create(name: "second", scopes: [.dataRead]).reveal()
            for status in [200, 200, 429] {
                #expect(try await service.call(.get, "/api/portfolio", key: second).status == status)
            }
            // Another tenant notices nothing; a key's own limit goes before the default.
            let foreign = try await service.foreignKey()
            #expect(try await service.call(.get, "/api/portfolio", key: foreign).status == 200)
            #expect(await service.registry.text().contains("shed_total{why=\"key_rate\"} 1"))
        }
    }

    @Test("a key's own limit goes before the default")
    func ownLimit() async throws {
        try await ServiceUnderTest.with { service in
            let keys = APIKeys(service.optimizer.pool)
            let key = try await keys.create(name: "slow", scopes: [.dataRead], requestsPerMinute: 1).reveal()
            #expect(try await service.call(.get, "/api/portfolio", key: key).status == 200)
            #expect(try await service.call(.get, "/api/portfolio", key: key).status == 429)
        }
    }

    @Test("a key is rotated: both work, then the old one ends; scopes and limit come along")
    func rotation() async throws {
        try await ServiceUnderTest.with { service in
            let keys = APIKeys(service.optimizer.pool)
            let old = try await keys.create(name: "r", scopes: [.dataRead, .rebalanceConfirm], requestsPerMinute: 77)
            let fresh = try #require(try await keys.rotate(old.keyID, grace: .seconds(60)))
            #expect(try await service.call(.get, "/api/portfolio", key: old.reveal()).status == 200)
            #expect(try await service.call(.get, "/api/portfolio", key: fresh.reveal()).status == 200)
            let stored = try #require(try await keys.key(id: fresh.keyID))
            #expect(stored.scopes == [.dataRead, .rebalanceConfirm] && stored.requestsPerMinute == 77)
            #expect(stored.expiresAt == nil)
            let next = try #require(try await keys.rotate(fresh.keyID, grace: .zero))
            #expect(try await keys.rotate(fresh.keyID, grace: .zero) == nil)
            let authenticator = Authenticator(keys: keys, tokens: nil)
            await #expect(throws: Problem.self) {
                try await authenticator.authenticate(bearer: fresh.reveal(), apiKey: nil)
            }
            _ = try await authenticator.authenticate(bearer: next.reveal(), apiKey: nil)
            let newest = try await AuditTrail(service.optimizer.pool).newest(1, tenant: Tenants.standard)
            #expect(newest.first?.action == "api_key.rotate" && newest.first?.object == fresh.keyID)
        }
    }

    @Test("a changed, a missing and a foreign row break the audit's chain where they stand")
    func audit() async throws {
        try await ServiceUnderTest.with { service in
            let audit = AuditTrail(service.optimizer.pool)
            let keys = APIKeys(service.optimizer.pool)
            for n in 0..<4 { _ = try await keys.create(name: "k\(n)", scopes: [.dataRead]) }
            let tenant = Tenants.standard
            #expect(try await audit.verify(tenant: tenant) == nil)
            let head = try #require(try await audit.heads().first { $0.tenant == tenant })
            #expect(head.seq == 5 && head.hash.count == 64)
            // Neither the services nor the owner of the tables can touch a row while the trigger stands.
            for statement in [
                "UPDATE ballast.audit SET actor = 'x'", "DELETE FROM ballast.audit", "TRUNCATE ballast.audit",
            ] {
                await #expect(throws: PostgresError.self) { try await service.admin.execute(.raw(statement)) }
            }
            func tamper(_ statement: String) async throws -> AuditTrail.Fault? {
                let admin = service.admin
                for text in ["ALTER TABLE ballast.audit DISABLE TRIGGER audit_append_only", statement] {
                    _ = try await admin.execute(.raw(text))
                }
                return try await audit.verify(tenant: tenant)
            }
            #expect(
                try await tamper("UPDATE ballast.audit SET detail = detail || '{\"x\":1}' WHERE seq = 3")
                    == .init(seq: 3, text: "the row was changed"))
            #expect(
                try await tamper("UPDATE ballast.audit SET detail = detail - 'x' WHERE seq = 3") == nil)
            #expect(
                try await tamper("UPDATE ballast.audit SET prev_hash = '\\x00' WHERE seq = 4")
                    == .init(seq: 4, text: "the row does not follow the one before"))
            #expect(
                try await tamper("DELETE FROM ballast.audit WHERE seq = 2") == .init(seq: 2, text: "a row is missing"))
        }
    }
}
