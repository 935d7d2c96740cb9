import Dispatch
import Synchronization

/// Instants that are waited for, most of which are taken back before they come: the limits of calls.
///
/// `Task.sleep` that is cancelled leaves its timer with the system until the time it was set for. A service that answers a thousand calls a second, each with a
/// limit of four and one of thirty seconds, then has two thousand timers a second come due for nobody, in bursts that keep a core busy for a tenth of a second
/// when all callers have long left. Here what is taken back is gone, and one timer serves all. Nobody sleeps either: a limit that needed a task for its
/// waiting cost a short call as much as its reading.
public final class Alarms: Sendable {
    private struct State {
        var waiting: [UInt64: (at: ContinuousClock.Instant, ring: @Sendable () -> Void)] = [:]
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

    /// Has `ring` called at the instant, once, on a thread that it must not hold up.
    /// - Returns: what `takeBack` is told.
    public func set(at instant: ContinuousClock.Instant, _ ring: @escaping @Sendable () -> Void) -> UInt64 {
        let (id, pause) = state.withLock { state -> (UInt64, Duration?) in
            state.lastID += 1
            state.waiting[state.lastID] = (instant, ring)
            return (state.lastID, Self.arm(&state, for: instant, .now))
        }
        if let pause { look(after: pause) }
        return id
    }

    /// The alarm does not ring any more, unless it rings at this moment.
    public func takeBack(_ id: UInt64) {
        // Released after the lock.
        let waiting = state.withLock { $0.waiting.removeValue(forKey: id) }
        withExtendedLifetime(waiting) {}
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
        queue.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { [self] in wake() }
    }

    /// Rings those whose time has come.
    private func wake() {
        let (due, pause) = state.withLock { state -> ([@Sendable () -> Void], Duration?) in
            let now = ContinuousClock.now
            // A timer of before, in whose stead an earlier one has come.
            if let armed = state.armed, armed > now { return ([], nil) }
            state.armed = nil
            var due: [@Sendable () -> Void] = []
            for (id, waiting) in state.waiting where waiting.at <= now {
                due.append(waiting.ring)
                state.waiting[id] = nil
            }
            return (due, state.waiting.values.lazy.map { $0.at }.min().flatMap { Self.arm(&state, for: $0, now) })
        }
        for ring in due { ring() }
        if let pause { look(after: pause) }
    }
}
