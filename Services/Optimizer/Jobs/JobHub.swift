import PostgresClient
import ServiceLifecycle
import Synchronization

/// Tells those who wait for a job of this or another process that its row has changed. One LISTEN for all of them.
///
/// A wake-up is no news: whoever is woken reads the table. After a reconnect everybody is woken, since anything may have been missed.
final class JobHub: Service {
    private struct State {
        var next = 0
        var subscribers: [String: [Int: AsyncStream<Void>.Continuation]] = [:]
        var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())
    private let listener: PostgresListener

    /// The channel of sql/0008_jobs.sql.
    static let channel = "ballast_job"

    init(_ listener: PostgresListener) { self.listener = listener }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            for await event in listener.notifications(channels: [Self.channel]) {
                switch event {
                case .connected: wakeAll()
                case .notification(_, let job): wake(job)
                case .disconnected: break
                }
            }
        }
    }

    /// Wake-ups of one job, as one where several came. They end when the task that reads them does.
    func changes(of job: String) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.next += 1
            state.subscribers[job, default: [:]][state.next] = continuation
            return state.next
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in
                state.subscribers[job]?[id] = nil
                if state.subscribers[job]?.isEmpty == true { state.subscribers[job] = nil }
            }
        }
        return stream
    }

    /// Wake-ups of any job, for whoever looks for work.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.next += 1
            state.watchers[state.next] = continuation
            return state.next
        }
        continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.watchers[id] = nil } }
        return stream
    }

    func wake(_ job: String) {
        let woken = state.withLock { Array($0.subscribers[job, default: [:]].values) + Array($0.watchers.values) }
        for continuation in woken { continuation.yield() }
    }

    private func wakeAll() {
        let woken = state.withLock { state in
            state.subscribers.values.flatMap { Array($0.values) } + Array(state.watchers.values)
        }
        for continuation in woken { continuation.yield() }
    }

    /// Streams that are being read, for tests.
    var subscribers: Int { state.withLock { $0.subscribers.values.reduce(0) { $0 + $1.count } } }
}
