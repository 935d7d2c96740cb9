import Foundation
import ServiceKit
import Synchronization
import WireFormat

/// Lets requests in, no more at a time than the service finishes quickly; the rest wait in a short queue or are refused at once.
///
/// - Tenants take turns by what they have cost (stride scheduling), so that one that sends a hundred times as much waits for itself.
/// - A burst may queue. A queue that stands, whose wait stays above the target for half a second, means overload: then a request is
///   refused at once unless it would be let in within the target, the newest goes first, and what has waited a second, or ten times what an answer takes, is refused.
///   Source: Nichols and Jacobson, CoDel, 2012; Facebook's adaptive LIFO.
/// - A request that could not be let in before its deadline is refused at once.
///
/// Refusals are 503 `SYS-101` for load that all share, and 429 `LIM-001` for a tenant that fills more than its part of the queue while
/// others wait; both say when to come back.
final class AdmissionGate: Sendable {
    /// What a request holds from its admission to its end.
    struct Ticket: Sendable {
        fileprivate var tenant: UUID
        fileprivate var cost: Double
        fileprivate var since: ContinuousClock.Instant
    }

    /// How the gate stands, for metrics.
    struct Load: Sendable {
        var running: Int
        var waiting: Int
        var limit: Int
        var isOverloaded: Bool
    }

    private struct Waiter {
        var id: Int
        var cost: Double
        var since: ContinuousClock.Instant
        var deadline: ContinuousClock.Instant
        var continuation: CheckedContinuation<Result<Ticket, Problem>, Never>
    }

    private struct State {
        var limit: AdaptiveLimit
        var running = 0
        var queues: [UUID: [Waiter]] = [:]
        /// What each tenant has used, in seconds, from a common start: the lowest goes next.
        var used: [UUID: Double] = [:]
        /// Smoothed seconds from admission to end.
        var serviceSeconds = 0.02
        /// Since when the wait has been above the target without a break.
        var aboveSince: ContinuousClock.Instant?
        var isOverloaded = false
        var nextID = 0
        /// Cancelled before they were queued.
        var cancelled: Set<Int> = []

        var waiting: Int { queues.values.reduce(0) { $0 + $1.count } }
        /// The longest wait that is still good: as long as an answer takes, and at least ten milliseconds.
        var targetSeconds: Double { max(0.01, serviceSeconds) }
        func expectedWait(behind count: Int) -> Double { Double(count + 1) * serviceSeconds / limit.value }
    }

    static let interval = Duration.milliseconds(500)
    static let longestWaitUnderOverload = Duration.seconds(1)

    private let state: Mutex<State>
    private let queueLimit: Int
    private let event: Event?

    /// - Parameters:
    ///   - threads: that solve; never fewer requests than these are let in.
    ///   - queueLimit: most requests that wait.
    init(threads: Int, queueLimit: Int = 512, event: Event? = nil) {
        state = Mutex(State(limit: AdaptiveLimit(start: threads + 2, floor: threads, ceiling: 64)))
        self.queueLimit = queueLimit
        self.event = event
    }

    var load: Load {
        state.withLock {
            Load(running: $0.running, waiting: $0.waiting, limit: $0.limit.count, isOverloaded: $0.isOverloaded)
        }
    }

    /// Waits to be let in.
    /// - Parameter cost: estimated seconds of a core.
    func enter(tenant: UUID, cost: Double, deadline: ContinuousClock.Instant) async throws -> Ticket {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let result: Result<Ticket, Problem> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = ContinuousClock.now
                let answer: Result<Ticket, Problem>? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(Self.left) }
                    if state.running < state.limit.count, state.queues.isEmpty {
                        return .success(admit(&state, tenant, cost, now))
                    }
                    if let refusal = refusal(state, tenant, now, deadline) { return .failure(refusal) }
                    if state.used[tenant] == nil { state.used[tenant] = state.used.values.min() ?? 0 }
                    state.queues[tenant, default: []].append(
                        Waiter(id: id, cost: cost, since: now, deadline: deadline, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                for (tenant, queue) in state.queues {
                    guard let at = queue.firstIndex(where: { $0.id == id }) else { continue }
                    return Self.remove(at, of: tenant, &state)
                }
                state.cancelled.insert(id)
                return nil
            }
            waiter?.continuation.resume(returning: .failure(Self.left))
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        if case .failure(let problem) = result { event?.shed(problem.code) }
        return try result.get()
    }

