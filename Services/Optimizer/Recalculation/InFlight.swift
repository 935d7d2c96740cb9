import Synchronization

/// Counts what runs, and lets one waiter wait until there is room for more.
final class InFlight: Sendable {
    private let limit: Int
    private let count = Mutex(0)
    private let room = WakeSignal()

    init(limit: Int) { self.limit = max(1, limit) }

    func begin() { count.withLock { $0 += 1 } }

    func end() {
        count.withLock { $0 -= 1 }
        room.wake()
    }

    /// Returns when fewer than the limit run, or the task is cancelled.
    func untilFree() async {
        while count.withLock({ $0 >= limit }), !Task.isCancelled { await room.wait(atMost: .seconds(1)) }
    }
}
