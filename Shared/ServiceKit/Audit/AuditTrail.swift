public import PostgresClient
public import WireFormat

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A tenant's audit: append-only rows, each with a SHA-256 over itself and the hash of the one before.
///
/// A changed, missing or inserted row breaks the chain where it stands. Rows cut off at the end leave a chain that holds: the head that
/// `AuditHeads` writes to the log each hour, outside of the database, tells of them.
public struct AuditTrail: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Where a chain breaks and how.
    public struct Fault: Sendable, Equatable {
        public var seq: Int64
        public var text: String
        public init(seq: Int64, text: String) {
            self.seq = seq
            self.text = text
        }
    }

    /// The newest link of a chain.
    public struct Head: Sendable, Equatable {
        public var tenant: UUID
        public var seq: Int64
        /// 64 hexadecimal digits.
        public var hash: String
    }

    /// One row.
    public struct Entry: Sendable {
        public var seq: Int64
        public var at: UTCTimestamp
        public var actor: String
        public var action: String
        public var object: String
        /// JSON.
        public var detail: String
        public var requestID: String?

        public var json: JSONValue {
            [
                "seq": JSONValue(Int(seq)), "at": .string(at.isoString), "actor": .string(actor),
                "action": .string(action),
                "object": .string(object),
                "detail": (try? StrictJSON.parse(detail, limits: .stored)) ?? .string(detail),
                "request_id": JSONValue(requestID),
            ]
        }
    }

    /// Checks the whole chain of a tenant; nil where it holds.
    public func verify(tenant: UUID) async throws -> Fault? {
        try await pool.transaction(.app(tenant)) { connection in
            let rows = try await connection.query("SELECT seq, fault FROM ballast.audit_verify()")
            return try rows.first.map { row in
                Fault(seq: try row.decode(Int64.self, at: 0), text: try row.decode(String.self, at: 1))
            }
        }
    }

    /// The heads of all tenants' chains.
    public func heads() async throws -> [Head] {
        try await pool.transaction(.feed) { connection in
            try await connection.query("SELECT tenant_id, seq, encode(hash, 'hex') FROM ballast.audit_heads()").map {
                row in
                let (tenant, seq, hash) = try row.decode((UUID, Int64, String).self)
                return Head(tenant: tenant, seq: seq, hash: hash)
            }
        }
    }

    /// The newest rows of a tenant, newest first.
    public func newest(_ limit: Int, tenant: UUID) async throws -> [Entry] {
        try await pool.transaction(.app(tenant)) { connection in
            try await connection.query(
                """
                SELECT seq, at, actor, action, object, detail::text, request_id FROM ballast.audit
                WHERE tenant_id = ballast.current_tenant() ORDER BY seq DESC LIMIT \(limit)
                """
            ).map { row in
                let (seq, at, actor, action, object, detail, request) = try row.decode(
                    (Int64, PostgresTimestamp, String, String, String, String, String?).self)
                return Entry(
                    seq: seq, at: UTCTimestamp(at), actor: actor, action: action, object: object, detail: detail,
                    requestID: request)
            }
        }
    }
}
