import CLibPQ
import Foundation
import HeapModule
import Synchronization

/// One thread that waits, with epoll, for every socket and every deadline of this module: no query costs a thread.
///
/// A wait is one-shot. Tokens are never reused, so an event that arrives for a descriptor closed and opened again by someone else is ignored.
final class SocketReactor: Sendable {
    enum Interest: Sendable {
        case read, write, readOrWrite

        var events: UInt32 {
            switch self {
            case .read: EPOLLIN.rawValue
            case .write: EPOLLOUT.rawValue
            case .readOrWrite: EPOLLIN.rawValue | EPOLLOUT.rawValue
            }
        }
    }

    enum Wake: Sendable {
        case ready, timedOut, cancelled
    }

    static let shared = SocketReactor()

    private struct Deadline: Comparable {
        let at: ContinuousClock.Instant
        let token: UInt64
        static func < (a: Deadline, b: Deadline) -> Bool { (a.at, a.token) < (b.at, b.token) }
    }

    private struct State {
        var nextToken: UInt64 = 1
        var waiters: [UInt64: @Sendable (Wake) -> Void] = [:]
        var deadlines = Heap<Deadline>()
        var isRunning = false
    }

    private let state = Mutex(State())
    private let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    private let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))

    private init() {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = 0
        epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event)
    }

    /// Waits until the socket is ready, the deadline passes or the task is cancelled; a shielded wait ignores cancellation.
    func wait(
        _ descriptor: Int32, _ interest: Interest, until deadline: ContinuousClock.Instant? = nil,
        shielded: Bool = false
    ) async -> Wake {
        let token = newToken()
        if shielded {
            return await withCheckedContinuation { continuation in
                register(token, descriptor, interest, deadline) { continuation.resume(returning: $0) }
            }
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                register(token, descriptor, interest, deadline) { continuation.resume(returning: $0) }
                // The handler below may have run before there was anything to cancel.
                if Task.isCancelled { fire(token, .cancelled) }
            }
        } onCancel: {
            fire(token, .cancelled)
        }
    }

    /// Calls back once at the deadline, on the reactor's thread; the callback must be short.
    func schedule(at deadline: ContinuousClock.Instant, _ callback: @escaping @Sendable () -> Void) -> UInt64 {
        let token = newToken()
        register(token, nil, .read, deadline) { wake in
            if wake == .timedOut { callback() }
        }
        return token
    }

    /// Forgets a callback that has not run yet.
    func unschedule(_ token: UInt64) {
        fire(token, .cancelled)
    }

    private func newToken() -> UInt64 {
        state.withLock { state in
            defer { state.nextToken += 1 }
            return state.nextToken
        }
    }

    private func register(
        _ token: UInt64, _ descriptor: Int32?, _ interest: Interest, _ deadline: ContinuousClock.Instant?,
        _ resume: @escaping @Sendable (Wake) -> Void
    ) {
        let mustRing = state.withLock { state in
            state.waiters[token] = resume
            if !state.isRunning {
                state.isRunning = true
                startThread()
            }
            guard let deadline else { return false }
            let isEarliest = state.deadlines.min.map { deadline < $0.at } ?? true
            state.deadlines.insert(Deadline(at: deadline, token: token))
            return isEarliest
        }
        if let descriptor { arm(descriptor, interest, token) }
        if mustRing { ring() }
    }

    private func arm(_ descriptor: Int32, _ interest: Interest, _ token: UInt64) {
        var event = epoll_event()
        event.events = interest.events | EPOLLONESHOT.rawValue
        event.data.u64 = token
        // Closing a descriptor takes it out of the set, so a known number may be new to the kernel and the other way round.
        if epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) == 0 { return }
        if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 { return }
        if epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) == 0 { return }
        // Not a socket any more: wake the waiter, whose next call into libpq reports what is wrong.
        fire(token, .ready)
    }

    private func fire(_ token: UInt64, _ wake: Wake) {
        let resume = state.withLock { $0.waiters.removeValue(forKey: token) }
        resume?(wake)
    }

    private func ring() {
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    private func startThread() {
        let thread = Thread { [self] in run() }
        thread.name = "postgres-io"
        thread.stackSize = 1 << 18
        thread.start()
    }

    private func run() {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let timeout = expireDeadlines()
            let count = epoll_wait(epoll, &events, Int32(events.count), timeout)
            guard count > 0 else { continue }
            for event in events.prefix(Int(count)) {
                let token = event.data.u64
                if token == 0 {
                    var sink: UInt64 = 0
                    _ = read(bell, &sink, 8)
                } else {
                    fire(token, .ready)
                }
            }
        }
    }

    /// Wakes whoever is overdue; returns the milliseconds to the next deadline, -1 for none.
    private func expireDeadlines() -> Int32 {
        while true {
            let now = ContinuousClock.now
            enum Next {
                case expire(@Sendable (Wake) -> Void)
                case sleep(Int32)
            }
            let next: Next = state.withLock { state in
                while let first = state.deadlines.min {
                    guard state.waiters[first.token] != nil else {
                        _ = state.deadlines.popMin()
                        continue
                    }
                    guard first.at <= now else {
                        let (seconds, attoseconds) = (first.at - now).components
                        let milliseconds = min(seconds, 60) * 1000 + attoseconds / 1_000_000_000_000_000 + 1
                        return .sleep(Int32(milliseconds))
                    }
                    _ = state.deadlines.popMin()
                    if let resume = state.waiters.removeValue(forKey: first.token) { return .expire(resume) }
                }
                return .sleep(-1)
            }
            switch next {
            case .expire(let resume): resume(.timedOut)
            case .sleep(let milliseconds): return milliseconds
            }
        }
    }
}
