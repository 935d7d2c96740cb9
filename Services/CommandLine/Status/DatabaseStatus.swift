import Foundation
import PostgresClient
import ServiceKit
import WireFormat

/// What the database says of the installation: schema, amounts, the last of each, what waits.
struct DatabaseStatus: Sendable {
    var migration: Int
    var knownMigrations: Int?
    var amounts: [(name: String, count: Int)] = []
    var latest: [(name: String, at: UTCTimestamp?)] = []
    var waitingJobs = 0
    var oldestJobSeconds: Double?
    var parkedJobs = 0
    /// Age of the oldest change that no tick has covered yet; nil where every change is covered.
    var feedLagSeconds: Double?

    static func read(_ pool: PostgresPool, sqlDirectory: String, tenant: UUID) async throws -> DatabaseStatus {
        let migrator = Migrator(directory: sqlDirectory)
        var status = DatabaseStatus(migration: 0)
        do {
            let schema = try await pool.withConnection { try await migrator.status($0) }
            status.migration = schema.version
            status.knownMigrations = schema.known
        } catch MigrationError.unreadable {
            // Away from the source tree the files are not at hand: the table alone tells the version.
            let rows = try await pool.query("SELECT coalesce(max(version), 0)::int8 FROM public.ballast_migration")
            status.migration = try rows.first?.decode(Int.self, at: 0) ?? 0
        }
        guard status.migration > 0 else { return status }
        let own = try await pool.transaction(.app(tenant)) { connection in
            try await connection.pipeline([
                """
                SELECT (SELECT count(*) FROM ballast.asset), (SELECT count(*) FROM public.market_data),
                       (SELECT count(*) FROM ballast.portfolio), (SELECT count(*) FROM ballast.portfolio_result),
                       (SELECT count(*) FROM ballast.quarantine)
                """,
                """
                SELECT (SELECT max(timestamp) FROM public.market_data), (SELECT max(created_at) FROM public.market_data),
                       (SELECT max(created_at) FROM ballast.portfolio_result),
                       (SELECT max(ended_at) FROM ballast.etl_run WHERE status = 'succeeded')
                """,
            ])
        }
        let (assets, rows, portfolios, results, quarantined) = try own[0][0].decode((Int, Int, Int, Int, Int).self)
        status.amounts = [
            ("assets", assets), ("market data rows", rows), ("portfolios", portfolios), ("results", results),
            ("quarantined rows", quarantined),
        ]
        let (bar, stored, result, run) = try own[1][0].decode(
            (PostgresTimestamp?, PostgresTimestamp?, PostgresTimestamp?, PostgresTimestamp?).self)
        status.latest = [
            ("newest bar", bar), ("newest row stored", stored), ("newest result", result), ("last ETL run", run),
        ]
        .map { ($0.0, $0.1.map { UTCTimestamp($0) }) }
        let feed = try await pool.transaction(.feed) { connection in
            try await connection.pipeline([
                """
                SELECT count(*) FILTER (WHERE wanted > done AND parked_at IS NULL), count(*) FILTER (WHERE parked_at IS NOT NULL),
                       extract(epoch FROM max(now() - first_wanted) FILTER (WHERE wanted > done AND parked_at IS NULL))::float8
                FROM ballast.recalculation_job
                """,
                """
                SELECT extract(epoch FROM max(clock_timestamp() - e.at))::float8 FROM rt.event e,
                       (SELECT snap FROM rt.tick ORDER BY tick DESC LIMIT 1) t
                WHERE e.xid >= pg_snapshot_xmin(t.snap) AND NOT pg_visible_in_snapshot(e.xid, t.snap)
                """,
            ])
        }
        (status.waitingJobs, status.parkedJobs, status.oldestJobSeconds) = try feed[0][0].decode(
            (Int, Int, Double?).self)
        status.feedLagSeconds = try feed[1][0].decode(Double?.self, at: 0)
        return status
    }

    var isCurrent: Bool { knownMigrations.map { migration >= $0 && migration <= $0 + 1 } ?? (migration > 0) }

    var json: JSONValue {
        [
            "migration": JSONValue(migration), "known_migrations": JSONValue(knownMigrations),
            "amounts": .object(JSONObject(amounts.map { ($0.name.replacing(" ", with: "_"), JSONValue($0.count)) })),
            "latest": .object(
                JSONObject(latest.map { ($0.name.replacing(" ", with: "_").lowercased(), JSONValue($0.at?.isoString)) })
            ),
            "jobs": [
                "waiting": JSONValue(waitingJobs), "parked": JSONValue(parkedJobs),
                "oldest_s": JSONValue(oldestJobSeconds),
            ],
            "feed_lag_s": JSONValue(feedLagSeconds ?? 0),
        ]
    }
}
