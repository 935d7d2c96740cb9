import Foundation
import ServiceKit
import Synchronization
import Testing
import WireFormat

/// Keys in memory, and how often they were asked for.
final class KeyTable: APIKeySource {
    let keys = Mutex<[String: StoredAPIKey]>([:])
    let lookups = Mutex(0)

    func add(_ token: APIKeyToken, scopes: Set<Scope> = [.dataRead], expiresAt: UTCTimestamp? = nil) {
        keys.withLock {
            $0[token.keyID] = StoredAPIKey(
                tenant: Tenants.standard, secretSHA256: token.secretSHA256, scopes: scopes, expiresAt: expiresAt)
        }
    }

    func key(id: String) async throws -> StoredAPIKey? {
        lookups.withLock { $0 += 1 }
        return keys.withLock { $0[id] }
    }
}

@Suite("Authenticator")
struct AuthenticatorTests {
    private let table = KeyTable()
    private let token = APIKeyToken.generate()

    private func code(_ authenticator: Authenticator, bearer: String? = nil, apiKey: String? = nil) async -> String {
        do {
            _ = try await authenticator.authenticate(bearer: bearer, apiKey: apiKey)
            return "ok"
        } catch { return error.code }
    }

    @Test("keys have the form bk_<8>_<43>, and no two are alike")
    func form() throws {
        var seen: Set<String> = []
        for _ in 0..<100 {
            let token = APIKeyToken.generate()
            let text = token.reveal()
            #expect(text.wholeMatch(of: /bk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}/) != nil)
            #expect(APIKeyToken(text) == token)
            #expect(seen.insert(text).inserted)
            #expect(!"\(token)".contains(token.secret.reveal()))
        }
        for text in [
            "", "bk_", "bk_12345678_short", "pk" + token.reveal().dropFirst(2), token.reveal() + "x", "bk_1234é678_",
        ] {
            #expect(APIKeyToken(String(text)) == nil)
        }
    }

    @Test("a good key is let in, in either header")
    func good() async throws {
        table.add(token, scopes: [.optimize])
        let authenticator = Authenticator(keys: table, tokens: nil)
        let principal = try await authenticator.authenticate(bearer: token.reveal(), apiKey: nil)
        #expect(principal.tenant == Tenants.standard)
        #expect(principal.keyID == token.keyID)
        #expect(principal.allows(.optimize))
        #expect(!principal.allows(.dataRead))
        #expect(await code(authenticator, apiKey: token.reveal()) == "ok")
    }

    @Test("no, wrong, unknown, revoked and expired keys are refused")
    func bad() async {
        table.add(token)
        let other = APIKeyToken.generate()
        let expired = APIKeyToken.generate()
        table.add(expired, expiresAt: UTCTimestamp(microsecondsSinceEpoch: 1))
        let authenticator = Authenticator(keys: table, tokens: nil, lifetime: .zero)
        #expect(await code(authenticator) == "AUT-001")
        #expect(await code(authenticator, bearer: "") == "AUT-001")
        #expect(await code(authenticator, bearer: "rubbish") == "AUT-002")
        #expect(await code(authenticator, bearer: other.reveal()) == "AUT-002")
        let wrongSecret = "bk_\(token.keyID)_\(other.secret.reveal())"
        #expect(await code(authenticator, bearer: wrongSecret) == "AUT-002")
        #expect(await code(authenticator, bearer: expired.reveal()) == "AUT-003")
        table.keys.withLock { $0[token.keyID]?.revokedAt = UTCTimestamp(microsecondsSinceEpoch: 1) }
        #expect(await code(authenticator, bearer: token.reveal()) == "AUT-002")
    }

