import JWTKit
import WireFormat

/// The public keys that sign tokens of others: a JSON Web Key Set (RFC 7517) of ES256, EdDSA (Ed25519) and RS256 keys.
///
/// Each key has one `kid` and one `alg`, and a token is checked with exactly the key that its `kid` names and with that key's own
/// algorithm: nothing else in a token's header has a say. Two keys at a time are how keys are rotated.
public struct JSONWebKeys: Sendable {
    /// The algorithms that a configured key may have.
    public enum Algorithm: String, Sendable, CaseIterable { case ES256, EdDSA, RS256 }

    struct Key: Sendable {
        var algorithm: Algorithm
        var collection: JWTKeyCollection
    }

    private let keys: [String: Key]
    private static let mostKeys = 32
    private static let leastModulusBytes = 256

    /// The ids of the keys, sorted.
    public var identifiers: [String] { keys.keys.sorted() }

    /// No keys: no token of others is taken.
    public init() { keys = [:] }

    /// Reads a key set.
    /// - Throws: `ConfigurationError.invalid`, which names the key, for text that is no key set, a key without `kid` or `alg`, two of one
    ///   `kid`, a private or symmetric key, another algorithm or curve, an RSA modulus under 2,048 bits, numbers that are no key.
    public init(jwks text: String) async throws(ConfigurationError) {
        guard let set = try? StrictJSON.parse(text, limits: .request), let entries = set["keys"]?.arrayValue else {
            throw Self.invalid("a JSON object with an array `keys` is wanted (RFC 7517).")
        }
        guard entries.count <= Self.mostKeys else { throw Self.invalid("at most \(Self.mostKeys) keys are taken.") }
        var keys: [String: Key] = [:]
        for (at, entry) in entries.enumerated() {
            guard let kid = entry["kid"]?.stringValue, (1...128).contains(kid.utf8.count) else {
                throw Self.invalid("key \(at) has no `kid`.")
            }
            guard keys[kid] == nil else { throw Self.invalid("two keys have the kid \(Problem.echo(kid)).") }
            keys[kid] = try await Self.key(entry, named: "key \(Problem.echo(kid))")
        }
        self.keys = keys
    }

    private static func key(_ entry: JSONValue, named name: String) async throws(ConfigurationError) -> Key {
        guard let algorithm = entry["alg"]?.stringValue.flatMap({ Algorithm(rawValue: $0) }) else {
            throw invalid("\(name) needs `alg` ES256, EdDSA or RS256.")
        }
        for secret in ["d", "p", "q", "k"] where entry[secret] != nil {
            throw invalid("\(name) is a private or symmetric key: only public keys belong here.")
        }
        if let use = entry["use"], use != "sig" { throw invalid("\(name) is not for signatures.") }
        let collection = JWTKeyCollection()
        do {
            switch (algorithm, entry["kty"]?.stringValue, entry["crv"]?.stringValue) {
            case (.ES256, "EC", "P-256"):
                let (x, y) = try (member(entry, "x", named: name), member(entry, "y", named: name))
                await collection.add(ecdsa: try ES256PublicKey(parameters: (x, y)))
            case (.EdDSA, "OKP", "Ed25519"):
                await collection.add(
                    eddsa: try EdDSA.PublicKey(x: member(entry, "x", named: name), curve: .ed25519))
            case (.RS256, "RSA", _):
                let (n, e) = try (member(entry, "n", named: name), member(entry, "e", named: name))
                guard Base64URL.decode(n)?.drop(while: { $0 == 0 }).count ?? 0 >= leastModulusBytes else {
                    throw invalid("\(name) has fewer than \(leastModulusBytes * 8) bits.")
                }
                await collection.add(
                    rsa: try Insecure.RSA.PublicKey(modulus: n, exponent: e), digestAlgorithm: .sha256)
            default: throw invalid("\(name): kty and crv do not fit its alg.")
            }
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw invalid("\(name) does not hold a valid key.")
        }
        return Key(algorithm: algorithm, collection: collection)
    }

    private static func member(
        _ entry: JSONValue, _ name: String, named key: String
    ) throws(ConfigurationError) -> String {
        guard let text = entry[name]?.stringValue, Base64URL.decode(text) != nil else {
            throw invalid("\(key) lacks `\(name)` in base64url.")
        }
        return text
    }

    private static func invalid(_ reason: String) -> ConfigurationError {
        .invalid(variable: Options.jwksFile.variable, reason: reason)
    }

    /// The key that checks a token of this header; nil where none does.
    func key(kid: String?, algorithm: String) -> JWTKeyCollection? {
        guard let kid, let key = keys[kid], key.algorithm.rawValue == algorithm else { return nil }
        return key.collection
    }
}