    /// The request has ended.
    /// - Parameter solverWait: how long its solve waited for a thread; nil where it had none.
    func leave(_ ticket: Ticket, solverWait: Duration?) {
        let now = ContinuousClock.now
        let resumed = state.withLock { state in
            state.running -= 1
            let seconds = (now - ticket.since) / .seconds(1)
            state.serviceSeconds += 0.1 * (min(seconds, 10) - state.serviceSeconds)
            // What was estimated at the entrance, corrected by what it came to; never so far that it overtakes who waits already.
            let floor = state.queues.keys.compactMap { state.used[$0] }.min() ?? 0
            if let used = state.used[ticket.tenant] {
                state.used[ticket.tenant] = max(used + seconds - ticket.cost, min(used, floor))
            }
            if let solverWait { state.limit.observe(wait: solverWait, isWanted: !state.queues.isEmpty) }
            return admitWaiting(&state, now)
        }
        for (waiter, answer) in resumed { waiter.continuation.resume(returning: answer) }
    }

    // MARK: Rules

    private static let left = Problem(.draining, "The request was given up before it was let in.")

    private func admit(_ state: inout State, _ tenant: UUID, _ cost: Double, _ now: ContinuousClock.Instant) -> Ticket {
        state.running += 1
        state.used[tenant] = (state.used[tenant] ?? state.used.values.min() ?? 0) + cost
        return Ticket(tenant: tenant, cost: cost, since: now)
    }

    private func refusal(
        _ state: State, _ tenant: UUID, _ now: ContinuousClock.Instant, _ deadline: ContinuousClock.Instant
    ) -> Problem? {
        let waiting = state.waiting
        let expected = state.expectedWait(behind: waiting)
        let isFull = waiting >= queueLimit
        let isLate = now + .seconds(expected) > deadline
        let own = state.queues[tenant]?.count ?? 0
        let tenants = state.queues.count + (state.queues[tenant] == nil ? 1 : 0)
        // A tenant with nothing waiting takes its turn next, however long the others' queues are.
        let ownWait =
            tenants > 1 ? Double(own + 1) * Double(tenants) * state.serviceSeconds / state.limit.value : expected
        let isShed = state.isOverloaded && min(expected, ownWait) > state.targetSeconds
        guard isFull || isLate || isShed else { return nil }
        let seconds = max(1, min(30, Int(expected.rounded(.up))))
        if tenants > 1, own * tenants > max(waiting, tenants) {
            return Problem(
                .rateLimited, "\(own) requests of this tenant wait already, more than its part.", retryAfter: seconds)
        }
        return Problem(
            .overloaded, "\(waiting) requests wait already; about \(seconds) s until this one would be let in.",
            retryAfter: seconds)
    }

    private static func remove(_ at: Int, of tenant: UUID, _ state: inout State) -> Waiter? {
        guard var queue = state.queues[tenant], queue.indices.contains(at) else { return nil }
        let waiter = queue.remove(at: at)
        state.queues[tenant] = queue.isEmpty ? nil : queue
        return waiter
    }

    /// As many as there is room for, each of the tenant that has used least.
    private func admitWaiting(
        _ state: inout State, _ now: ContinuousClock.Instant
    ) -> [(Waiter, Result<Ticket, Problem>)] {
        var resumed: [(Waiter, Result<Ticket, Problem>)] = []
        while state.running < state.limit.count,
            let oldest = state.queues.values.compactMap({ $0.first?.since }).min(),
            let tenant = state.queues.keys.min(by: { state.used[$0] ?? 0 < state.used[$1] ?? 0 }),
            let count = state.queues[tenant]?.count,
            let waiter = Self.remove(state.isOverloaded ? count - 1 : 0, of: tenant, &state)
        {
            let waited = now - waiter.since
            if now >= waiter.deadline {
                resumed.append((waiter, .failure(Problem(.deadline, "The deadline passed while the request waited."))))
                continue
            }
            // By who has waited longest: the newest, who goes first under overload, has waited for nobody.
            judge(&state, now - oldest, now)
            if state.isOverloaded, waited > max(Self.longestWaitUnderOverload, .seconds(10 * state.serviceSeconds)) {
                resumed.append(
                    (waiter, .failure(Problem(.overloaded, "The request waited too long to be let in.", retryAfter: 1)))
                )
                continue
            }
            resumed.append((waiter, .success(admit(&state, tenant, waiter.cost, now))))
        }
        if state.queues.isEmpty {
            state.isOverloaded = false
            state.aboveSince = nil
            // Nobody competes: accounts begin anew.
            if state.running == 0 { state.used = [:] }
        }
        return resumed
    }

    /// Whether the queue stands.
    private func judge(_ state: inout State, _ waited: Duration, _ now: ContinuousClock.Instant) {
        if waited <= .seconds(state.targetSeconds) {
            state.aboveSince = nil
            state.isOverloaded = false
        } else if let since = state.aboveSince {
            if now - since > Self.interval { state.isOverloaded = true }
        } else {
            state.aboveSince = now
        }
    }
}
