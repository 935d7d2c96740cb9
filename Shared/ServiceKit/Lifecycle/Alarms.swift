import Dispatch
import Synchronization

/// Instants that are waited for, most of which are taken back before they come: the limits of calls.
///
/// `Task.sleep` that is cancelled leaves its timer with the system until the time it was set for. A service that answers a thousand calls a second, each with a
/// limit of four and one of thirty seconds, then has two thousand timers a second come due for nobody, in bursts that keep a core busy for a tenth of a second
/// when all callers have long left. Here what is taken back is gone, and one timer serves all.
public final class Alarms: Sendable {
    private struct State {
        var waiting: [UInt64: (at: ContinuousClock.Instant, continuation: CheckedContinuation<Void, any Error>)] = [:]
        /// Cancelled before they waited.
        var cancelled: Set<UInt64> = []
        var lastID: UInt64 = 0
        /// When the timer comes; nil for none.
        var armed: ContinuousClock.Instant?
    }

    public static let shared = Alarms()

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "ballast.alarms")
    /// The system takes a tenth of a pause as leeway: of longer ones too much.
    private static let longestPause = Duration.milliseconds(500)

    public init() {}

    /// Returns at the instant, or throws `CancellationError` as soon as the task is cancelled.
    public func sleep(until instant: ContinuousClock.Instant) async throws {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (isCancelled, pause) = state.withLock { state -> (Bool, Duration?) in
                    if state.cancelled.remove(id) != nil { return (true, nil) }
                    state.waiting[id] = (instant, continuation)
                    return (false, Self.arm(&state, for: instant, .now))
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
                if let pause { look(after: pause) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                let waiting = state.waiting.removeValue(forKey: id)
                if waiting == nil { state.cancelled.insert(id) }
                return waiting
            }
            waiting?.continuation.resume(throwing: CancellationError())
        }
    }

    /// How many are waited for.
    var count: Int { state.withLock { $0.waiting.count } }
    /// Whether a timer is set.
    var isArmed: Bool { state.withLock { $0.armed != nil } }

    /// How long until the timer has to come; nil where the one that is set comes in time.
    private static func arm(
        _ state: inout State, for instant: ContinuousClock.Instant, _ now: ContinuousClock.Instant
    ) -> Duration? {
        let next = min(instant, now + longestPause)
        if let armed = state.armed, armed <= next { return nil }
        state.armed = next
        return max(.zero, next - now)
    }

    private func look(after pause: Duration) {
        let nanoseconds = Int(pause / .nanoseconds(1))
        queue.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { [self] in ring() }
    }

    /// Wakes whose time has come.
    private func ring() {
        let (due, pause) = state.withLock { state -> ([CheckedContinuation<Void, any Error>], Duration?) in
            let now = ContinuousClock.now
            // A timer of before, in whose stead an earlier one has come.
            if let armed = state.armed, armed > now { return ([], nil) }
            state.armed = nil
            var due: [CheckedContinuation<Void, any Error>] = []
            for (id, waiting) in state.waiting where waiting.at <= now {
                due.append(waiting.continuation)
                state.waiting[id] = nil
            }
            return (due, state.waiting.values.lazy.map { $0.at }.min().flatMap { Self.arm(&state, for: $0, now) })
        }
        for continuation in due { continuation.resume() }
        if let pause { look(after: pause) }
    }
}
