import Foundation
import ServiceKit
import Synchronization
import WireFormat

/// Lets requests in, no more at a time than the service finishes quickly; the rest wait in a short queue or are refused at once.
///
/// - Tenants take turns by what they have cost (stride scheduling), so that one that sends a hundred times as much waits for itself; beside one that has
///   had more than its part, a tenant's first request is let in at once.
/// - A burst may queue. A queue that stands, whose wait stays above the target for half a second, means overload: then whoever comes while a few wait is
///   refused at once, and what has waited a second, or ten times what an answer takes, as well. So nobody waits long to be refused, and what is let in is
///   answered nearly as fast as without load. Overload is over half a second after the last refusal. Source: Nichols and Jacobson, CoDel, 2012.
/// - A request that could not be let in before its deadline is refused at once.
/// - What those who are let in are foreseen to take of memory stays within a budget.
/// - A solve that turns out to be long is set aside: it goes on at a lower priority and its place is free for others.
///
/// Refusals are 503 `SYS-101` for load that all share, and 429 `LIM-001` for a tenant that fills more than its part of the queue while
/// others wait; both say when to come back.
final class AdmissionGate: Sendable {
    /// What a request holds from its admission to its end.
    struct Ticket: Sendable {
        fileprivate var id: Int
        fileprivate var tenant: UUID
        fileprivate var cost: Double
        fileprivate var bytes: Int
        fileprivate var since: ContinuousClock.Instant
        /// Its tenant has had more than its part: its solve goes behind the others'.
        fileprivate(set) var isExcess: Bool
    }

    /// How the gate stands, for metrics.
    struct Load: Sendable {
        var running: Int
        var waiting: Int
        var limit: Int
        var isOverloaded: Bool
        /// That those who run are foreseen to take.
        var bytes: Int
    }

    private struct Waiter {
        var id: Int
        var cost: Double
        var bytes: Int
        var since: ContinuousClock.Instant
        var deadline: ContinuousClock.Instant
        var continuation: CheckedContinuation<Result<Ticket, Problem>, Never>
    }

    private struct State {
        var limit: AdaptiveLimit
        /// Let in and not set aside.
        var running = 0
        /// Of all who are let in.
        var bytes = 0
        let memory: MemoryBudget
        var runningOf: [UUID: Int] = [:]
        var aside: Set<Int> = []
        var queues: [UUID: [Waiter]] = [:]
        var waiting = 0
        /// What each tenant has used, in seconds, from a common start: the lowest goes next.
        var used: [UUID: Double] = [:]
        var shares = TenantShares()
        /// Smoothed seconds from admission to end.
        var serviceSeconds = 0.02
        /// Since when the wait has been above the target without a break.
        var aboveSince: ContinuousClock.Instant?
        var isOverloaded = false
        var lastRefusal: ContinuousClock.Instant?
        /// When requests were let pass on arrival that have not come to the gate yet.
        var underWay: [ContinuousClock.Instant] = []
        var nextID = 0
        /// Cancelled before they were queued.
        var cancelled: Set<Int> = []

        /// The longest wait that is still good: as long as an answer takes, and at least ten milliseconds.
        var targetSeconds: Double { max(0.01, serviceSeconds) }
        /// How many may wait under overload: as many as leave while one comes from its arrival to the gate, so that no place stays empty; none where an
        /// answer takes much longer than that, for there each who waits makes all answers later.
        var waitingUnderOverload: Int { Int((limit.value * AdmissionGate.way / serviceSeconds).rounded()) }
        /// Whether so much memory is free, or all of it.
        func hasMemory(for wanted: Int) -> Bool { bytes == 0 || wanted <= memory.bytes - bytes }
        func expectedWait(behind count: Int) -> Double { Double(count + 1) * serviceSeconds / limit.value }

        mutating func count(_ tenant: UUID, _ change: Int) {
            running += change
            let own = (runningOf[tenant] ?? 0) + change
            runningOf[tenant] = own > 0 ? own : nil
        }
    }

