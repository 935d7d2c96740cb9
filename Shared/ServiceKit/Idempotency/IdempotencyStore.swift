public import PostgresClient
import WireFormat

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// The rows of `ballast.idempotency`, in words; the rules are in sql/0007_access.sql.
public struct IdempotencyStore: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// What is kept of an answer.
    public struct Answer: Sendable, Equatable {
        public var status: Int
        public var headers: [String: String]
        public var body: [UInt8]

        public init(status: Int, headers: [String: String], body: [UInt8]) {
            self.status = status
            self.headers = headers
            self.body = body
        }
    }

    /// Whether a request may go on.
    public enum Claim: Sendable, Equatable {
        case run
        /// Another request with this key is at it.
        case running
        /// The key belongs to a request that differs.
        case other
        case done(Answer)
    }

    /// - Parameters:
    ///   - owner: names this request; no other has ever had the same.
    ///   - lease: after so long without an end another request takes over.
    ///   - keep: how long the answer is kept.
    public func claim(
        _ key: IdempotencyKey, route: String, requestSHA256: [UInt8], owner: String, tenant: UUID,
        lease: Duration = .seconds(90), keep: Duration = .seconds(86_400)
    ) async throws -> Claim {
        let (leaseSeconds, keepSeconds) = (lease / .seconds(1), keep / .seconds(1))
        return try await pool.transaction(.app(tenant)) { connection in
            let rows = try await connection.query(
                """
                SELECT outcome, status, headers::text, body FROM ballast.idempotency_claim(\(key.text), \(route), \(requestSHA256), \(owner),
                    make_interval(secs => \(leaseSeconds)), make_interval(secs => \(keepSeconds)))
                """)
            guard let row = rows.first else { return .running }
            let (outcome, status, headers, body) = try row.decode((String, Int32?, String?, [UInt8]?).self)
            switch outcome {
            case "run": return .run
            case "other": return .other
            case "done":
                let members = try StrictJSON.parse(headers ?? "{}", limits: .stored).objectValue?.members ?? []
                let fields = members.compactMap { member in member.value.stringValue.map { (member.key, $0) } }
                return .done(
                    Answer(
                        status: Int(status ?? 500), headers: Dictionary(fields) { first, _ in first }, body: body ?? [])
                )
            default: return .running
            }
        }
    }

    /// Keeps the answer, if the key is still this request's.
    public func finish(
        _ key: IdempotencyKey, route: String, owner: String, tenant: UUID, answer: Answer
    ) async throws {
        let headers = JSONValue.object(
            JSONObject(answer.headers.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
        try await pool.transaction(.app(tenant)) { connection in
            _ = try await connection.execute(
                """
                UPDATE ballast.idempotency SET lease_until = NULL, status = \(Int32(clamping: answer.status)),
                    headers = \(PostgresJSON(headers.serialized())), body = \(answer.body)
                WHERE tenant_id = ballast.current_tenant() AND key = \(key.text) AND route = \(route) AND owner = \(owner)
                    AND lease_until IS NOT NULL
                """)
        }
    }

    /// Gives the key back: the request came to nothing that may be repeated.
    public func release(_ key: IdempotencyKey, route: String, owner: String, tenant: UUID) async throws {
        try await pool.transaction(.app(tenant)) { connection in
            _ = try await connection.execute(
                """
                DELETE FROM ballast.idempotency WHERE tenant_id = ballast.current_tenant() AND key = \(key.text) AND route = \(route)
                    AND owner = \(owner) AND lease_until IS NOT NULL
                """)
        }
    }
}
