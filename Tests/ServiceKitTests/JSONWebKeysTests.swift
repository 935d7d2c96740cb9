import Foundation
import Logging
import ServiceKit
import Synchronization
import TestSupport
import Testing
import WireFormat

@Suite("Tokens of configured keys")
struct JSONWebKeysTests {
    private static let now = 1_700_000_000.0
    private static let secret = Secret("0123456789abcdef0123456789abcdef")

    /// Keys and tokens made by PyJWT with `cryptography`, each private key thrown away. Claims: iss https://issuer.example.org, aud [ballast,
    /// other], sub user-7, exp 4102444800, scopes [data:read, rebalance:confirm].
    private static let jwks = #"""
        {"keys": [{"alg": "ES256", "crv": "P-256", "kid": "es-1", "kty": "EC", "use": "sig", "x": "KZJWwQymbhpals9u8Xj35zhQ6wiD6tiVg-X13ukgbfQ", "y": "A3noHG8gxUx8uiO_9O3uSf3n4X7Or2tax1bTH6yqQss"}, {"alg": "EdDSA", "crv": "Ed25519", "kid": "ed-1", "kty": "OKP", "use": "sig", "x": "OcPR1Mu6DBOTrZUzZC7nJrobe3ZBMX3CZoWWiYvuK2U"}, {"alg": "RS256", "e": "AQAB", "kid": "rs-1", "kty": "RSA", "n": "r37u3mA0KgZyr5yAcRfFJuKnPyuVYA0EslDQJ_xwoegODdKeKaec2SvZ7LuIG6kZKaBCtshP3nmXiGGZdBzVJdsobPRsSETNAQNH2jEPQxM0z0nM9BYZ6ijPbI5-_0EZAMEzITApQGPrD_4FjD7Q15VSRjF5l0dA946T_8JwD23AoU3qnOxWr4rlpmr7M-Lcaqu9ZxdVZYCtfi-vMzDcBjzEgowbA4ehsOFVpsLxI-dF3VICovSNnvOPqGaK33PW1KIdznxzAL_RwgMuRvOrhAO5y5KEH2DXXnx_fC1t5jiZzn7kfkq739WLCpAldYHrtOfURa5ytYk9AjX8o8LevQ", "use": "sig"}]}
        """#
    private enum Signed: String, CaseIterable {
        case es256 =
            "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6WyJiYWxsYXN0Iiwib3RoZXIiXSwic3ViIjoidXNlci03IiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZXMiOlsiZGF0YTpyZWFkIiwicmViYWxhbmNlOmNvbmZpcm0iXX0.J5A47Rx-b8jSCqUd26xN_GCLKHJ0JIAxKNFSRe7WolJv0JGSJXZBPQcwoqQZFkC3H5R4XXbMvlXPxCv3-OLtjQ"
        case edDSA =
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6WyJiYWxsYXN0Iiwib3RoZXIiXSwic3ViIjoidXNlci03IiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZXMiOlsiZGF0YTpyZWFkIiwicmViYWxhbmNlOmNvbmZpcm0iXX0.OfGbJuSjbWoNH8HDhva9YaF1Ao5jgEjlZS0-IDOMZc5kQBULnEZi0uiw836dCKKbDNthap2NeivNDedK957BAg"
        case rs256 =
            "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6WyJiYWxsYXN0Iiwib3RoZXIiXSwic3ViIjoidXNlci03IiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZXMiOlsiZGF0YTpyZWFkIiwicmViYWxhbmNlOmNvbmZpcm0iXX0.clBtU2tIoMIKolP_qTGZzbD-uLA2g1ck7L_JrJqyPAeZcHyEtGIqyZH85f10pYVOJ-qPseGW8CpsrqFmpNS3__0wCjHUVay3qYxIKxdjXAojM8cIKq5JZTIEBLZtvz5kdPPZUlWzOyUVng-PO21IIwwssqS1w4aAsNLFd0eU_Xkx5ScBZf4TlAvYtPLFy_qJuwjhl_oAylPFub9H2IQ_zDaHnIO_myUHT_iMWbzAEtt-aG2jUcg9jN74tYcW_E7Zpl6p4rU6pD8j1N9dzw_FM9zbNXfikVzkxrsX0lDm0SvRkvIToNEVN927k1ZqRAKAi2x7U8RTjhpmNR3XyDMakA"
    }
    private static let kidOfAnotherKey =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVkLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6WyJiYWxsYXN0Iiwib3RoZXIiXSwic3ViIjoidXNlci03IiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZXMiOlsiZGF0YTpyZWFkIiwicmViYWxhbmNlOmNvbmZpcm0iXX0.sW5mrJBonNlv-aE6MnXvxYFgt6TDQCp0ZEYnTIWz-0e98_5DIOW4MCZO8EBCvbJR-wn3ceRK7imFHM6BA-tYdg"
    private static let noKid =
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6WyJiYWxsYXN0Iiwib3RoZXIiXSwic3ViIjoidXNlci03IiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZXMiOlsiZGF0YTpyZWFkIiwicmViYWxhbmNlOmNvbmZpcm0iXX0.CTqnkwIS-SJnOPKudd_l64HN2wEPx1bAATZNQOywYoFN4SyRtuDnKCAdG1h9auhWAIaaqu4MV6FId1wPLWbfYw"
    private static let rs512 =
        "eyJhbGciOiJSUzUxMiIsImtpZCI6InJzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6WyJiYWxsYXN0Iiwib3RoZXIiXSwic3ViIjoidXNlci03IiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZXMiOlsiZGF0YTpyZWFkIiwicmViYWxhbmNlOmNvbmZpcm0iXX0.RD1Yx1uOP4Y5vhFccAdoITokFkd1EDsKh5phtBV7IXXksqMwC__vH8_yg3WodWNUv5CeAPr3Dgo7bUhoJAXXszZ5RL_W67RvhL_KTdWsP2_xa0KbWw4LKMNciQ-luByKBKxc7JDIZa8pCEYydiv3tFxImFITd22zy-zupGr5-6wDsct0VZOwNWmOhck93HfxzwREeR5GGamaeLMrrFtuA6aHlRaaGKSPaZEhnBMetG2xBRujW473M1Epd9643H0E0qYYqfrtQF3QH6ZdQ93wxTQ8VVRhDou8Gl6aqONvNCfzlAWkpiYLWIzRrM8IAsIaiJU_OdDQALBq6UtQOvuZuA"
    private static let otherIssuer =
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZS5vcmciLCJhdWQiOlsiYmFsbGFzdCIsIm90aGVyIl0sInN1YiI6InVzZXItNyIsImV4cCI6NDEwMjQ0NDgwMCwic2NvcGVzIjpbImRhdGE6cmVhZCIsInJlYmFsYW5jZTpjb25maXJtIl19.aKG4Y-PBhfpfUOSDY9bh29LcdRICTKy_6aCRpN-KafGmBuqRE9jiKIZNq8StWgrNykNIIdipgOFAyLYwOa8ub26YfNa7CViZqs4yovom3GN_6T5giCNfGtKLtaT_nkrmkOS264Bh1TkGZw1WSco48oYF3BGoyr_DAaKP172KgAkeB2qOKFJOa36402hMcQXEGzU_GAw3cMMccdVVb4NDte9bGHNOMNxb3YtoxsvKApyp5_JdiCT_aDK29JykjnAkw3eyti4DIgKtE_kPODbbRbuRyF2Z3rWQhvVzNPBwNjW51A_5oHi7WhPjc61q0ru2hdTf8fyXuphhDNDjvmwWHA"
    private static let otherAudience =
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6Im90aGVyIiwic3ViIjoidXNlci03IiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZXMiOlsiZGF0YTpyZWFkIiwicmViYWxhbmNlOmNvbmZpcm0iXX0.Ij0GNmFD2MCe4RIDXsMiZ34-6wfLjK-76eP2Td9Q0v38LmBEbwjaheoSTjH95z-CJfoiZPJ8OynJnFLtX1L774m11iIVgTtjA8vAIVQ6fmb-C3PYXQ0bZSoawVFPzrlaxJGlJuVurDEgMqEwBRunHp63Ykyj-tHxHyzn9rzflFnVkkqvZ-jOyoyvspC7Wr9-MYd8JMQC8VYxoxdNZSNXndGGAKiiS6DFnMVYYje4EtQ8d9msMPNVn7zBUL0mgluCUW9b2Wu37nMiHB1wiCWpsjMvlaxWVgnLXA055aFqox1g2UzxLq3ti45O57Lc9bS19x2cyEk1KHard6Ied5trhQ"
    private static let oneAudience =
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIsImF1ZCI6ImJhbGxhc3QiLCJzdWIiOiJ1c2VyLTciLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlcyI6WyJkYXRhOnJlYWQiLCJyZWJhbGFuY2U6Y29uZmlybSJdfQ.dfj2xfTvs_iFa5rj8EY1kRev-BDiIInQ1mbwRJg3RuMqpyoJTA8npFHYuQJRbszHKso_8kEaAuCrUMpwtmGo88pY_cHiWjd6Z1iKqxikLDlhUriPT7YlNgxKEgPQmEgMu5QjFmOeF-i3YajpagDIEtKXhk4YQw8INvMFph32RCvsZcxMw7WcnMudc_5EeCGfmyPPGRCATu858Ju_eQCzJA00p7yctegzO27Wrz79Uwla0NkPrtAzdFy1l07ubUyjpg_xf4ALAo9QirJqIhxh1k4qmAPZ862MY7x6rc6ZadKmIPrKVIyZ5tCKYyD7j3lkdvplHhyfUs8EvSoOj-6lZw"
    private static let smallKey =
        #"{"kty": "RSA", "n": "2a27f3hiyoJdxm8A1EdFXggJLVi6Cwe0XurKooKp-nIruX9mlklQRenwdyWZcPg6ClXRGyUIotpPdR7eZzYr1rlkcZYneSCld3SxfaPRlE9Mt48_ee7N-t7QTCbZYOdijE7jPJz4qSH--VolaCgwp14AnuZ2UbeQbBCe4ST3z98", "e": "AQAB", "kid": "small", "alg": "RS256"}"#

    private func code(_ verifier: JWTVerifier, _ token: String) async -> String {
        do {
            _ = try await verifier.principal(of: token, now: Self.now)
            return "ok"
        } catch { return error.code }
    }

    private static func verifier(
        secret: Secret<String>? = nil, expected: JWTVerifier.Expectations = .init()
    ) async throws -> JWTVerifier {
        try await JWTVerifier(secret: secret, publicKeys: JSONWebKeys(jwks: jwks), expected: expected)
    }

    @Test("ES256, EdDSA and RS256 are taken, each with its own key", arguments: [Signed.es256, .edDSA, .rs256])
    private func takes(_ token: Signed) async throws {
        let principal = try await Self.verifier().principal(of: token.rawValue, now: Self.now)
        #expect(
            principal == Principal(tenant: Tenants.standard, subject: "user-7", scopes: [.dataRead, .rebalanceConfirm]))
        // One bit of the payload or of the signature, and it is another's.
        for at in [token.rawValue.utf8.count / 2, token.rawValue.utf8.count - 10] {
            var bytes = Array(token.rawValue.utf8)
            bytes[at] = bytes[at] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(await code(try Self.verifier(), String(decoding: bytes, as: UTF8.self)) == "AUT-002")
        }
    }

    @Test("a header chooses among what is configured, and nothing more")
    func refuses() async throws {
        let verifier = try await Self.verifier(secret: Self.secret)
        for token in [Self.kidOfAnotherKey, Self.noKid, Self.rs512] {
            #expect(await code(verifier, token) == "AUT-002")
        }
        // The classic confusion: HS256 with the public key's text as secret. The header's kid does not make it one.
        let confused = try await JWTVerifier(secret: Secret(Self.jwks)).mint(
            role: "service_role", issued: Self.now, expires: Self.now + 600)
        #expect(await code(verifier, confused) == "AUT-002")
        // Without configured keys none of them counts, with them the secret still does.
        let secretOnly = try await JWTVerifier(secret: Self.secret)
        for token in Signed.allCases { #expect(await code(secretOnly, token.rawValue) == "AUT-002") }
        let own = try await secretOnly.mint(role: "anon", issued: Self.now, expires: Self.now + 600)
        #expect(await code(verifier, own) == "ok")
        #expect(await code(try Self.verifier(), own) == "AUT-002")
    }

    @Test("issuer and audience are held to, where they are configured")
    func expectations() async throws {
        let verifier = try await Self.verifier(
            secret: Self.secret, expected: .init(issuer: "https://issuer.example.org", audience: "ballast"))
        #expect(await code(verifier, Signed.rs256.rawValue) == "ok")
        #expect(await code(verifier, Self.oneAudience) == "ok")
        #expect(await code(verifier, Self.otherIssuer) == "AUT-002")
        #expect(await code(verifier, Self.otherAudience) == "AUT-002")
        // Our own tokens say iss ballast and no aud: they are the secret's.
        let own = try await verifier.mint(role: "anon", issued: Self.now, expires: Self.now + 600)
        #expect(await code(verifier, own) == "ok")
    }

    @Test("a secret is replaced while tokens of the previous one are still accepted")
    func secretRotation() async throws {
        let old = try await JWTVerifier(secret: Self.secret)
        let next = Secret("another-secret-of-thirty-two-bytes")
        let token = try await old.mint(role: "anon", issued: Self.now, expires: Self.now + 600)
        let both = try await JWTVerifier(secret: next, previousSecret: Self.secret)
        #expect(await code(both, token) == "ok")
        let fresh = try await both.mint(role: "anon", issued: Self.now, expires: Self.now + 600)
        #expect(await code(both, fresh) == "ok")
        #expect(await code(old, fresh) == "AUT-002")
        #expect(await code(try JWTVerifier(secret: next), token) == "AUT-002")
    }

    @Test(
        "a key set that is not acceptable is refused with the reason",
        arguments: [
            ("[]", "keys"), (#"{"keys":[{"kty":"EC"}]}"#, "kid"), (#"{"keys":[{"kid":"a","kty":"EC"}]}"#, "alg"),
            (#"{"keys":[{"kid":"a","alg":"HS256","kty":"oct","k":"AA"}]}"#, "alg"),
            (#"{"keys":[{"kid":"a","alg":"ES256","kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}]}"#, "private"),
            (#"{"keys":[{"kid":"a","alg":"ES256","kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#, "valid key"),
            (#"{"keys":[{"kid":"a","alg":"ES256","kty":"EC","crv":"P-384","x":"AA","y":"AA"}]}"#, "crv"),
            (#"{"keys":[{"kid":"a","alg":"EdDSA","kty":"OKP","crv":"Ed25519","x":"?"}]}"#, "base64url"),
            (#"{"keys":[{"kid":"a","alg":"EdDSA","kty":"OKP","crv":"Ed25519","x":"AA","use":"enc"}]}"#, "signatures"),
            (#"{"keys":[\#(smallKey)]}"#, "2048 bits"),
        ])
    func refusesKeySets(text: String, reason: String) async {
        let error = await #expect(throws: ConfigurationError.self) { try await JSONWebKeys(jwks: text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "nothing")")
    }

    @Test("two keys of one kid are refused")
    func refusesDuplicates() async throws {
        let one = try #require(try StrictJSON.parse(Self.jwks)["keys"]?[0])
        let set: JSONValue = ["keys": [one, one]]
        await #expect(throws: ConfigurationError.self) { try await JSONWebKeys(jwks: set.serialized()) }
    }

    @Test("the key file is read again when it changes; a broken one changes nothing", .timeLimit(.minutes(1)))
    func reload() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "jwks-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(#"{"keys":[]}"#.utf8).write(to: file)
        let verifier = try await JWTVerifier(secret: nil, publicKeys: JSONWebKeyFile.read(file.path))
        #expect(await code(verifier, Signed.edDSA.rawValue) == "AUT-002")
        let (reloads, report) = AsyncStream.makeStream(of: Void.self)
        let service = JSONWebKeyFile(
            file.path, tokens: verifier, interval: .milliseconds(10),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onReload: { report.yield() })
        let running = Task { try await service.run() }
        defer { running.cancel() }
        var iterator = reloads.makeAsyncIterator()
        // The file may be read for the first time only after this write: written until the change is seen.
        let writer = Task {
            var n = 0
            while !Task.isCancelled {
                n += 1
                try Data((Self.jwks + String(repeating: " ", count: n % 7)).utf8).write(to: file, options: .atomic)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        await iterator.next()
        writer.cancel()
        _ = await writer.result
        #expect(await code(verifier, Signed.edDSA.rawValue) == "ok")
        try Data("{".utf8).write(to: file, options: .atomic)
        try Data(Self.jwks.utf8).write(to: file, options: .atomic)
        try Data(#"{"keys":[]} "#.utf8).write(to: file, options: .atomic)
        while await code(verifier, Signed.edDSA.rawValue) == "ok" { await iterator.next() }
        #expect(await code(verifier, Signed.edDSA.rawValue) == "AUT-002")
    }
}
