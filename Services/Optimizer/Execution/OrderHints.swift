import Synchronization

/// That something may have happened to an order: whoever waits for it looks earlier. A hint proves nothing.
final class OrderHints: Sendable {
    private struct State {
        var signals: [String: WakeSignal] = [:]
        var isLive = false
    }

    private let state = Mutex(State())

    /// Whether hints come at all.
    var isLive: Bool { state.withLock { $0.isLive } }

    /// Waits for a hint of an order, at most so long. Hints since the last wait count.
    func wait(for clientID: String, atMost duration: Duration) async {
        await signal(clientID).wait(atMost: duration)
    }

    private func signal(_ clientID: String) -> WakeSignal {
        state.withLock { state in
            if let known = state.signals[clientID] { return known }
            let made = WakeSignal()
            state.signals[clientID] = made
            return made
        }
    }

    /// Something was said about an order; of one that nobody has waited for it is kept in mind only where `expects` was called.
    func hint(_ clientID: String) {
        state.withLock { $0.signals[clientID] }?.wake()
    }

    /// Hints of this order count from now on.
    func expect(_ clientID: String) { _ = signal(clientID) }

    /// The order has ended.
    func forget(_ clientID: String) { state.withLock { $0.signals[clientID] = nil } }

    /// Hints begin or end: what was missed while there were none is looked for by everybody.
    func setLive(_ isLive: Bool) {
        let waiting = state.withLock { state -> [WakeSignal] in
            state.isLive = isLive
            return Array(state.signals.values)
        }
        for signal in waiting { signal.wake() }
    }
}
