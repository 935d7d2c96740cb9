import Synchronization

/// What may end a call before it is done: its time is over, its client has left.
public struct CallEnding: Sendable {
    /// Ends the call; with an error, that one becomes of it, whatever it would have come to.
    public typealias End = @Sendable ((any Error)?) -> Void

    /// Begins to watch, and returns what ends the watching. `end` may be called at any time, from any thread, more than once.
    let watch: @Sendable (_ end: @escaping End) -> @Sendable () -> Void

    public init(_ watch: @escaping @Sendable (_ end: @escaping End) -> @Sendable () -> Void) { self.watch = watch }

    /// The time is over: `TimeLimitPassed`.
    public static func after(_ limit: Duration) -> CallEnding {
        let instant = ContinuousClock.now + limit
        return CallEnding { end in
            let alarm = Alarms.shared.set(at: instant) { end(TimeLimitPassed()) }
            return { Alarms.shared.takeBack(alarm) }
        }
    }

    /// From an instant on the time is over as soon as something is true: a look at that instant, and then one every `interval`.
    public static func from(
        _ instant: ContinuousClock.Instant, every interval: Duration, when isOver: @escaping @Sendable () -> Bool
    ) -> CallEnding {
        CallEnding { end in
            let look = RepeatedLook(interval) {
                guard isOver() else { return false }
                end(TimeLimitPassed())
                return true
            }
            look.next(at: instant)
            return { look.stop() }
        }
    }
}

/// Looks again and again, until what it looks for has come or nobody wants to know.
private final class RepeatedLook: Sendable {
    private let interval: Duration
    private let look: @Sendable () -> Bool
    /// Of the next look; nil once it has stopped.
    private let alarm = Mutex<UInt64?>(0)

    init(_ interval: Duration, _ look: @escaping @Sendable () -> Bool) {
        self.interval = interval
        self.look = look
    }

    func next(at instant: ContinuousClock.Instant) {
        alarm.withLock { alarm in
            guard alarm != nil else { return }
            alarm = Alarms.shared.set(at: instant) { [self] in
                if !look() { next(at: .now + interval) }
            }
        }
    }

    func stop() {
        let last = alarm.withLock { alarm in
            defer { alarm = nil }
            return alarm
        }
        if let last { Alarms.shared.takeBack(last) }
    }
}

/// Runs `body` in a task of its own, which is cancelled as soon as one of the endings comes or the caller's task is cancelled. It returns when `body` has
/// returned.
///
/// One task, however many endings: each further one costs a short call as much as its reading.
public func withEndings<Result: Sendable>(
    _ endings: [CallEnding], _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let ended = EndedCall()
    let stops = endings.map { $0.watch { ended.end($0) } }
    defer { for stop in stops { stop() } }
    // It begins at once, on the caller's thread: another thread would have to be woken.
    let task = Task.immediate { try await body() }
    ended.began { task.cancel() }
    return try await withTaskCancellationHandler {
        let result = await task.result
        if let reason = ended.reason { throw reason }
        return try result.get()
    } onCancel: {
        task.cancel()
    }
}

/// Whether a call has been ended, and why.
private final class EndedCall: Sendable {
    private struct State {
        var isEnded = false
        var reason: (any Error)?
        var cancel: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    /// The first reason that was given.
    var reason: (any Error)? { state.withLock { $0.reason } }

    func began(_ cancel: @escaping @Sendable () -> Void) {
        let isEnded = state.withLock { state in
            state.cancel = cancel
            return state.isEnded
        }
        if isEnded { cancel() }
    }

    func end(_ reason: (any Error)?) {
        let cancel = state.withLock { state in
            state.isEnded = true
            state.reason = state.reason ?? reason
            return state.cancel
        }
        cancel?()
    }
}
