import WireFormat

/// What a JWT says, read without checking its signature: for exact refusals and for the time of expiry.
/// Whether to believe it is decided by the service's authenticator.
public struct TokenClaims: Sendable, Equatable {
    /// The database role, as `authenticated`.
    public let role: String
    /// Seconds since 1970 after which the token is not valid.
    public let expiry: Double
    /// The subject; empty where there is none.
    public let subject: String

    /// Why a token is refused, in the words of the real server.
    public enum Failure: Error, Sendable, Equatable {
        case malformed
        case signature
        case missingClaims
        case expired(secondsAgo: Int)

        /// The `error` of the HTTP answer to an upgrade.
        public var connectionError: String {
            switch self {
            case .malformed: "The token provided is not a valid JWT"
            case .signature: "Failed to validate JWT signature"
            case .missingClaims: "Fields `role` and `exp` are required in JWT"
            case .expired: "Token has expired"
            }
        }

        /// The reason of a refused join.
        public var joinReason: String {
            switch self {
            case .malformed: "MalformedJWT: The token provided is not a valid JWT"
            case .signature: "JwtSignatureError: Failed to validate JWT signature"
            case .missingClaims, .expired: "InvalidJWTToken: \(systemText)"
            }
        }

        /// The text of a `system` message on an open channel.
        public var systemText: String {
            switch self {
            case .expired(let seconds): "Token has expired \(seconds) seconds ago"
            default: connectionError
            }
        }
    }

    /// Reads the claims of a token.
    /// - Parameters:
    ///   - token: `header.payload.signature`, each base64url.
    ///   - now: seconds since 1970.
    public init(token: String, now: Double) throws(Failure) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.object(parts[0]), header["alg"]?.stringValue != nil,
            let claims = Self.object(parts[1]), !parts[2].isEmpty
        else { throw .malformed }
        guard let role = claims["role"]?.stringValue, let expiry = claims["exp"]?.doubleValue else {
            throw .missingClaims
        }
        if let issued = claims["iat"], issued.doubleValue == nil { throw .malformed }
        guard expiry > now else { throw .expired(secondsAgo: Int(min(now - expiry, 1e15))) }
        self.role = role
        self.expiry = expiry
        self.subject = claims["sub"]?.stringValue ?? ""
    }

    private static func object(_ part: Substring) -> JSONObject? {
        guard let bytes = base64URL(part), let json = try? StrictJSON.parse(bytes) else { return nil }
        return json.objectValue
    }

    /// RFC 4648 section 5, with or without padding.
    static func base64URL(_ text: Substring) -> [UInt8]? {
        var (bytes, buffer, bits) = ([UInt8](), UInt32(0), 0)
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"), UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "_"), UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "="): continue
            default: return nil
            }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
                buffer &= (1 << UInt32(bits)) - 1
            }
        }
        return bits < 6 ? bytes : nil
    }
}
