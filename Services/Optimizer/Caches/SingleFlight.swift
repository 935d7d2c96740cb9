import ConvexSolver
import Synchronization

/// Equal work that is wanted by several at the same time is done once.
///
/// The work belongs to all who wait for it: it stops when the last of them has left, and not when the first does.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Flight {
        var id: Int
        var flag: CancellationFlag
        var monitor: SolverMonitor
        /// Stops the work when nobody waits for it; nil before it has begun.
        var stop: (@Sendable () -> Void)?
        var waiters: [Int: CheckedContinuation<Result<Value, any Error>?, Never>] = [:]
    }

    private struct State {
        var flights: [Key: Flight] = [:]
        var nextID = 0
        /// Cancelled before they waited.
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    /// Lands the work with its value or its error: called once, on any thread.
    typealias Land = @Sendable (Result<Value, any Error>) -> Void

    /// The value, from work that is going on already or else from `work`, whose task is cancelled when nobody waits any more; a flag tells it too.
    /// - Parameter onBoard: told where the work's progress can be read, once it is known whose work it is.
    /// - Returns: the value, and whether another's work brought it.
    func value(
        for key: Key, onBoard: (SolverMonitor) -> Void = { _ in },
        _ work: @escaping @Sendable (CancellationFlag, SolverMonitor) async throws -> Value
    ) async throws -> (value: Value, isShared: Bool) {
        try await join(key, onBoard) { flag, monitor, land in
            let task = Task {
                let result: Result<Value, any Error>
                do { result = .success(try await work(flag, monitor)) } catch { result = .failure(error) }
                land(result)
            }
            return { task.cancel() }
        }
    }

    /// The value, from work that is going on already or else from what `begin` begins. The flag tells it when nobody waits any more. Work that has threads of
    /// its own needs no task beside them.
    func value(
        for key: Key, onBoard: (SolverMonitor) -> Void = { _ in },
        begin: (CancellationFlag, SolverMonitor, @escaping Land) -> Void
    ) async throws -> (value: Value, isShared: Bool) {
        try await join(key, onBoard) { flag, monitor, land in
            begin(flag, monitor, land)
            return {}
        }
    }

    /// - Parameter begin: begins the work, and returns what stops it.
    private func join(
        _ key: Key, _ onBoard: (SolverMonitor) -> Void,
        _ begin: (CancellationFlag, SolverMonitor, @escaping Land) -> @Sendable () -> Void
    ) async throws -> (value: Value, isShared: Bool) {
        while true {
            try Task.checkCancellation()
            if let landed = try await board(key, onBoard, begin) { return landed }
        }
    }

    /// Nil where the work had ended before we could wait for it.
    private func board(
        _ key: Key, _ onBoard: (SolverMonitor) -> Void,
        _ begin: (CancellationFlag, SolverMonitor, @escaping Land) -> @Sendable () -> Void
    ) async throws -> (value: Value, isShared: Bool)? {
        let (waiter, flight, isFirst) = state.withLock { state -> (Int, Flight, Bool) in
            state.nextID += 1
            let waiter = state.nextID
            if let known = state.flights[key] { return (waiter, known, false) }
            let flight = Flight(id: waiter, flag: CancellationFlag(), monitor: SolverMonitor())
            state.flights[key] = flight
            return (waiter, flight, true)
        }
        onBoard(flight.monitor)
        let result: Result<Value, any Error>? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isWaiting, begins) = state.withLock { state in
                    guard state.flights[key]?.id == flight.id else { return (false, false) }
                    let hasLeft = state.cancelled.remove(waiter) != nil
                    if !hasLeft { state.flights[key]?.waiters[waiter] = continuation }
                    // Who is the first begins the work for the others too, should it have left by now.
                    let isWanted = state.flights[key]?.waiters.isEmpty == false
                    if isFirst, !isWanted { state.flights[key] = nil }
                    return (!hasLeft, isFirst && isWanted)
                }
                defer { if !isWaiting { continuation.resume(returning: nil) } }
                if begins {
                    let stop = begin(flight.flag, flight.monitor) { self.land(key, flight.id, $0) }
                    let isWanted = state.withLock { state in
                        guard state.flights[key]?.id == flight.id else { return false }
                        state.flights[key]?.stop = stop
                        return true
                    }
                    // Everybody has left already, or it has landed.
                    if !isWanted { stop() }
                }
            }
        } onCancel: {
            leave(key, flight.id, waiter)
        }
        state.withLock { _ = $0.cancelled.remove(waiter) }
        return try result.map { (try $0.get(), !isFirst) }
    }

    private func land(_ key: Key, _ id: Int, _ result: Result<Value, any Error>) {
        let waiters = state.withLock { state -> [CheckedContinuation<Result<Value, any Error>?, Never>] in
            guard let flight = state.flights[key], flight.id == id else { return [] }
            state.flights[key] = nil
            return Array(flight.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    private func leave(_ key: Key, _ id: Int, _ waiter: Int) {
        let (left, abandoned) = state.withLock {
            state -> (CheckedContinuation<Result<Value, any Error>?, Never>?, Flight?) in
            guard let flight = state.flights[key], flight.id == id else { return (nil, nil) }
            guard let left = state.flights[key]?.waiters.removeValue(forKey: waiter) else {
                state.cancelled.insert(waiter)
                return (nil, nil)
            }
            guard flight.waiters.count == 1 else { return (left, nil) }
            // Who comes now begins afresh: this work is stopping.
            state.flights[key] = nil
            return (left, flight)
        }
        abandoned?.flag.cancel()
        abandoned?.stop?()
        left?.resume(returning: .failure(CancellationError()))
    }

    /// How many wait for a key's work.
    func waiting(for key: Key) -> Int { state.withLock { $0.flights[key]?.waiters.count ?? 0 } }

    /// Work that is going on.
    var count: Int { state.withLock { $0.flights.count } }
}
