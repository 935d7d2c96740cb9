public import PostgresClient
public import WireFormat

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// The keys of the table `ballast.api_key`: made, listed and revoked, each with a line in the audit.
public struct APIKeys: APIKeySource {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// A key as it is listed: never its secret.
    public struct Record: Sendable, Equatable {
        public var keyID: String
        public var name: String
        public var scopes: [String]
        public var createdAt: UTCTimestamp
        public var expiresAt: UTCTimestamp?
        public var revokedAt: UTCTimestamp?
        public var lastUsedAt: UTCTimestamp?
    }

    public func key(id: String) async throws -> StoredAPIKey? {
        let rows = try await pool.query(
            "SELECT tenant_id, secret_sha256, scopes, expires_at, revoked_at, rate_limit FROM ballast.api_key_lookup(\(id))"
        )
        guard let row = rows.first else { return nil }
        let (tenant, digest, scopes, expires, revoked, limit) = try row.decode(
            (UUID, [UInt8], [String], PostgresTimestamp?, PostgresTimestamp?, Int32?).self)
        return StoredAPIKey(
            tenant: tenant, secretSHA256: digest, scopes: Set(scopes.compactMap { Scope(rawValue: $0) }),
            expiresAt: expires.map { UTCTimestamp($0) }, revokedAt: revoked.map { UTCTimestamp($0) },
            requestsPerMinute: limit.map { Int($0) })
    }

    /// Makes a key and keeps the hash of its secret: what is returned is the only copy.
    /// - Parameters:
    ///   - lifetime: nil for a key that does not expire.
    ///   - requestsPerMinute: nil for the service's default.
    public func create(
        name: String, scopes: Set<Scope>, tenant: UUID = Tenants.standard, lifetime: Duration? = nil,
        requestsPerMinute: Int? = nil, actor: String = "cli"
    ) async throws -> APIKeyToken {
        let token = APIKeyToken.generate()
        let texts = scopes.sorted().map { $0.rawValue }
        let seconds: Double? = lifetime.map { $0 / .seconds(1) }
        try await pool.transaction(.app(tenant)) { connection in
            _ = try await connection.execute(
                """
                INSERT INTO ballast.api_key (tenant_id, key_id, name, secret_sha256, scopes, rate_limit, expires_at)
                VALUES (\(tenant), \(token.keyID), \(name), \(token.secretSHA256), \(texts),
                        \(requestsPerMinute.map { Int32(clamping: $0) } as Int32?),
                        now() + make_interval(secs => \(seconds as Double?)))
                """)
            let detail: JSONValue = ["name": .string(name), "scopes": JSONValue(texts)]
            try await Self.audit(connection, tenant, actor, "api_key.create", token.keyID, detail)
        }
        return token
    }

    /// The tenant's keys, oldest first, revoked ones too.
    public func list(tenant: UUID = Tenants.standard) async throws -> [Record] {
        try await pool.transaction(.app(tenant)) { connection in
            try await connection.query(
                """
                SELECT key_id, name, scopes, created_at, expires_at, revoked_at, last_used_at FROM ballast.api_key
                WHERE tenant_id = \(tenant) ORDER BY created_at, key_id
                """
            ).map { row in
                let (id, name, scopes, created, expires, revoked, used) = try row.decode(
                    (
                        String, String, [String], PostgresTimestamp, PostgresTimestamp?, PostgresTimestamp?,
                        PostgresTimestamp?
                    ).self)
                return Record(
                    keyID: id, name: name, scopes: scopes, createdAt: UTCTimestamp(created),
                    expiresAt: expires.map { UTCTimestamp($0) }, revokedAt: revoked.map { UTCTimestamp($0) },
                    lastUsedAt: used.map { UTCTimestamp($0) })
            }
        }
    }

    /// Makes a key with the name, scopes and limit of another, which goes on for `grace` and ends then: whoever uses it has so long to
    /// change over. Nil where the tenant has no such valid key.
    public func rotate(
        _ keyID: String, grace: Duration, tenant: UUID = Tenants.standard, actor: String = "cli"
    ) async throws -> APIKeyToken? {
        let token = APIKeyToken.generate()
        let seconds = grace / .seconds(1)
        return try await pool.transaction(.app(tenant)) { connection in
            let copied = try await connection.execute(
                """
                INSERT INTO ballast.api_key (tenant_id, key_id, name, secret_sha256, scopes, rate_limit, expires_at)
                SELECT tenant_id, \(token.keyID), name, \(token.secretSHA256), scopes, rate_limit,
                    now() + (expires_at - created_at)
                FROM ballast.api_key WHERE tenant_id = \(tenant) AND key_id = \(keyID) AND revoked_at IS NULL
                    AND (expires_at IS NULL OR expires_at > now())
                """)
            guard copied == 1 else { return nil }
            _ = try await connection.execute(
                """
                UPDATE ballast.api_key SET expires_at = least(expires_at, now() + make_interval(secs => \(seconds)))
                WHERE tenant_id = \(tenant) AND key_id = \(keyID)
                """)
            try await Self.audit(
                connection, tenant, actor, "api_key.rotate", keyID,
                ["successor": .string(token.keyID), "grace_seconds": JSONValue(seconds)])
            return token
        }
    }

    /// Revokes a key. False where the tenant has no such key that is not revoked already.
    public func revoke(_ keyID: String, tenant: UUID = Tenants.standard, actor: String = "cli") async throws -> Bool {
        try await pool.transaction(.app(tenant)) { connection in
            let changed = try await connection.execute(
                """
                UPDATE ballast.api_key SET revoked_at = now()
                WHERE tenant_id = \(tenant) AND key_id = \(keyID) AND revoked_at IS NULL
                """)
            guard changed == 1 else { return false }
            try await Self.audit(connection, tenant, actor, "api_key.revoke", keyID, [:])
            return true
        }
    }

    /// The tenant of that id or name; nil where there is none.
    public func tenant(_ text: String) async throws -> UUID? {
        try await pool.transaction(.feed) { connection in
            let rows = try await connection.query(
                "SELECT tenant_id FROM ballast.tenant WHERE name = \(text) OR tenant_id::text = lower(\(text)) LIMIT 1")
            return try rows.first?.decode(UUID.self, at: 0)
        }
    }

    /// Notes when keys were last used.
    func touch(_ keyIDs: [String], tenant: UUID) async throws {
        try await pool.transaction(.app(tenant)) { connection in
            _ = try await connection.execute(
                "UPDATE ballast.api_key SET last_used_at = now() WHERE tenant_id = \(tenant) AND key_id = ANY(\(keyIDs))"
            )
        }
    }

    private static func audit(
        _ connection: PostgresConnection, _ tenant: UUID, _ actor: String, _ action: String, _ object: String,
        _ detail: JSONValue
    ) async throws {
        _ = try await connection.query(
            """
            SELECT ballast.audit_append(
                \(tenant), \(actor), \(action), \(object), \(PostgresJSON(detail.serialized())), NULL)
            """)
    }
}

extension UTCTimestamp {
    /// PostgreSQL's instant; its infinities become the ends of the calendar when written.
    public init(_ timestamp: PostgresTimestamp) {
        self.init(microsecondsSinceEpoch: timestamp.microsecondsSinceEpoch)
    }
}
