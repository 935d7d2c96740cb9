import Logging
import PostgresClient
import Realtime
import ServiceLifecycle
import WebSocketTransport

/// Runs the fan-out whenever prices may have changed.
///
/// Three things wake it: the store-notifier's WebSocket, PostgreSQL's own NOTIFY, and a second without either. None of them carries
/// a promise; what is read is the change log, from the cursor on. So a lost message, a dead notifier or a restarted database
/// cost at most a second.
struct Listener: Service {
    let optimizer: Optimizer
    let notifications: PostgresListener
    /// Nil: without the store-notifier.
    let realtime: RealtimeWakeUp?

    /// Longest time without a look at the log.
    static let poll = Duration.seconds(1)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await listen() }
                if let realtime { group.addTask { await realtime.run(waking: optimizer.fanOutWake) } }
                await advanceForEver()
                group.cancelAll()
            }
        }
    }

    /// NOTIFY of the change log; after a reconnect anything may have been missed.
    private func listen() async {
        for await event in notifications.notifications(channels: ["rt"]) {
            switch event {
            case .connected, .notification: optimizer.fanOutWake.wake()
            case .disconnected: break
            }
            if Task.isCancelled { return }
        }
    }

    private func advanceForEver() async {
        var isFailing = false
        while !Task.isCancelled {
            do {
                let step = try await optimizer.fanOut.advance()
                isFailing = false
                optimizer.event.fannedOut(step)
                if step.expired {
                    optimizer.logger.warning(
                        "The change log no longer reaches back to the cursor: all portfolios are recalculated")
                }
                if step.marked > 0 { optimizer.workerWake.wake() }
            } catch {
                if Task.isCancelled { return }
                if !isFailing {
                    optimizer.logger.warning("Fan-out failed, trying again", metadata: ["error": "\(error)"])
                }
                isFailing = true
                try? await Task.sleep(for: .milliseconds(200))
            }
            await optimizer.fanOutWake.wait(atMost: Self.poll)
        }
    }
}
