import DequeModule
import Dispatch
import Synchronization

/// The few calls of libpq and libc that can only block (name resolution, PQcancel), on at most `width` threads of their own.
final class BlockingLane: Sendable {
    static let resolution = BlockingLane(label: "postgres-resolve", width: 4)
    static let cancellation = BlockingLane(label: "postgres-cancel", width: 4)

    private struct State {
        var running = 0
        var pending: Deque<@Sendable () -> Void> = []
    }

    private let queue: DispatchQueue
    private let width: Int
    private let state = Mutex(State())

    init(label: String, width: Int) {
        queue = DispatchQueue(label: label, attributes: .concurrent)
        self.width = width
    }

    /// Runs the work on one of the threads, in the order of the calls.
    func start(_ work: @escaping @Sendable () -> Void) {
        let admitted = state.withLock { state in
            guard state.running < width else {
                state.pending.append(work)
                return false
            }
            state.running += 1
            return true
        }
        if admitted { queue.async { [self] in drain(from: work) } }
    }

    private func drain(from first: @escaping @Sendable () -> Void) {
        var next: (@Sendable () -> Void)? = first
        while let work = next {
            work()
            next = state.withLock { state in
                let work = state.pending.popFirst()
                if work == nil { state.running -= 1 }
                return work
            }
        }
    }
}

/// A value that is set once and can be awaited by one task.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Value, Never>)
        case set(Value)
    }
    private let state = Mutex(State.empty)

    func set(_ value: Value) {
        let waiter: CheckedContinuation<Value, Never>? = state.withLock { state in
            defer {
                if case .set = state {} else { state = .set(value) }
            }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        waiter?.resume(returning: value)
    }

    /// The value, as soon as it is set.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let ready: Value? = state.withLock { state in
                if case .set(let value) = state { return value }
                state = .waiting(continuation)
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }
}
