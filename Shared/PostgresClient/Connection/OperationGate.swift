import DequeModule
import Synchronization

/// Admits one operation at a time to a connection, in the order of arrival.
final class OperationGate: Sendable {
    private struct State {
        var isBusy = false
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
    }
    private let state = Mutex(State())

    /// Returns when it is the caller's turn; `leave` must follow.
    func enter() async {
        let entered = state.withLock { state in
            guard !state.isBusy else { return false }
            state.isBusy = true
            return true
        }
        if entered { return }
        await withCheckedContinuation { continuation in
            let entered = state.withLock { state in
                guard state.isBusy else {
                    state.isBusy = true
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if entered { continuation.resume() }
        }
    }

    /// Lets the next one in.
    func leave() {
        let next = state.withLock { state in
            let next = state.waiting.popFirst()
            if next == nil { state.isBusy = false }
            return next
        }
        next?.resume()
    }
}