    @Test("keys are remembered, also unknown ones, until they are to be forgotten")
    func remembered() async {
        table.add(token)
        let authenticator = Authenticator(keys: table, tokens: nil, lifetime: .seconds(600))
        for _ in 0..<5 { #expect(await code(authenticator, bearer: token.reveal()) == "ok") }
        #expect(table.lookups.withLock { $0 } == 1)
        table.keys.withLock { $0[token.keyID]?.revokedAt = UTCTimestamp(microsecondsSinceEpoch: 1) }
        authenticator.forgetKeys()
        #expect(await code(authenticator, bearer: token.reveal()) == "AUT-002")
        #expect(table.lookups.withLock { $0 } == 2)
        let unknown = APIKeyToken.generate().reveal()
        for _ in 0..<5 { #expect(await code(authenticator, bearer: unknown) == "AUT-002") }
        #expect(table.lookups.withLock { $0 } == 3)
    }
}

@Suite("JSON web tokens")
struct JWTTests {
    private static let secret = "0123456789abcdef0123456789abcdef"
    private static let now = 1_700_000_000.0

    private func base64(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=", with: "")
    }

    private func code(_ verifier: JWTVerifier, _ token: String, now: Double = JWTTests.now) async -> String {
        do {
            _ = try await verifier.principal(of: token, now: now)
            return "ok"
        } catch { return error.code }
    }

    @Test("a minted token gives its tenant, subject and scopes")
    func minted() async throws {
        let verifier = try await JWTVerifier(secret: Secret(Self.secret))
        let tenant = UUID()
        let token = try await verifier.mint(
            role: "authenticated", subject: "user-1", tenant: tenant, scopes: [.optimize, .dataRead], issued: Self.now,
            expires: Self.now + 600)
        let principal = try await verifier.principal(of: token, now: Self.now)
        #expect(principal == Principal(tenant: tenant, subject: "user-1", scopes: [.optimize, .dataRead]))
        let service = try await verifier.mint(role: "service_role", issued: Self.now, expires: Self.now + 600)
        #expect(try await verifier.principal(of: service, now: Self.now).allows(.rebalanceExecute))
        #expect(try await verifier.principal(of: service, now: Self.now).tenant == Tenants.standard)
        let anon = try await verifier.mint(role: "anon", issued: Self.now, expires: Self.now + 600)
        #expect(try await verifier.principal(of: anon, now: Self.now).scopes == [.dataRead])
    }

    @Test("reads a token that another implementation signed")
    func foreign() async throws {
        // Made by Python: hmac.new(key, header + b"." + payload, sha256).
        let token =
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYW5vbiIsImV4cCI6NDEwMjQ0NDgwMH0.dCyun4WxzluuWsvmdI5lAXXHKO8lEKUMKxBRlAinGok"
        let verifier = try await JWTVerifier(secret: Secret(Self.secret))
        #expect(await code(verifier, token) == "ok")
    }

    @Test("expired, unsigned, foreign and broken tokens are refused")
    func refused() async throws {
        let verifier = try await JWTVerifier(secret: Secret(Self.secret))
        let token = try await verifier.mint(role: "service_role", issued: Self.now, expires: Self.now + 600)
        #expect(await code(verifier, token, now: Self.now + 629) == "ok")
        #expect(await code(verifier, token, now: Self.now + 631) == "AUT-003")
        let parts = token.split(separator: ".").map { String($0) }
        let none = base64(#"{"alg":"none","typ":"JWT"}"#)
        #expect(await code(verifier, "\(none).\(parts[1]).") == "AUT-002")
        #expect(await code(verifier, "\(none).\(parts[1]).\(parts[2])") == "AUT-002")
        // Another algorithm in the header, signature of HS256 over that header's bytes: still refused.
        #expect(await code(verifier, "\(base64(#"{"alg":"HS512"}"#)).\(parts[1]).\(parts[2])") == "AUT-002")
        #expect(
            await code(verifier, "\(base64(#"{"alg":"HS256","alg":"HS256"}"#)).\(parts[1]).\(parts[2])") == "AUT-002")
        let admin = base64(#"{"role":"service_role","exp":4102444800}"#)
        #expect(await code(verifier, "\(parts[0]).\(admin).\(parts[2])") == "AUT-002")
        let flipped = String(parts[2].reversed())
        #expect(await code(verifier, "\(parts[0]).\(parts[1]).\(flipped)") == "AUT-002")
        let other = try await JWTVerifier(secret: Secret("another-secret-of-thirty-two-bytes"))
        #expect(await code(other, token) == "AUT-002")
        for broken in ["", "..", "a.b", "a.b.c", "a.b.c.d", token + "x", String(repeating: "a", count: 10_000)] {
            #expect(await code(verifier, broken) == "AUT-002")
        }
    }

    @Test("the authenticator takes a token in either header, and none where it has no key")
    func headers() async throws {
        let verifier = try await JWTVerifier(secret: Secret(Self.secret))
        let token = try await verifier.mint(role: "anon", issued: Self.now, expires: 4_102_444_800)
        let with = Authenticator(keys: KeyTable(), tokens: verifier)
        #expect(try await with.authenticate(bearer: token, apiKey: nil).scopes == [.dataRead])
        #expect(try await with.authenticate(bearer: nil, apiKey: token).scopes == [.dataRead])
        let without = Authenticator(keys: KeyTable(), tokens: nil)
        await #expect(throws: Problem.self) { try await without.authenticate(bearer: token, apiKey: nil) }
    }
}
