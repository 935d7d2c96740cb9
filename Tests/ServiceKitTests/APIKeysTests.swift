import Foundation
import Logging
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@Suite("API keys in the database")
struct APIKeysTests {
    private func code(_ authenticator: Authenticator, _ key: String) async -> String {
        do {
            _ = try await authenticator.authenticate(bearer: key, apiKey: nil)
            return "ok"
        } catch { return error.code }
    }

    @Test("a key is made once, let in, listed without its secret, and refused when it is revoked")
    func life() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let keys = APIKeys(pool)
        let token = try await keys.create(name: "test", scopes: [.optimize, .dataRead])
        let authenticator = Authenticator(keys: keys, tokens: nil, lifetime: .zero)
        let principal = try await authenticator.authenticate(bearer: token.reveal(), apiKey: nil)
        #expect(principal.tenant == Tenants.standard)
        #expect(principal.scopes == [.optimize, .dataRead])
        let listed = try await keys.list()
        #expect(listed.map { $0.keyID } == [token.keyID])
        #expect(listed.first?.scopes == ["data:read", "optimize"])
        #expect(!"\(listed)".contains(token.secret.reveal()))
        #expect(try await keys.revoke(token.keyID))
        #expect(try await !keys.revoke(token.keyID))
        #expect(try await !keys.revoke("unknown1"))
        #expect(await code(authenticator, token.reveal()) == "AUT-002")
        #expect(try await keys.list().first?.revokedAt != nil)

        // The table holds no secret, and both changes are in the audit's chain.
        let admin = try database.adminPool()
        let rows = try await admin.query(
            "SELECT action, object, prev_hash, hash FROM ballast.audit ORDER BY seq")
        let chain = try rows.map { try $0.decode((String, String, [UInt8], [UInt8]).self) }
        #expect(chain.map { $0.0 } == ["api_key.create", "api_key.revoke"])
        #expect(chain.last?.2 == chain.first?.3)
        let text = try await admin.query(
            "SELECT (SELECT row_to_json(k)::text FROM ballast.api_key k), (SELECT string_agg(a::text, '') FROM ballast.audit a)"
        )
        let (row, audit) = try #require(text.first).decode((String, String).self)
        #expect(!row.contains(token.secret.reveal()))
        #expect(!audit.contains(token.secret.reveal()))
        await admin.close()
        await pool.close()
    }

    @Test("an expired key is refused as expired")
    func expired() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let keys = APIKeys(pool)
        let token = try await keys.create(name: "short", scopes: [.dataRead], lifetime: .microseconds(1))
        #expect(await code(Authenticator(keys: keys, tokens: nil), token.reveal()) == "AUT-003")
        await pool.close()
    }

    @Test("a tenant sees, lists and revokes only its own keys")
    func tenants() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let admin = try database.adminPool()
        let other = UUID()
        _ = try await admin.execute("INSERT INTO ballast.tenant (tenant_id, name) VALUES (\(other), 'other')")
        let keys = APIKeys(pool)
        #expect(try await keys.tenant("other") == other)
        #expect(try await keys.tenant("default") == Tenants.standard)
        #expect(try await keys.tenant(other.uuidString) == other)
        #expect(try await keys.tenant("nobody'; --") == nil)
        let theirs = try await keys.create(name: "theirs", scopes: [.admin], tenant: other)
        #expect(try await keys.list().isEmpty)
        #expect(try await !keys.revoke(theirs.keyID))
        let authenticator = Authenticator(keys: keys, tokens: nil)
        #expect(try await authenticator.authenticate(bearer: theirs.reveal(), apiKey: nil).tenant == other)
        await admin.close()
        await pool.close()
    }

    @Test("the watcher makes a revocation felt at once, and notes which keys were used", .timeLimit(.minutes(1)))
    func watcher() async throws {
        let database = try await TestDatabase.create()
        let pool = try database.pool()
        let keys = APIKeys(pool)
        let token = try await keys.create(name: "watched", scopes: [.dataRead])
        let authenticator = Authenticator(keys: keys, tokens: nil, lifetime: .seconds(3600))
        let (forgotten, forget) = AsyncStream.makeStream(of: Void.self)
        let watcher = CredentialWatcher(
            authenticator, pool: pool, interval: .milliseconds(20), logger: TestPostgres.logger,
            onForget: { forget.yield() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watcher.run() }
            var signals = forgotten.makeAsyncIterator()
            await signals.next()
            #expect(await code(authenticator, token.reveal()) == "ok")
            // The note that the key was used is itself a change of the table, so a signal.
            await signals.next()
            #expect(try await keys.list().first?.lastUsedAt != nil)
            _ = try await keys.revoke(token.keyID)
            while await code(authenticator, token.reveal()) == "ok" { await signals.next() }
            #expect(await code(authenticator, token.reveal()) == "AUT-002")
            group.cancelAll()
        }
        await pool.close()
    }

    @Test("without a database, credentials cannot be checked: 503, and not ready")
    func unreachable() async throws {
        let configuration = try PostgresConfiguration(url: "postgres://nobody@127.0.0.1:1/none?sslmode=disable")
        let pool = PostgresPool(configuration, size: 1, waitTimeout: .seconds(1), logger: TestPostgres.logger)
        let authenticator = Authenticator(keys: APIKeys(pool), tokens: nil)
        #expect(await code(authenticator, APIKeyToken.generate().reveal()) == "SYS-001")
        let checks = ReadinessChecks(timeout: .seconds(10))
        checks.addDatabase(pool, sqlDirectory: RepositoryRoot.migrations.path)
        let report = await checks.report()
        #expect(!report.isReady)
        #expect(report.json["checks"]?["database"]?["detail"] == "The database cannot be reached.")
        await pool.close()
    }

    @Test("ready on a migrated database, not on an empty one")
    func ready() async throws {
        for isMigrated in [true, false] {
            let database = isMigrated ? try await TestDatabase.create() : try await TestDatabase.createEmpty()
            let pool = try database.pool()
            let checks = ReadinessChecks(timeout: .seconds(20))
            checks.addDatabase(pool, sqlDirectory: RepositoryRoot.migrations.path)
            let report = await checks.report()
            #expect(report.json["checks"]?["database"]?["ok"] == true)
            #expect(report.isReady == isMigrated, "\(report.json.serialized())")
            let registry = PrometheusRegistry()
            registry.addPool(pool)
            #expect(await registry.text().contains("pg_pool_opened_total "))
            await pool.close()
        }
    }
}
