import Foundation
import PostgresClient
import ServiceKit
import WireFormat

/// The tables `ballast.job` and `ballast.job_event`, in words; the rules are in sql/0008_jobs.sql.
struct JobStore: Sendable {
    let pool: PostgresPool
    /// Names this process: no other has ever had the same.
    let owner: String

    /// Most jobs of a tenant that wait or run: a queue has an end, or nobody could say when its last is done.
    static let mostOpen = 1000

    /// Keeps a request as a job; its id.
    /// - Throws: `LIM-001` where the tenant has as many as it may.
    func add(
        _ request: JSONValue, kind: JobKind = .optimize, isStrict: Bool, estimateSeconds: Double,
        for principal: Principal, requestID: String, trace: TraceContext
    ) async throws -> String {
        let id = PortfolioID.make()
        let text = request.serialized()
        try await pool.transaction(.app(principal.tenant)) { connection in
            let open = try await connection.query(
                """
                SELECT count(*) FROM (SELECT FROM ballast.job
                    WHERE tenant_id = ballast.current_tenant() AND state IN ('queued', 'running') LIMIT \(Self.mostOpen)) o
                """)
            if try open.first?.decode(Int.self, at: 0) ?? 0 >= Self.mostOpen {
                throw Problem(
                    .rateLimited,
                    "\(Self.mostOpen) jobs of this tenant wait or run already. Cancel some, or come back.",
                    retryAfter: 30)
            }
            _ = try await connection.query(
                """
                SELECT ballast.job_add(\(id), \(kind.rawValue), \(text)::json, \(isStrict), \(principal.subject), \(requestID), \(estimateSeconds))::text
                """)
            _ = try await connection.execute(
                """
                UPDATE ballast.job SET traceparent = \(trace.traceparent)
                WHERE tenant_id = ballast.current_tenant() AND job_id = \(id)
                """)
        }
        return id
    }

    /// A job by its id; nil where the tenant has none.
    func find(_ id: String, tenant: UUID) async throws -> Job? {
        try await pool.transaction(.app(tenant)) { connection in
            let rows = try await connection.query(
                """
                SELECT state, progress, phase, eta_s, result::text, problem::text, created_at, started_at, finished_at, events, traceparent,
                    iteration, gap, parts_done, parts
                FROM ballast.job WHERE tenant_id = ballast.current_tenant() AND job_id = \(id)
                """)
            guard let row = rows.first else { return nil }
            func time(_ at: Int) throws -> UTCTimestamp? {
                try row.decode(PostgresTimestamp?.self, at: at).map { UTCTimestamp($0) }
            }
            return Job(
                id: id, state: Job.State(rawValue: try row.decode(String.self, at: 0)) ?? .failed,
                progress: try row.decode(Double.self, at: 1), phase: try row.decode(String.self, at: 2),
                etaSeconds: try row.decode(Double?.self, at: 3), result: try row.decode(String?.self, at: 4),
                problem: try row.decode(String?.self, at: 5),
                createdAt: UTCTimestamp(try row.decode(PostgresTimestamp.self, at: 6)), startedAt: try time(7),
                finishedAt: try time(8), events: Int(try row.decode(Int32.self, at: 9)),
                traceparent: try row.decode(String?.self, at: 10), iteration: try row.decode(Int64?.self, at: 11),
                gap: try row.decode(Double?.self, at: 12), partsDone: try row.decode(Int32?.self, at: 13),
                parts: try row.decode(Int32?.self, at: 14))
        }
    }

    /// The events of a job after a number: number and JSON text, in order.
    func events(of id: String, after seq: Int, tenant: UUID) async throws -> [(seq: Int, body: String)] {
        try await pool.transaction(.app(tenant)) { connection in
            try await connection.query(
                """
                SELECT seq, body::text FROM ballast.job_event
                WHERE tenant_id = ballast.current_tenant() AND job_id = \(id) AND seq > \(Int32(clamping: seq)) ORDER BY seq LIMIT 500
                """
            ).map { (Int(try $0.decode(Int32.self, at: 0)), try $0.decode(String.self, at: 1)) }
        }
    }

