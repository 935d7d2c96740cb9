import Foundation
import PostgresClient

/// A job that this process holds: 15 seconds at a time, longer with a heartbeat.
struct ClaimedJob: Sendable {
    var tenant: UUID
    var portfolioID: String
    /// Grows with each claim. With the owner's name it tells a live worker from one that was taken for dead.
    var fence: Int64
    var attempts: Int
    /// How long after it was due it was claimed.
    var lateMilliseconds: Double
}

/// How a run ended.
enum RunOutcome: String, Sendable {
    /// A new result.
    case stored
    /// The data went back to a state that has a result already; that one stands again.
    case restored
    /// The data that woke the job changed nothing the portfolio looks at.
    case unchanged
    /// The request changed while the run lasted; the job runs again.
    case superseded
    /// Another worker took the job over: nothing was written.
    case fenced
}

/// The job table, in words. The rules are in sql/0006_recalculation.sql.
struct JobQueue: Sendable {
    let pool: PostgresPool
    /// Names this process: no other has ever had the same.
    let owner: String

    init(
        pool: PostgresPool,
        owner: String =
            "\(ProcessInfo.processInfo.hostName)/\(ProcessInfo.processInfo.processIdentifier)/\(UUID().uuidString)"
    ) {
        self.pool = pool
        self.owner = owner
    }

    /// Takes up to eight jobs that are due.
    func claim() async throws -> [ClaimedJob] {
        let owner = self.owner
        return try await pool.transaction(.feed) { connection in
            try await connection.query(
                "SELECT tenant_id, portfolio_id, fence, attempts, late_ms FROM ballast.recalculation_claim(\(owner))"
            ).map { row in
                ClaimedJob(
                    tenant: try row.decode(UUID.self, at: 0), portfolioID: try row.decode(String.self, at: 1),
                    fence: try row.decode(Int64.self, at: 2), attempts: Int(try row.decode(Int32.self, at: 3)),
                    lateMilliseconds: try row.decode(Double.self, at: 4))
            }
        }
    }

    /// Time until the next free job is due, by the database's clock; nil where there is none.
    func untilNext() async throws -> Duration? {
        let milliseconds = try await pool.transaction(.feed) { connection in
            try await connection.query("SELECT ballast.recalculation_next()").first?.decode(Double?.self, at: 0)
        }
        return milliseconds.flatMap { $0 }.map { .microseconds(Int64(max(0, min($0, 86_400_000)) * 1000)) }
    }

    /// How many jobs wait, how long the oldest is overdue, and how many are parked.
    func depth() async throws -> (pending: Int64, oldestSeconds: Double, parked: Int64) {
        try await pool.transaction(.feed) { connection in
            let rows = try await connection.query(
                """
                SELECT count(*) FILTER (WHERE parked_at IS NULL),
                    coalesce(extract(epoch FROM clock_timestamp() - min(run_after) FILTER (WHERE parked_at IS NULL)), 0)::float8,
                    count(*) FILTER (WHERE parked_at IS NOT NULL)
                FROM ballast.recalculation_job WHERE wanted > done
                """)
            guard let row = rows.first else { return (0, 0, 0) }
            return (
                try row.decode(Int64.self, at: 0), max(0, try row.decode(Double.self, at: 1)),
                try row.decode(Int64.self, at: 2)
            )
        }
    }

    /// Holds the job for 15 more seconds; false where another worker has it.
    func beat(_ job: ClaimedJob) async throws -> Bool {
        let owner = self.owner
        return try await pool.transaction(.app(job.tenant)) { connection in
            try await connection.execute(
                """
                UPDATE ballast.recalculation_job SET lease_until = clock_timestamp() + interval '15 seconds'
                WHERE tenant_id = ballast.current_tenant() AND portfolio_id = \(job.portfolioID)
                    AND fence = \(job.fence) AND owner = \(owner)
                """) > 0
        }
    }

    /// Ends a run: result, audit and job in one transaction, if the job is still ours. A nil record means there is nothing to store;
    /// `problem` then says why, where it is not for want of a change.
    func finish(
        _ job: ClaimedJob, requestHash: [UInt8], record: ResultRecord?, problem: String?
    ) async throws -> RunOutcome {
        let owner = self.owner
        let text = try await pool.transaction(.app(job.tenant)) { connection in
            try await connection.query(
                """
                SELECT ballast.recalculation_finish(\(job.portfolioID), \(owner), \(job.fence), \(requestHash),
                    \(record?.fingerprint.bytes as [UInt8]?), \(record?.response as String?)::json,
                    \(record.map { PostgresJSON($0.weights) } as PostgresJSON?), \(record.map { PostgresJSON($0.metrics) } as PostgresJSON?),
                    \(record?.tick as Int64?), \(record?.engine as String?), \(record?.solveMilliseconds as Double?), \(problem as String?))
                """
            ).first?.decode(String.self, at: 0)
        }
        return text.flatMap { RunOutcome(rawValue: $0) } ?? .fenced
    }

    /// The run failed: later again, or parked after the fifth time.
    func fail(_ job: ClaimedJob, _ reason: String) async throws {
        let owner = self.owner
        _ = try await pool.transaction(.app(job.tenant)) { connection in
            try await connection.query(
                "SELECT ballast.recalculation_fail(\(job.portfolioID), \(owner), \(job.fence), \(reason))")
        }
    }

    /// Gives the job back untried.
    func release(_ job: ClaimedJob) async throws {
        let owner = self.owner
        _ = try await pool.transaction(.app(job.tenant)) { connection in
            try await connection.query(
                "SELECT ballast.recalculation_release(\(job.portfolioID), \(owner), \(job.fence))")
        }
    }
}
