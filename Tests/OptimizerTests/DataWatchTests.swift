import Foundation
import PostgresClient
import TestSupport
import Testing

@testable import Optimizer

@Suite("Data watch", .timeLimit(.minutes(2)))
struct DataWatchTests {
    private let tenant = UUID()

    private func marks(_ watch: DataWatch, callers: Int) async throws -> Set<UInt64> {
        try await withThrowingTaskGroup(of: UInt64.self) { group in
            for _ in 0..<callers { group.addTask { try await watch.mark(for: tenant).data } }
            return try await group.reduce(into: []) { $0.insert($1) }
        }
    }

    @Test("whoever comes after a change sees it, however many ask at the same time and share their questions")
    func changes() async throws {
        try await ServiceUnderTest.with { service in
            try await service.writePrices(["AAA"], days: 5)
            let watch = DataWatch(service.optimizer.pool)
            var before = try await watch.mark(for: tenant).data
            for round in 1...8 {
                // Callers of before the change keep the questions busy, and may see either.
                async let early = marks(watch, callers: 12)
                try await service.admin.execute("UPDATE public.market_data SET price = price + \(Int64(round))")
                let after = try await marks(watch, callers: 24)
                #expect(after.allSatisfy { $0 > before }, "round \(round)")
                _ = try await early
                // Nothing has changed since: all see the same.
                let still = try await marks(watch, callers: 24)
                let now = try await watch.mark(for: tenant).data
                #expect(still == [now])
                before = now
            }
        }
    }

    @Test("a caller who leaves takes nobody with it")
    func leaving() async throws {
        try await ServiceUnderTest.with { service in
            let watch = DataWatch(service.optimizer.pool)
            _ = try await watch.mark(for: tenant)
            for _ in 0..<20 {
                let callers = (0..<40).map { n in
                    (leaves: n % 3 != 0, task: Task { try await watch.mark(for: tenant).data })
                }
                await Task.yield()
                for caller in callers where caller.leaves { caller.task.cancel() }
                for caller in callers where !caller.leaves { _ = try await caller.task.value }
                for caller in callers { _ = await caller.task.result }
            }
            // None of them is waited for any more.
            #expect(try await marks(watch, callers: 12).count == 1)
        }
    }
}