    /// Cancels a job that has not ended. Nil where the tenant has none of this id.
    func cancel(
        _ id: String, for principal: Principal, requestID: String
    ) async throws -> (state: Job.State, cancelled: Bool)? {
        try await pool.transaction(.app(principal.tenant)) { connection in
            let rows = try await connection.query("SELECT state, cancelled FROM ballast.job_cancel(\(id))")
            guard let row = rows.first,
                let state = try row.decode(String?.self, at: 0).flatMap({ Job.State(rawValue: $0) })
            else { return nil }
            let cancelled = try row.decode(Bool.self, at: 1)
            if cancelled {
                try await PortfolioStore.audit(
                    actor: principal.subject, action: "job.cancel", object: id, detail: [:], requestID: requestID,
                    on: connection)
            }
            return (state, cancelled)
        }
    }

    // MARK: Working

    /// Takes the next job; nil where none waits.
    func claim() async throws -> ClaimedWork? {
        let owner = self.owner
        let givenUp = Problem(.jobGivenUp, "Three workers stopped while they were at this job.").json(requestID: nil)
        return try await pool.transaction(.feed) { connection in
            let rows = try await connection.query(
                """
                SELECT tenant_id, job_id, fence, kind, request, is_strict, subject, request_id, estimate_s
                FROM ballast.job_claim(\(owner), \(givenUp.serialized())::text::json)
                """)
            guard let row = rows.first else { return nil }
            let (tenant, id, fence, kind, request, strict, subject, requestID, estimate) = try row.decode(
                (UUID, String, Int64, String, String, Bool, String, String?, Double).self)
            let trace = try await connection.query(
                "SELECT traceparent FROM ballast.job WHERE tenant_id = \(tenant) AND job_id = \(id)"
            ).first?.decode(String?.self, at: 0)
            return ClaimedWork(
                trace: TraceContext(traceparent: trace ?? nil), tenant: tenant, id: id,
                kind: JobKind(rawValue: kind) ?? .optimize, fence: fence, request: request,
                isStrict: strict, subject: subject,
                requestID: requestID, estimateSeconds: estimate)
        }
    }

    /// Holds a job for 15 more seconds; false where it is no longer ours.
    func beat(_ work: ClaimedWork, _ place: WorkProgress.Report) async throws -> Bool {
        let owner = self.owner
        return try await pool.transaction(.app(work.tenant)) { connection in
            try await connection.query(
                """
                SELECT ballast.job_beat(\(work.id), \(owner), \(work.fence), \(place.progress), \(place.phase), \(place.etaSeconds as Double?),
                    \(place.iteration.map { Int64($0) } as Int64?), \(place.gap as Double?),
                    \(place.partsDone.map { Int32(clamping: $0) } as Int32?), \(place.parts.map { Int32(clamping: $0) } as Int32?))
                """
            ).first?.decode(Bool.self, at: 0) ?? false
        }
    }

    /// Ends a job with its result or its problem; false where it is no longer ours.
    func finish(_ work: ClaimedWork, result: JSONValue?, problem: JSONValue?) async throws -> Bool {
        let owner = self.owner
        let (result, problem) = (result?.serialized(), problem?.serialized())
        return try await pool.transaction(.app(work.tenant)) { connection in
            try await connection.query(
                """
                SELECT ballast.job_finish(\(work.id), \(owner), \(work.fence), \(result as String?)::text::json, \(problem as String?)::text::json)
                """
            ).first?.decode(Bool.self, at: 0) ?? false
        }
    }

    /// Gives a job back untried.
    func release(_ work: ClaimedWork) async throws {
        let owner = self.owner
        try await pool.transaction(.app(work.tenant)) { connection in
            _ = try await connection.query("SELECT ballast.job_release(\(work.id), \(owner), \(work.fence))")
        }
    }

    /// Jobs that wait and how long the oldest has waited.
    func depth() async throws -> (queued: Int64, running: Int64, oldestSeconds: Double) {
        try await pool.transaction(.feed) { connection in
            let rows = try await connection.query(
                """
                SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running'),
                    coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE state = 'queued')), 0)::float8
                FROM ballast.job WHERE state IN ('queued', 'running')
                """)
            guard let row = rows.first else { return (0, 0, 0) }
            return try row.decode((Int64, Int64, Double).self)
        }
    }
}