    static let interval = Duration.milliseconds(500)
    static let longestWaitUnderOverload = Duration.seconds(1)
    static let keptAtOverload = 16
    /// Seconds from a request's arrival to the gate.
    static let way = 0.001
    static let longestWay = Duration.milliseconds(50)

    private let state: Mutex<State>
    private let queueLimit: Int
    private let event: Event?

    /// - Parameters:
    ///   - threads: that solve; never fewer requests than these and one that is loading are let in.
    ///   - queueLimit: most requests that wait.
    ///   - memory: that those who are let in may take together.
    init(threads: Int, queueLimit: Int = 512, memory: MemoryBudget = .unlimited, event: Event? = nil) {
        state = Mutex(State(limit: AdaptiveLimit(start: threads + 2, floor: threads + 1, ceiling: 64), memory: memory))
        self.queueLimit = queueLimit
        self.event = event
    }

    var load: Load {
        let now = ContinuousClock.now
        return state.withLock { state in
            Self.endOverload(&state, now)
            return Load(
                running: state.running + state.aside.count, waiting: state.waiting, limit: state.limit.count,
                isOverloaded: state.isOverloaded, bytes: state.bytes)
        }
    }

    /// Whether a request might be refused now.
    var isShedding: Bool { state.withLock { $0.isOverloaded || $0.waiting >= queueLimit } }

    /// The refusal of a request that has just come; nil for one that may go on to the gate, where it is counted as if it waited there already: under
    /// overload hundreds come in the time that one takes to get there.
    func refusalOnArrival(tenant: UUID, deadline: ContinuousClock.Instant) -> AdmissionRefusal? {
        let now = ContinuousClock.now
        let found = state.withLock { state -> AdmissionRefusal? in
            state.shares.charge(tenant, 0, now)
            // Not all who pass come to the gate.
            state.underWay.removeAll { now - $0 > Self.longestWay }
            let ahead = state.waiting + state.underWay.count
            let hasRoom = state.waiting == 0 && state.running + state.underWay.count < state.limit.count
            if !hasRoom, !Self.isOwed(state, tenant, now),
                let refusal = refusal(&state, tenant, now, deadline, waiting: ahead)
            {
                return refusal
            }
            state.underWay.append(now)
            return nil
        }
        if let found { event?.shed(found.cause) }
        return found
    }

    /// The refusal that a request of the tenant would meet now, so that nothing need be done for it; nil where it would be let in or queued.
    func refusal(tenant: UUID, deadline: ContinuousClock.Instant) -> Problem? {
        let now = ContinuousClock.now
        let found = state.withLock { state -> AdmissionRefusal? in
            state.shares.charge(tenant, 0, now)
            if Self.hasRoom(state, tenant, 0, now) { return nil }
            let refusal = refusal(&state, tenant, now, deadline, waiting: state.waiting)
            if refusal != nil, !state.underWay.isEmpty { state.underWay.removeFirst() }
            return refusal
        }
        if let found { event?.shed(found.cause) }
        return found?.problem
    }

