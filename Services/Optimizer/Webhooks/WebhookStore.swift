import Foundation
import PostgresClient
import ServiceKit
import WireFormat

/// A delivery that this process is at.
struct ClaimedDelivery: Sendable {
    var tenant: UUID
    var id: UUID
    var url: String
    var secret: String
    var body: String
    /// From 1.
    var attempt: Int32
}

/// The tables `ballast.webhook` and `ballast.webhook_delivery`, in words; the rules are in sql/0010_webhooks.sql.
struct WebhookStore: Sendable {
    let pool: PostgresPool

    /// Most webhooks of a tenant.
    static let most = 20

    /// Keeps a webhook. Returns its id and its secret, which is not shown again.
    func add(
        url: String, events: [String], for principal: Principal, requestID: String
    ) async throws -> (id: String, secret: String) {
        let (id, secret) = (PortfolioID.make(), WebhookSignature.makeSecret())
        try await pool.transaction(.app(principal.tenant)) { connection in
            // One at a time, so that the count holds.
            _ = try await connection.query(
                "SELECT pg_advisory_xact_lock(hashtextextended('ballast.webhook:' || ballast.current_tenant()::text, 0))::text"
            )
            let rows = try await connection.query(
                "SELECT count(*) FROM ballast.webhook WHERE tenant_id = ballast.current_tenant()")
            guard try rows.first?.decode(Int64.self, at: 0) ?? 0 < Int64(Self.most) else {
                throw Problem(.wrongState, "There are \(Self.most) webhooks already.")
            }
            _ = try await connection.execute(
                """
                INSERT INTO ballast.webhook (tenant_id, webhook_id, url, secret, events)
                VALUES (ballast.current_tenant(), \(id), \(url), \(secret), \(events))
                """)
            try await PortfolioStore.audit(
                actor: principal.subject, action: "webhook.create", object: id, detail: ["url": .string(url)],
                requestID: requestID, on: connection)
        }
        return (id, secret)
    }

    /// The tenant's webhooks, oldest first.
    func list(tenant: UUID) async throws -> [Webhook] {
        try await pool.transaction(.app(tenant)) { connection in
            try await connection.query(
                """
                SELECT w.webhook_id, w.url, w.events, w.created_at, count(*) FILTER (WHERE d.state = 'pending'),
                    count(*) FILTER (WHERE d.state = 'sent'), count(*) FILTER (WHERE d.state = 'failed'),
                    (array_agg(d.last_error ORDER BY d.created_at DESC) FILTER (WHERE d.last_error IS NOT NULL))[1]
                FROM ballast.webhook w LEFT JOIN ballast.webhook_delivery d USING (tenant_id, webhook_id)
                WHERE w.tenant_id = ballast.current_tenant() GROUP BY w.tenant_id, w.webhook_id ORDER BY w.created_at
                """
            ).map { row in
                let (id, url, events, created, pending, sent, failed, error) = try row.decode(
                    (String, String, [String], PostgresTimestamp, Int64, Int64, Int64, String?).self)
                return Webhook(
                    id: id, url: url, events: events, createdAt: UTCTimestamp(created), pending: pending, sent: sent,
                    failed: failed, lastError: error)
            }
        }
    }

    /// Removes a webhook with what has not been delivered; false where the tenant has none of this id.
    func delete(_ id: String, for principal: Principal, requestID: String) async throws -> Bool {
        try await pool.transaction(.app(principal.tenant)) { connection in
            let removed = try await connection.execute(
                "DELETE FROM ballast.webhook WHERE tenant_id = ballast.current_tenant() AND webhook_id = \(id)")
            guard removed > 0 else { return false }
            try await PortfolioStore.audit(
                actor: principal.subject, action: "webhook.delete", object: id, detail: [:], requestID: requestID,
                on: connection)
            return true
        }
    }

    /// Takes up to eight deliveries that are due.
    func claim() async throws -> [ClaimedDelivery] {
        try await pool.transaction(.feed) { connection in
            try await connection.query(
                "SELECT tenant_id, delivery_id, url, secret, body, attempts FROM ballast.webhook_claim(8)"
            ).map { row in
                let (tenant, id, url, secret, body, attempt) = try row.decode(
                    (UUID, UUID, String, String, String, Int32).self)
                return ClaimedDelivery(tenant: tenant, id: id, url: url, secret: secret, body: body, attempt: attempt)
            }
        }
    }

    /// What became of an attempt.
    func finish(_ delivery: ClaimedDelivery, status: Int?, error: String?, isTaken: Bool) async throws {
        try await pool.transaction(.app(delivery.tenant)) { connection in
            _ = try await connection.query(
                """
                SELECT ballast.webhook_finish(\(delivery.id), \(delivery.attempt), \(status.map { Int32(clamping: $0) } as Int32?),
                    \(error as String?), \(isTaken))::text
                """)
        }
    }
}
