import PostgresClient
import ServiceLifecycle

/// LISTEN as the alarm clock of sequencer and reader. Nothing rests on it: both look by themselves too.
struct Listening: Service {
    let listener: PostgresListener
    let sequencer: WakeUp
    let reader: WakeUp

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await event in listener.notifications(channels: ["rt", "rt_tick"]) {
                switch event {
                case .connected:
                    sequencer.raise()
                    reader.raise()
                case .notification("rt_tick", _): reader.raise()
                case .notification: sequencer.raise()
                case .disconnected: break
                }
            }
        }
    }
}
