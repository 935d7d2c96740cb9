import ConvexSolver
import Foundation
import HTTPTypes
import ServiceKit
import Synchronization
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Admission", .timeLimit(.minutes(1)))
struct AdmissionTests {
    private let tenant = UUID()
    private var soon: ContinuousClock.Instant { .now + .seconds(30) }

    private func until(_ gate: AdmissionGate, _ holds: (AdmissionGate.Load) -> Bool) async throws {
        try await eventually { holds(gate.load) }
    }

    @Test("as many as the limit are let in, the rest in turn; leaving lets the next in")
    func order() async throws {
        let gate = AdmissionGate(threads: 1)
        var tickets: [AdmissionGate.Ticket] = []
        for _ in 0..<3 { tickets.append(try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon)) }
        let entered = Locked<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for n in 0..<5 {
                group.addTask {
                    let ticket = try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon)
                    entered.withLock { $0.append(n) }
                    gate.leave(ticket, solverWait: nil)
                }
                try await until(gate) { $0.waiting == n + 1 }
            }
            // One place, handed on from one to the next: two let in at once would tell of themselves in any order.
            gate.leave(tickets[0], solverWait: nil)
            try await group.waitForAll()
        }
        for ticket in tickets.dropFirst() { gate.leave(ticket, solverWait: nil) }
        #expect(entered.withLock { $0 } == [0, 1, 2, 3, 4])
        #expect(gate.load.running == 0 && gate.load.waiting == 0)
    }

    @Test("one tenant's hundred do not stand before another's one")
    func fairness() async throws {
        let gate = AdmissionGate(threads: 1)
        let (greedy, modest) = (UUID(), UUID())
        var held: [AdmissionGate.Ticket] = []
        for _ in 0..<3 { held.append(try await gate.enter(tenant: greedy, cost: 1, deadline: soon)) }
        let entered = Locked<[UUID]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for n in 0..<101 {
                let who = n == 100 ? modest : greedy
                group.addTask {
                    let ticket = try await gate.enter(tenant: who, cost: 1, deadline: soon)
                    entered.withLock { $0.append(who) }
                    gate.leave(ticket, solverWait: nil)
                }
                // The modest one does not even wait.
                if n < 100 { try await until(gate) { $0.waiting == n + 1 } }
            }
            try await eventually { entered.withLock { !$0.isEmpty } }
            #expect(entered.withLock { $0 } == [modest])
            for ticket in held { gate.leave(ticket, solverWait: nil) }
            try await group.waitForAll()
        }
    }

    @Test("a tenant that has had more than its part is told so while others ask, and not when it is alone")
    func excess() async throws {
        let gate = AdmissionGate(threads: 1)
        let (greedy, modest) = (UUID(), UUID())
        let alone = try await gate.enter(tenant: greedy, cost: 2, deadline: soon)
        #expect(!alone.isExcess)
        let other = try await gate.enter(tenant: modest, cost: 0.01, deadline: soon)
        #expect(!other.isExcess)
        let beside = try await gate.enter(tenant: greedy, cost: 2, deadline: soon)
        #expect(beside.isExcess && beside.lane(.request) == .excess && beside.lane(.long) == .long)
        for ticket in [alone, other, beside] { gate.leave(ticket, solverWait: nil) }
        #expect(gate.load.running == 0)
    }

    @Test("the place of a request that is set aside is free at once, and is not given back twice")
    func setAside() async throws {
        let gate = AdmissionGate(threads: 1)
        var held: [AdmissionGate.Ticket] = []
        for _ in 0..<3 { held.append(try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon)) }
        let waiting = Task { try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon) }
        try await until(gate) { $0.waiting == 1 }
        gate.setAside(held[0])
        gate.setAside(held[0])
        let fourth = try await waiting.value
        #expect(gate.load.running == 4)
        #expect(gate.load.waiting == 0)
        for ticket in held + [fourth] { gate.leave(ticket, solverWait: nil) }
        #expect(gate.load.running == 0)
        for _ in 0..<3 { _ = try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon) }
        #expect(gate.refusal(tenant: tenant, deadline: .now)?.code == "SYS-101")
        #expect(gate.refusal(tenant: tenant, deadline: soon) == nil)
    }

    @Test("what has passed on arrival counts as waiting until it comes, or for as long as the way takes")
    func arrivals() async throws {
        let gate = AdmissionGate(threads: 1, queueLimit: 2)
        var held: [AdmissionGate.Ticket] = []
        for _ in 0..<3 { held.append(try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon)) }
        #expect(gate.refusalOnArrival(tenant: tenant, deadline: soon) == nil)
        #expect(gate.refusalOnArrival(tenant: tenant, deadline: soon) == nil)
        #expect(gate.refusal(tenant: tenant, deadline: soon) == nil, "nobody waits yet")
        // A machine may take longer than the way for these lines, but not for three in a row each time.
        try await eventually {
            for _ in 0..<2 { _ = gate.refusalOnArrival(tenant: tenant, deadline: soon) }
            return gate.refusalOnArrival(tenant: tenant, deadline: soon)?.problem.code == "SYS-101"
        }
        try await Task.sleep(for: AdmissionGate.longestWay * 2)  // what did not come is forgotten by then
        #expect(gate.refusalOnArrival(tenant: tenant, deadline: soon) == nil)
        let waiting = Task { try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon) }
        try await until(gate) { $0.waiting == 1 }
        gate.leave(held.removeFirst(), solverWait: nil)
        held.append(try await waiting.value)
        for ticket in held { gate.leave(ticket, solverWait: nil) }
        #expect(gate.load.running == 0)
    }

    @Test("those who are let in stay within the budget of memory; what would not fit alone is refused")
    func memory() async throws {
        let budget = MemoryBudget(bytes: 100)
        let gate = AdmissionGate(threads: 8, memory: budget)
        let first = try await gate.enter(tenant: tenant, cost: 0.01, bytes: 60, deadline: soon)
        let small = try await gate.enter(tenant: tenant, cost: 0.01, bytes: 40, deadline: soon)
        #expect(gate.load.bytes == 100)
        let waiting = Task { try await gate.enter(tenant: tenant, cost: 0.01, bytes: 70, deadline: soon) }
        try await until(gate) { $0.waiting == 1 }
        gate.leave(small, solverWait: nil)
        #expect(gate.load.waiting == 1, "60 of 100 are taken")
        gate.leave(first, solverWait: nil)
        gate.leave(try await waiting.value, solverWait: nil)
        #expect(gate.load.bytes == 0 && gate.load.running == 0)
        #expect(throws: Never.self) { try budget.check(100) }
        #expect(throws: Problem.self) { try budget.check(101) }
        // 4 panels and 10 matrices of assets by assets, and a megabyte.
        #expect(MemoryBudget.bytes(assets: 100, observations: 1000) == 8 * (400_000 + 100_000) + 1_000_000)
        #expect(MemoryBudget.bytes(assets: .max, observations: .max) > 0)
        #expect(MemoryBudget(megabytes: 3).bytes == 3 << 20 && MemoryBudget(megabytes: 0).bytes > 1 << 20)
    }

    @Test("a full queue, and a deadline that cannot be met, are refused at once")
    func refusals() async throws {
        let gate = AdmissionGate(threads: 1, queueLimit: 2)
        var held: [AdmissionGate.Ticket] = []
        for _ in 0..<3 { held.append(try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon)) }
        let late = await #expect(throws: Problem.self) {
            try await gate.enter(tenant: tenant, cost: 0.01, deadline: .now)
        }
        #expect(late?.code == "SYS-101" && late?.retryAfter ?? 0 >= 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for n in 0..<2 {
                group.addTask {
                    gate.leave(try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon), solverWait: nil)
                }
                try await until(gate) { $0.waiting == n + 1 }
            }
            let full = await #expect(throws: Problem.self) {
                try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon)
            }
            #expect(full?.code == "SYS-101")
            // Another tenant's: the queue is full all the same, but the one that fills it is told that it is its own doing.
            let other = await #expect(throws: Problem.self) {
                try await gate.enter(tenant: UUID(), cost: 0.01, deadline: soon)
            }
            #expect(other?.code == "SYS-101")
            for ticket in held { gate.leave(ticket, solverWait: nil) }
            try await group.waitForAll()
        }
    }

    @Test("who leaves the queue is forgotten, before and while it waits")
    func cancellation() async throws {
        let gate = AdmissionGate(threads: 1)
        var held: [AdmissionGate.Ticket] = []
        for _ in 0..<3 { held.append(try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon)) }
        let waiting = Task { try await gate.enter(tenant: tenant, cost: 0.01, deadline: soon) }
        try await until(gate) { $0.waiting == 1 }
        waiting.cancel()
        await #expect(throws: Problem.self) { try await waiting.value }
        #expect(gate.load.waiting == 0)
        for ticket in held { gate.leave(ticket, solverWait: nil) }
        #expect(gate.load.running == 0)
        // A thousand at once, half of which leave: the counts come out even.
        await withTaskGroup(of: Void.self) { group in
            for n in 0..<1000 {
                group.addTask {
                    let task = Task {
                        try await gate.enter(tenant: n.isMultiple(of: 3) ? tenant : UUID(), cost: 0.001, deadline: soon)
                    }
                    if n.isMultiple(of: 2) { task.cancel() }
                    if let ticket = try? await task.value { gate.leave(ticket, solverWait: .zero) }
                }
            }
        }
        #expect(gate.load.running == 0 && gate.load.waiting == 0)
    }

    @Test(
        "a queue that stands is overload: then what cannot be let in soon is refused at once, until nothing was for half a second"
    )
    func overload() async throws {
        let gate = AdmissionGate(threads: 1)
        let refused = Locked(0)
        let slowest = Locked(Duration.zero)
        let end = ContinuousClock.now + .seconds(3)
        await withTaskGroup(of: Void.self) { group in
            // Fifty callers at a time for a service that takes three at twenty milliseconds each: the sleeps are the service and its callers' pause.
            for _ in 0..<50 {
                group.addTask {
                    while ContinuousClock.now < end {
                        let start = ContinuousClock.now
                        if let ticket = try? await gate.enter(tenant: tenant, cost: 0.02, deadline: soon) {
                            try? await Task.sleep(for: .milliseconds(20))
                            gate.leave(ticket, solverWait: .milliseconds(10))
                        } else {
                            let elapsed = ContinuousClock.now - start
                            refused.withLock { $0 += 1 }
                            slowest.withLock { $0 = max($0, elapsed) }
                            try? await Task.sleep(for: .milliseconds(20))
                        }
                    }
                }
            }
        }
        #expect(refused.withLock { $0 } > 50)
        #expect(gate.load.waiting == 0)
        try await eventually { !gate.load.isOverloaded }
        gate.leave(try await gate.enter(tenant: tenant, cost: 0.02, deadline: soon), solverWait: nil)
    }

    @Test(
        "the limit grows while solves begin at once and shrinks when a large part of an answer's time is waiting, within its bounds"
    )
    func limit() {
        var limit = AdaptiveLimit(start: 3, floor: 2, ceiling: 8)
        func observe(_ wait: Int, _ service: Int, wanted: Bool, times: Int) {
            for _ in 0..<times {
                limit.observe(wait: .milliseconds(wait), service: .milliseconds(service), isWanted: wanted)
            }
        }
        observe(1, 20, wanted: false, times: 5)
        #expect(limit.count == 3)
        observe(1, 20, wanted: true, times: 100)
        #expect(limit.count == 8)
        // The threads are busy, and no long line stands before them.
        observe(2, 10, wanted: true, times: 10)
        #expect(limit.count == 8)
        observe(5, 10, wanted: true, times: 100)
        #expect(limit.count == 2)
        // What takes no time waits for none.
        observe(0, 0, wanted: true, times: 100)
        #expect(limit.count == 8)
    }
}
