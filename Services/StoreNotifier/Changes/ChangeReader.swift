import PostgresClient
import ServiceLifecycle

/// The one reader of the log: hands each change to the hub, once, in order. Survives any outage of the database.
struct ChangeReader: Service {
    let source: any ChangeSource
    let hub: Hub
    let wakeUp: WakeUp
    let observer: Observer
    /// Longest time between two looks without a wake-up.
    var poll = Duration.milliseconds(250)
    /// Most changes in memory at a time.
    static let batchSize = 5000

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var pause = Duration.milliseconds(20)
            while !Task.isCancelled {
                do {
                    let isAtEnd = try await step()
                    pause = .milliseconds(20)
                    if isAtEnd { await wakeUp.wait(upTo: poll) }
                } catch {
                    guard !Task.isCancelled else { return }
                    observer.record(.databaseFault(during: "reading changes", error: "\(error)"))
                    try await Task.sleep(for: pause)
                    pause = min(pause * 2, .milliseconds(500))
                }
            }
        }
    }

    /// Reads and hands on one batch.
    /// - Returns: whether the end of the log was reached.
    private func step() async throws -> Bool {
        guard let live = hub.live else {
            hub.start(at: try await source.latest())
            return false
        }
        do {
            let batch = try await source.changes(after: live, limit: Self.batchSize)
            guard batch.reached != live else { return true }
            hub.dispatch(batch)
            return false
        } catch is CursorExpired {
            observer.record(.logBegunAgain)
            hub.restart(at: try await source.latest())
            return false
        }
    }
}
