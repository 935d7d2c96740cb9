import ConvexSolver
import Foundation
import HTTPTypes
import ServiceKit
import Synchronization
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Single flight", .timeLimit(.minutes(1)))
struct SingleFlightTests {
    @Test("equal work is done once, whoever waits for it")
    func once() async throws {
        let flights = SingleFlight<String, Int>()
        let runs = Locked(0)
        let (go, open) = AsyncStream.makeStream(of: Void.self)
        let results = try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let found = try await flights.value(for: "a") { _, _ in
                        runs.withLock { $0 += 1 }
                        for await _ in go { break }
                        return 7
                    }
                    return (found.value, found.isShared)
                }
            }
            try await eventually { flights.waiting(for: "a") == 50 }
            open.yield()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(runs.withLock { $0 } == 1)
        #expect(results.allSatisfy { $0.0 == 7 } && results.count(where: { !$0.1 }) == 1)
        #expect(flights.count == 0)
    }

    @Test("the first may leave: the work goes on for the others, and stops with the last")
    func leaving() async throws {
        let flights = SingleFlight<String, Int>()
        let flags = Locked<[CancellationFlag]>([])
        let cancelled = Locked(0)
        let (go, open) = AsyncStream.makeStream(of: Void.self)
        func join() -> Task<Int, any Error> {
            Task {
                try await flights.value(for: "a") { flag, _ in
                    flags.withLock { $0.append(flag) }
                    for await _ in go { break }
                    if Task.isCancelled { cancelled.withLock { $0 += 1 } }
                    return 1
                }.value
            }
        }
        let first = join()
        try await eventually { flags.withLock { !$0.isEmpty } }
        let second = join()
        try await eventually { flights.waiting(for: "a") == 2 }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        #expect(flags.withLock { $0.first?.isCancelled } == false)
        open.yield()
        #expect(try await second.value == 1 && cancelled.withLock { $0 } == 0)
        let third = join()
        try await eventually { flags.withLock { $0.count } == 2 }
        third.cancel()
        await #expect(throws: CancellationError.self) { try await third.value }
        #expect(flags.withLock { $0.last?.isCancelled } == true)
        try await eventually { cancelled.withLock { $0 } == 1 }
        #expect(flights.count == 0)
    }

    @Test("an error is everybody's, and the next call tries afresh")
    func errors() async throws {
        let flights = SingleFlight<Int, Int>()
        let refused = Task { try await flights.value(for: 1) { _, _ in throw Problem(.unstable, "No.") }.value }
        await #expect(throws: Problem.self) { _ = try await refused.value }
        let fresh = try await flights.value(for: 1) { _, _ in 3 }
        #expect(fresh.value == 3 && !fresh.isShared)
    }

    @Test("equal requests at the same time are one solve")
    func requests() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA", "BBB", "CCC"])
            let body: JSONValue = ["assets": ["AAA", "BBB", "CCC"], "objective": "MinRisk", "store": false]
            let answers = try await withThrowingTaskGroup(of: JSONValue?.self) { group in
                for _ in 0..<16 {
                    group.addTask { try await service.call(.post, "/api/portfolio/optimize", body).json }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers.map { $0?["weights"]?.serialized() ?? "" }).count == 1)
            #expect(answers.count(where: { $0?["meta"]?["cached"] == false }) == 1)
            let metrics = await service.registry.text()
            #expect(metrics.contains("optimizer_cache_misses_total 1"))
            #expect(metrics.contains("optimizer_panel_seconds_count 1\n"), "the prices are read once as well")
        }
    }

    /// A key that cancels the task that looks it up: between its arrival and its wait, where no other way leads.
    private struct CancellingKey: Hashable {
        var name: String
        var cancels: Bool

        static func == (a: Self, b: Self) -> Bool { a.name == b.name }
        func hash(into hasher: inout Hasher) {
            if cancels { withUnsafeCurrentTask { task in task?.cancel() } }
            hasher.combine(name)
        }
    }

    @Test("who leaves before it waits leaves no work behind that nobody begins")
    func leavesBeforeWaiting() async throws {
        let flights = SingleFlight<CancellingKey, Int>()
        let left = Task { try await flights.value(for: CancellingKey(name: "a", cancels: true)) { _, _ in 1 } }
        await #expect(throws: CancellationError.self) { try await left.value }
        #expect(flights.count == 0)
        let next = try await flights.value(for: CancellingKey(name: "a", cancels: false)) { _, _ in 2 }
        #expect(next.value == 2 && !next.isShared)
    }
}
