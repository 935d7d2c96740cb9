import PostgresClient
import ServiceLifecycle

/// Partitions of the log ahead, old ones dropped, forgotten subscribers removed: at start and each hour.
struct Maintenance: Service {
    let pool: PostgresPool
    let observer: Observer
    var interval = Duration.seconds(3600)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                do {
                    try await once()
                    try await Task.sleep(for: interval)
                } catch {
                    if Task.isCancelled { return }
                    observer.record(.databaseFault(during: "maintaining the log", error: "\(error)"))
                    try await Task.sleep(for: .seconds(5))
                }
            }
        }
    }

    private func once() async throws {
        try await pool.transaction(.feed) { connection in
            let rows = try await connection.query("SELECT rt.maintain(interval '72 hours', 30)")
            observer.record(.maintained(dropped: Int(try rows.first?.decode(Int32.self, at: 0) ?? 0)))
            _ = try await connection.execute(
                "DELETE FROM rt.subscriber WHERE name LIKE 'ws:%' AND seen < now() - interval '30 days'")
        }
    }
}