    /// Waits to be let in.
    /// - Parameters:
    ///   - cost: estimated seconds of a core.
    ///   - bytes: estimated memory.
    func enter(tenant: UUID, cost: Double, bytes: Int = 0, deadline: ContinuousClock.Instant) async throws -> Ticket {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let result: Result<Ticket, Problem> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = ContinuousClock.now
                let answer: Result<Ticket, Problem>? = state.withLock { state in
                    if !state.underWay.isEmpty { state.underWay.removeFirst() }
                    if state.cancelled.remove(id) != nil { return .failure(Self.left) }
                    // Who asks is active, and has a part.
                    state.shares.charge(tenant, 0, now)
                    if Self.hasRoom(state, tenant, bytes, now) {
                        return .success(Self.admit(&state, id, tenant, cost, bytes, now))
                    }
                    if let refusal = refusal(&state, tenant, now, deadline, waiting: state.waiting) {
                        return .failure(refusal.problem)
                    }
                    if state.used[tenant] == nil { state.used[tenant] = state.used.values.min() ?? 0 }
                    state.waiting += 1
                    state.queues[tenant, default: []].append(
                        Waiter(
                            id: id, cost: cost, bytes: bytes, since: now, deadline: deadline,
                            continuation: continuation))
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
        if case .failure(let problem) = result {
            event?.shed(
                problem.code == ProblemCode.rateLimited.rawValue
                    ? .part : problem.code == ProblemCode.overloaded.rawValue ? .load : nil)
        }
        return try result.get()
    }

    /// The request's solve has turned out to be long: its place goes to another.
    func setAside(_ ticket: Ticket) {
        let now = ContinuousClock.now
        let resumed = state.withLock { state -> [(Waiter, Result<Ticket, Problem>)] in
            guard state.aside.insert(ticket.id).inserted else { return [] }
            state.count(ticket.tenant, -1)
            return admitWaiting(&state, now)
        }
        for (waiter, answer) in resumed { waiter.continuation.resume(returning: answer) }
    }

    /// The request has ended.
    /// - Parameter solverWait: how long its solve waited for a thread; nil where it had none.
    func leave(_ ticket: Ticket, solverWait: Duration?) {
        let now = ContinuousClock.now
        let resumed = state.withLock { state in
            let elapsed = now - ticket.since
            let seconds = elapsed / .seconds(1)
            state.bytes -= ticket.bytes
            state.shares.charge(ticket.tenant, seconds - ticket.cost, now)
            // What was estimated at the entrance, corrected by what it came to; never so far that it overtakes who waits already.
            let floor = state.queues.keys.compactMap { state.used[$0] }.min() ?? 0
            if let used = state.used[ticket.tenant] {
                state.used[ticket.tenant] = max(used + seconds - ticket.cost, min(used, floor))
            }
            if state.aside.remove(ticket.id) == nil {
                state.count(ticket.tenant, -1)
                state.serviceSeconds += 0.1 * (min(seconds, 10) - state.serviceSeconds)
                if let solverWait {
                    state.limit.observe(wait: solverWait, service: elapsed, isWanted: state.waiting > 0)
                }
            }
            return admitWaiting(&state, now)
        }
        for (waiter, answer) in resumed { waiter.continuation.resume(returning: answer) }
    }

    // MARK: Rules

    private static let left = Problem(.draining, "The request was given up before it was let in.")

    private static func hasRoom(
        _ state: State, _ tenant: UUID, _ bytes: Int, _ now: ContinuousClock.Instant
    ) -> Bool {
        guard state.hasMemory(for: bytes) else { return false }
        if state.running < state.limit.count, state.waiting == 0 { return true }
        return state.running < 2 * state.limit.count && isOwed(state, tenant, now)
    }

    /// Whether places are taken by tenants that have had more than their part, and this one has not: then it need not wait for them.
    private static func isOwed(_ state: State, _ tenant: UUID, _ now: ContinuousClock.Instant) -> Bool {
        state.runningOf[tenant] == nil && state.queues[tenant] == nil
            && state.runningOf.keys.contains { state.shares.isExcess($0, now) }
            && !state.shares.isExcess(tenant, now)
    }

    private static func admit(
        _ state: inout State, _ id: Int, _ tenant: UUID, _ cost: Double, _ bytes: Int,
        _ now: ContinuousClock.Instant
    ) -> Ticket {
        state.count(tenant, 1)
        state.bytes += bytes
        state.used[tenant] = (state.used[tenant] ?? state.used.values.min() ?? 0) + cost
        state.shares.charge(tenant, cost, now)
        return Ticket(
            id: id, tenant: tenant, cost: cost, bytes: bytes, since: now, isExcess: state.shares.isExcess(tenant, now))
    }

    private func refusal(
        _ state: inout State, _ tenant: UUID, _ now: ContinuousClock.Instant, _ deadline: ContinuousClock.Instant,
        waiting: Int
    ) -> AdmissionRefusal? {
        Self.endOverload(&state, now)
        let expected = state.expectedWait(behind: waiting)
        let isFull = waiting >= queueLimit
        let isLate = now + .seconds(expected) > deadline
        let own = state.queues[tenant]?.count ?? 0
        let tenants = state.queues.count + (own == 0 ? 1 : 0)
        // A tenant with nothing waiting takes its turn next, however long the others' queues are.
        let isShed =
            state.isOverloaded && waiting >= state.waitingUnderOverload && !(tenants > 1 && own == 0)
        guard isFull || isLate || isShed else { return nil }
        if isShed { state.lastRefusal = now }
        let isPart = tenants > 1 && own * tenants > max(waiting, tenants)
        return AdmissionRefusal(isPart ? .part : .load, expected: expected)
    }

    private static func remove(_ at: Int, of tenant: UUID, _ state: inout State) -> Waiter? {
        guard var queue = state.queues[tenant], queue.indices.contains(at) else { return nil }
        let waiter = queue.remove(at: at)
        state.queues[tenant] = queue.isEmpty ? nil : queue
        state.waiting -= 1
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
            // Whose turn it is waits for its memory, else what is large would never have its turn.
            state.hasMemory(for: state.queues[tenant]?.first?.bytes ?? 0)
        {
            if !state.isOverloaded, judge(&state, now - oldest, now) {
                resumed += shed(&state, now)
            }
            guard let waiter = Self.remove(0, of: tenant, &state) else { break }
            if now >= waiter.deadline {
                resumed.append((waiter, .failure(Problem(.deadline, "The deadline passed while the request waited."))))
                continue
            }
            // Of the burst that was let queue before.
            if state.isOverloaded,
                now - waiter.since > max(Self.longestWaitUnderOverload, .seconds(10 * state.serviceSeconds))
            {
                resumed.append(
                    (waiter, .failure(Problem(.overloaded, "The request waited too long to be let in.", retryAfter: 1)))
                )
                continue
            }
            let ticket = Self.admit(&state, waiter.id, tenant, waiter.cost, waiter.bytes, now)
            resumed.append((waiter, .success(ticket)))
        }
        if state.queues.isEmpty {
            state.aboveSince = nil
            // Nobody competes: accounts begin anew.
            if state.running == 0 { state.used = [:] }
        }
        return resumed
    }

    /// Overload begins: of the burst that was let queue the newest few are still in time, the others have waited in vain. Each tenant keeps one.
    private func shed(_ state: inout State, _ now: ContinuousClock.Instant) -> [(Waiter, Result<Ticket, Problem>)] {
        state.isOverloaded = true
        state.lastRefusal = now
        let kept = max(1, Self.keptAtOverload / max(1, state.queues.count))
        var refused: [(Waiter, Result<Ticket, Problem>)] = []
        for (tenant, queue) in state.queues where queue.count > kept {
            for _ in kept..<queue.count {
                guard let waiter = Self.remove(0, of: tenant, &state) else { break }
                refused.append(
                    (waiter, .failure(Problem(.overloaded, "The request waited too long to be let in.", retryAfter: 1)))
                )
            }
        }
        return refused
    }

    /// Whether the queue stands.
    private func judge(_ state: inout State, _ waited: Duration, _ now: ContinuousClock.Instant) -> Bool {
        guard waited > .seconds(state.targetSeconds) else {
            state.aboveSince = nil
            return false
        }
        guard let since = state.aboveSince else {
            state.aboveSince = now
            return false
        }
        return now - since > Self.interval
    }

    private static func endOverload(_ state: inout State, _ now: ContinuousClock.Instant) {
        guard state.isOverloaded, let last = state.lastRefusal, now - last > interval else { return }
        state.isOverloaded = false
        state.aboveSince = nil
    }
}
