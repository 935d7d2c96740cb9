import Crypto

/// An API key as it is shown once: `bk_<8 characters id>_<43 characters secret>`, both in base 62; the secret has 256 bits.
///
/// The table keeps the SHA-256 of the secret: with 256 random bits a slow hash would protect nothing more.
public struct APIKeyToken: Sendable, Equatable {
    public let keyID: String
    public let secret: Secret<String>

    static let idLength = 8
    static let secretLength = 43
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// A new key from the system's random numbers.
    public static func generate() -> APIKeyToken {
        var generator = SystemRandomNumberGenerator()
        func text(_ length: Int) -> String {
            let bytes = (0..<length).map { _ in alphabet[Int(generator.next(upperBound: UInt64(alphabet.count)))] }
            return String(decoding: bytes, as: UTF8.self)
        }
        return APIKeyToken(keyID: text(idLength), secret: Secret(text(secretLength)))
    }

    private init(keyID: String, secret: Secret<String>) {
        self.keyID = keyID
        self.secret = secret
    }

    /// Reads a key; nil where it does not have the form. Base64url's `-` and `_` are allowed in the secret.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let prefix = Array("bk_".utf8)
        let separator = prefix.count + Self.idLength
        guard bytes.count == separator + 1 + Self.secretLength, bytes.starts(with: prefix),
            bytes[separator] == UInt8(ascii: "_"),
            bytes[prefix.count..<separator].allSatisfy({ Self.isBase62($0) }),
            bytes[(separator + 1)...].allSatisfy({
                Self.isBase62($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            })
        else { return nil }
        keyID = String(decoding: bytes[prefix.count..<separator], as: UTF8.self)
        secret = Secret(String(decoding: bytes[(separator + 1)...], as: UTF8.self))
    }

    /// The whole key, to be shown once.
    public func reveal() -> String { "bk_\(keyID)_\(secret.reveal())" }

    /// What the table keeps: the SHA-256 of the secret, 32 bytes.
    public var secretSHA256: [UInt8] { Array(SHA256.hash(data: Array(secret.reveal().utf8))) }

    private static func isBase62(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
func equalInConstantTime(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for (x, y) in zip(a, b) { difference |= x ^ y }
    return difference == 0
}
