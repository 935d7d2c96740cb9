import PostgresClient
import ServiceLifecycle

/// Makes the ticks of the change log. Of any number of notifiers one leads, by an advisory lock of its session; the others
/// try to make a tick once a second, which finds nothing to do as long as the leader is well.
struct Sequencer: Service {
    let pool: PostgresPool
    /// Raised by NOTIFY.
    let wakeUp: WakeUp
    /// Raised when a tick has been made.
    let reader: WakeUp
    let observer: Observer
    /// Longest time between two looks without a NOTIFY.
    var poll = Duration.milliseconds(100)
    var followerInterval = Duration.seconds(1)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await pool.withConnection { try await lead(on: $0) }
                } catch {
                    guard !Task.isCancelled else { return }
                    observer.record(.databaseFault(during: "making ticks", error: "\(error)"))
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
        }
    }

    /// One term: until the session is lost, or for one tick as a follower. The pool takes the lock back with the session.
    private func lead(on connection: PostgresConnection) async throws {
        let rows = try await connection.query("SELECT pg_try_advisory_lock(hashtextextended('rt.sequencer', 0))")
        guard try rows.first?.decode(Bool.self, at: 0) == true else {
            try await makeTick(on: connection)
            try await Task.sleep(for: followerInterval)
            return
        }
        observer.record(.leading)
        while !Task.isCancelled {
            // Again at once after a tick: more may have been committed meanwhile.
            if try await !makeTick(on: connection) { await wakeUp.wait(upTo: poll) }
        }
    }

    @discardableResult
    private func makeTick(on connection: PostgresConnection) async throws -> Bool {
        let rows = try await connection.query("SELECT rt.make_tick()")
        guard let tick = try rows.first?.decode(Int64?.self, at: 0) else { return false }
        observer.record(.tick(tick))
        reader.raise()
        return true
    }
}
