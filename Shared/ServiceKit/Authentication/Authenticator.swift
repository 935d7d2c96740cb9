import Synchronization
public import WireFormat

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What the table knows of a key.
public struct StoredAPIKey: Sendable, Equatable {
    public var tenant: UUID
    public var secretSHA256: [UInt8]
    public var scopes: Set<Scope>
    public var expiresAt: UTCTimestamp?
    public var revokedAt: UTCTimestamp?
    /// Most requests a minute; nil for the service's default.
    public var requestsPerMinute: Int?

    public init(
        tenant: UUID, secretSHA256: [UInt8], scopes: Set<Scope>, expiresAt: UTCTimestamp? = nil,
        revokedAt: UTCTimestamp? = nil, requestsPerMinute: Int? = nil
    ) {
        self.tenant = tenant
        self.secretSHA256 = secretSHA256
        self.scopes = scopes
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.requestsPerMinute = requestsPerMinute
    }
}

/// Where keys are looked up by their public id.
public protocol APIKeySource: Sendable {
    /// The key; nil where there is none. Throws what keeps it from knowing.
    func key(id: String) async throws -> StoredAPIKey?
}

/// Says who a credential belongs to.
///
/// Keys are remembered for 5 seconds and forgotten at once when the table says that keys changed (`CredentialWatcher`). An
/// unknown id is remembered too, and costs the same work as a wrong secret.
public final class Authenticator: Sendable {
    private struct State {
        var remembered: [String: (key: StoredAPIKey?, until: ContinuousClock.Instant)] = [:]
        var used: [String: UUID] = [:]
    }

    private let keys: any APIKeySource
    private let tokens: JWTVerifier?
    private let lifetime: Duration
    private let state = Mutex(State())
    private static let mostRemembered = 10_000

    /// - Parameters:
    ///   - tokens: nil where no tokens are taken.
    ///   - lifetime: how long a key is remembered.
    public init(keys: any APIKeySource, tokens: JWTVerifier?, lifetime: Duration = .seconds(5)) {
        self.keys = keys
        self.tokens = tokens
        self.lifetime = lifetime
    }

    /// The principal of one of the two credentials; the header Authorization goes first.
    /// Throws AUT-001 without credentials, AUT-002 for bad and AUT-003 for expired ones, SYS-00x where the keys cannot be read.
    public func authenticate(bearer: String?, apiKey: String?) async throws(Problem) -> Principal {
        guard let credential = bearer ?? apiKey, !credential.isEmpty else {
            throw Problem(.noCredentials, "Send an API key or a token: Authorization: Bearer <credential>.")
        }
        if let token = APIKeyToken(credential) { return try await principal(of: token) }
        // Anything with two dots is meant as a token, also in x-api-key: Supabase's clients send their anon key there.
        guard let tokens, credential.utf8.count(where: { $0 == UInt8(ascii: ".") }) == 2 else {
            throw Problem(.badCredentials, "The API key or token is not valid.")
        }
        return try await tokens.principal(of: credential)
    }

    /// Forgets every key that is remembered.
    public func forgetKeys() { state.withLock { $0.remembered = [:] } }

    /// The ids of the keys that were used since the last call, with their tenants.
    func takeUsedKeys() -> [String: UUID] {
        state.withLock { state in
            defer { state.used = [:] }
            return state.used
        }
    }

    private func principal(of token: APIKeyToken) async throws(Problem) -> Principal {
        try principal(of: token, as: try await stored(token.keyID))
    }

    /// The principal of a key that is remembered; nil where it is not.
    func remembered(_ token: APIKeyToken) throws(Problem) -> Principal? {
        let now = ContinuousClock.now
        guard let entry = state.withLock({ $0.remembered[token.keyID] }), entry.until > now else { return nil }
        return try principal(of: token, as: entry.key)
    }

    private func principal(of token: APIKeyToken, as stored: StoredAPIKey?) throws(Problem) -> Principal {
        let wanted = stored?.secretSHA256 ?? Array(repeating: 0, count: 32)
        let matches = equalInConstantTime(token.secretSHA256, wanted)
        guard let stored, matches, stored.revokedAt == nil else {
            throw Problem(.badCredentials, "The API key is not valid.")
        }
        if let expiry = stored.expiresAt, WallClock.now >= expiry {
            throw Problem(.expiredCredentials, "The API key has expired.")
        }
        state.withLock { $0.used[token.keyID] = stored.tenant }
        return Principal(
            tenant: stored.tenant, subject: "key:\(token.keyID)", scopes: stored.scopes, keyID: token.keyID,
            requestsPerMinute: stored.requestsPerMinute)
    }

    private func stored(_ id: String) async throws(Problem) -> StoredAPIKey? {
        let now = ContinuousClock.now
        if let entry = state.withLock({ $0.remembered[id] }), entry.until > now { return entry.key }
        let key: StoredAPIKey?
        do {
            key = try await keys.key(id: id)
        } catch {
            throw Problem(mapping: error) ?? Problem(.internalError, "The credentials could not be checked.")
        }
        state.withLock { state in
            if state.remembered.count >= Self.mostRemembered { state.remembered = [:] }
            state.remembered[id] = (key, now + lifetime)
        }
        return key
    }
}
