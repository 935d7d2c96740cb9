import Logging
import PostgresClient
import ServiceKit

/// The ledger of runs, checkpoints, and who may run a job.
struct RunStore: Sendable {
    let pool: PostgresPool
    let logger: Logger

    /// Runs the body while no other collector runs the job; nil when another one does.
    ///
    /// The lock lives in a session of its own: it ends with the process, however that ends.
    func holdingLock<Result: Sendable>(
        of job: String, _ body: @Sendable () async throws -> Result
    ) async throws -> Result? {
        let connection = try await PostgresConnection.connect(pool.configuration, logger: logger)
        do {
            let rows = try await connection.query(
                "SELECT pg_try_advisory_lock(hashtextextended('ballast.etl.job:' || \(job), 0))")
            let isHeld = try rows.first?.decode(Bool.self, at: 0) ?? false
            let result = isHeld ? try await body() : nil
            await letGo(connection)
            return result
        } catch {
            await letGo(connection)
            throw error
        }
    }

    /// A server ends a closed session when it gets to it; who runs the job next should not have to wait for that.
    private func letGo(_ connection: PostgresConnection) async {
        do {
            _ = try await connection.query("SELECT pg_advisory_unlock_all()")
        } catch {
            logger.debug(
                "The session of a job's lock is broken; its end frees the lock", metadata: ["error": "\(error)"])
        }
        await connection.close()
    }

    /// Opens a run. Runs of the job that are still open belong to a process that died: nobody else holds the lock.
    func begin(job: String, source: String) async throws -> Int64 {
        try await pool.transaction(BatchStore.options) { connection in
            try await connection.execute(
                """
                UPDATE ballast.etl_run SET status = 'interrupted', ended_at = clock_timestamp()
                WHERE job = \(job) AND status = 'running'
                """)
            let rows = try await connection.query(
                "INSERT INTO ballast.etl_run (job, source_id) VALUES (\(job), \(source)) RETURNING run_id")
            guard let run = try rows.first?.decode(Int64.self, at: 0) else {
                throw PostgresError(.decoding, "no run id")
            }
            return run
        }
    }

    func end(_ run: Int64, status: String, errorClass: String?, detail: String?) async throws {
        _ = try await pool.transaction(BatchStore.options) { connection in
            try await connection.execute(
                """
                UPDATE ballast.etl_run SET status = \(status), ended_at = clock_timestamp(), error_class = nullif(\(errorClass ?? ""), ''),
                    detail = nullif(\(detail ?? ""), '')
                WHERE run_id = \(run)
                """)
        }
    }

    func position(job: String, item: String) async throws -> String? {
        try await pool.transaction(BatchStore.options) { connection in
            let rows = try await connection.query(
                "SELECT position FROM ballast.etl_checkpoint WHERE job = \(job) AND item = \(item)")
            return try rows.first?.decode(String.self, at: 0)
        }
    }

    func setPosition(job: String, _ checkpoint: Checkpoint) async throws {
        _ = try await pool.transaction(BatchStore.options) { connection in
            try await connection.execute(BatchStore.advance(checkpoint, job: job))
        }
    }
}
