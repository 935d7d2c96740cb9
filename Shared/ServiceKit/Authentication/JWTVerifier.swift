import JWTKit
public import WireFormat

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Checks and makes the HS256 tokens of Supabase's clients.
///
/// Only `alg: HS256` is taken, whatever key a token's header names; `exp` is required; the clock may be 30 s off.
public struct JWTVerifier: Sendable {
    /// RFC 7518, 3.2: a key of the hash's size or larger. jwt-kit traps on a shorter one in debug builds.
    public static let minimumSecretBytes = 32
    static let leewaySeconds = 30.0
    static let mostBytes = 8192

    private let keys: JWTKeyCollection

    /// - Throws: `ConfigurationError.invalid` for a secret under 32 bytes.
    public init(secret: Secret<String>) async throws(ConfigurationError) {
        let bytes = Array(secret.reveal().utf8)
        guard bytes.count >= Self.minimumSecretBytes else {
            throw .invalid(
                variable: Options.jwtSecret.variable,
                reason: "at least \(Self.minimumSecretBytes) bytes are wanted, \(bytes.count) are given.")
        }
        keys = await JWTKeyCollection().add(hmac: HMACKey(from: bytes), digestAlgorithm: .sha256)
    }

    /// Who a token speaks for. `now` is in seconds since 1970.
    public func principal(
        of token: String, now: Double = Date().timeIntervalSince1970
    ) async throws(Problem) -> Principal {
        let bad = Problem(.badCredentials, "The token is not valid.")
        guard token.utf8.count <= Self.mostBytes, Self.hasAcceptableHeader(token) else { throw bad }
        let claims: Claims
        do {
            claims = try await keys.verify(token, as: Claims.self)
        } catch {
            throw bad
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
        try await keys.sign(
            Claims(
                iss: "ballast", sub: subject, role: role, iat: issued.rounded(), exp: expires.rounded(), nbf: nil,
                tenant: tenant?.uuidString.lowercased(), scopes: scopes.map { $0.sorted().map { $0.rawValue } }))
    }

    /// The header is read strictly before the signature is checked: `none`, other algorithms and critical extensions go here.
    private static func hasAcceptableHeader(_ token: String) -> Bool {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }), let bytes = Base64URL.decode(parts[0]),
            let header = try? StrictJSON.parse(bytes, limits: JSONLimits(bytes: 2048))
        else { return false }
        return header["alg"] == "HS256" && header["crit"] == nil
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
