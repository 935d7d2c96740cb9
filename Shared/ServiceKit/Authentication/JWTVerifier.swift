import JWTKit
import Synchronization
public import WireFormat

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Checks tokens: HS256 of Supabase's clients with the shared secret, and ES256, EdDSA and RS256 with configured public keys.
///
/// A header chooses among what is configured and nothing more: HS256 means the secret, any other algorithm means the key that `kid`
/// names, and only with that key's own algorithm. `jku`, `x5u`, `jwk` and `x5c` are never followed, `crit` is refused. `exp` is required; the
/// clock may be 30 s off.
public final class JWTVerifier: Sendable {
    /// RFC 7518, 3.2: a key of the hash's size or larger. jwt-kit traps on a shorter one in debug builds.
    public static let minimumSecretBytes = 32
    static let leewaySeconds = 30.0
    static let mostBytes = 8192

    /// What tokens of configured keys have to say about themselves; nil for anything.
    public struct Expectations: Sendable {
        public var issuer: String?
        public var audience: String?
        public init(issuer: String? = nil, audience: String? = nil) {
            self.issuer = issuer
            self.audience = audience
        }
    }

    /// The current secret first, then those that are still accepted while they are replaced.
    private let secrets: [JWTKeyCollection]
    private let expected: Expectations
    private let publicKeys: Mutex<JSONWebKeys>

    /// - Parameters:
    ///   - secret: signs and checks HS256 tokens; nil where none are taken.
    ///   - previousSecret: checks HS256 tokens that were made before the secret was replaced.
    ///   - publicKeys: check the tokens of others.
    /// - Throws: `ConfigurationError.invalid` for a secret under 32 bytes.
    public init(
        secret: Secret<String>?, previousSecret: Secret<String>? = nil, publicKeys: JSONWebKeys = JSONWebKeys(),
        expected: Expectations = Expectations()
    ) async throws(ConfigurationError) {
        var secrets: [JWTKeyCollection] = []
        for (secret, option) in [(secret, Options.jwtSecret), (previousSecret, Options.previousJWTSecret)] {
            guard let secret else { continue }
            let bytes = Array(secret.reveal().utf8)
            guard bytes.count >= Self.minimumSecretBytes else {
                throw .invalid(
                    variable: option.variable,
                    reason: "at least \(Self.minimumSecretBytes) bytes are wanted, \(bytes.count) are given.")
            }
            secrets.append(await JWTKeyCollection().add(hmac: HMACKey(from: bytes), digestAlgorithm: .sha256))
        }
        self.secrets = secrets
        self.expected = expected
        self.publicKeys = Mutex(publicKeys)
    }

    /// Other public keys from now on.
    public func replace(_ keys: JSONWebKeys) { publicKeys.withLock { $0 = keys } }

    /// Whether tokens can be minted: there is a secret.
    public var canMint: Bool { !secrets.isEmpty }

    /// Who a token speaks for. `now` is in seconds since 1970.
    public func principal(
        of token: String, now: Double = Date().timeIntervalSince1970
    ) async throws(Problem) -> Principal {
        let bad = Problem(.badCredentials, "The token is not valid.")
        guard token.utf8.count <= Self.mostBytes, let header = Self.header(of: token) else { throw bad }
        let isSecret = header.algorithm == "HS256"
        let candidates =
            isSecret
            ? secrets
            : [publicKeys.withLock { $0.key(kid: header.kid, algorithm: header.algorithm) }].compactMap { $0 }
        var verified: Claims?
        for keys in candidates where verified == nil {
            verified = try? await keys.verify(token, as: Claims.self)
        }
        guard let claims = verified else { throw bad }
        if !isSecret {
            if let issuer = expected.issuer, claims.iss != issuer { throw bad }
            if let audience = expected.audience, claims.aud?.names.contains(audience) != true { throw bad }
        }
        guard let expires = claims.exp else { throw Problem(.badCredentials, "The token has no claim exp.") }
        guard now < expires + Self.leewaySeconds else { throw Problem(.expiredCredentials, "The token has expired.") }
        if let notBefore = claims.nbf, now < notBefore - Self.leewaySeconds {
            throw Problem(.badCredentials, "The token is not valid yet.")
        }
        var tenant = Tenants.standard
        if let text = claims.tenant {
            guard let named = UUID(uuidString: text) else { throw bad }
            tenant = named
        }
        return Principal(
            tenant: tenant, subject: Problem.echo(claims.sub ?? "role:\(claims.role ?? "none")", limit: 200),
            scopes: claims.grantedScopes)
    }

    /// A signed token.
    /// - Parameters:
    ///   - role: `anon`, `authenticated` or `service_role`, Supabase's.
    ///   - scopes: nil for those of the role.
    ///   - expires: seconds since 1970.
    public func mint(
        role: String, subject: String? = nil, tenant: UUID? = nil, scopes: Set<Scope>? = nil, issued: Double,
        expires: Double
    ) async throws -> String {
        guard let keys = secrets.first else { throw ConfigurationError.missing(variable: Options.jwtSecret.variable) }
        return try await keys.sign(
            Claims(
                iss: "ballast", sub: subject, role: role, iat: issued.rounded(), exp: expires.rounded(), nbf: nil,
                tenant: tenant?.uuidString.lowercased(), scopes: scopes.map { $0.sorted().map { $0.rawValue } }))
    }

    /// The header is read strictly before the signature is checked: critical extensions go here, `none` and the like find no key.
    private static func header(of token: String) -> (algorithm: String, kid: String?)? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }), let bytes = Base64URL.decode(parts[0]),
            let header = try? StrictJSON.parse(bytes, limits: JSONLimits(bytes: 2048)),
            let algorithm = header["alg"]?.stringValue, header["crit"] == nil
        else { return nil }
        return (algorithm, header["kid"]?.stringValue)
    }

    private struct Claims: JWTPayload {
        var iss: String?
        var sub: String?
        var role: String?
        var iat: Double?
        var exp: Double?
        var nbf: Double?
        var tenant: String?
        var scopes: [String]?
        var aud: Audience?

        /// One name or several (RFC 7519, 4.1.3).
        struct Audience: Codable {
            var names: [String]
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                names = try (try? container.decode([String].self)) ?? [container.decode(String.self)]
            }
            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(names)
            }
        }

        /// Times are checked by the caller, with its clock.
        func verify(using algorithm: some JWTAlgorithm) throws {}

        /// The token's own scopes, else those of its role.
        var grantedScopes: Set<Scope> {
            if let scopes { return Set(scopes.compactMap { Scope(rawValue: $0) }) }
            switch role {
            case "service_role": return [.admin]
            case "authenticated": return [.dataRead, .optimize, .rebalancePlan]
            case "anon": return [.dataRead]
            default: return []
            }
        }
    }
}

/// RFC 4648 section 5, without padding.
enum Base64URL {
    /// Nil for a byte outside the alphabet or an impossible length.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var out: [UInt8] = []
        var buffer: UInt32 = 0
        var bits = 0
        for byte in text.utf8 {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "_"): digit = 63
            default: return nil
            }
            buffer = buffer << 6 | UInt32(digit)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        return bits < 6 ? out : nil
    }
}
