import ConvexSolver
import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

@Suite("Solver pool", .timeLimit(.minutes(1)))
struct SolverPoolTests {
    @Test("the queue is bounded: one more is refused with 503")
    func bounded() async throws {
        // A lane whose solves do not make way: the bound is every lane's.
        let pool = SolverPool(threads: 1, queueLimit: 1)
        defer { pool.stop() }
        let (running, began) = (DispatchSemaphore(value: 0), AsyncStream.makeStream(of: Void.self))
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try await pool.solve(lane: .batch, deadline: .none) { () throws(Problem) in
                    began.continuation.yield()
                    running.wait()
                    return 1
                }
            }
            var begun = began.stream.makeAsyncIterator()
            await begun.next()
            group.addTask { try await pool.solve(lane: .batch, deadline: .none) { () throws(Problem) in 2 } }
            while pool.load.waiting == 0 { await Task.yield() }
            let problem = await #expect(throws: Problem.self) {
                try await pool.solve(lane: .batch, deadline: .none) { () throws(Problem) in 3 }
            }
            #expect(problem?.status == 503)
            #expect(problem?.code == "SYS-101")
            running.signal()
            var answers: [Int] = []
            for try await answer in group { answers.append(answer) }
            #expect(answers.sorted() == [1, 2])
        }
    }

    #if os(Linux)
    @Test("the system shows the names of its threads", arguments: [SolverPool.Lane.request, .excess, .batch])
    func names(lane: SolverPool.Lane) async throws {
        let pool = SolverPool(threads: 1)
        defer { pool.stop() }
        let name = try await pool.solve(lane: lane, deadline: .none) { () throws(Problem) in
            (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
        }
        let wanted: [SolverPool.Lane: String] = [
            .request: "solver-0", .excess: "solver-excess-0", .batch: "solver-batch-0",
        ]
        #expect(name == wanted[lane].map { $0 + "\n" })
    }
    #endif

    @Test("cancelling the task raises the flag that the solve polls")
    func cancellation() async throws {
        let pool = SolverPool(threads: 1)
        defer { pool.stop() }
        let deadline = SolverDeadline(flag: CancellationFlag())
        let (stream, began) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await pool.solve(lane: .recalculation, deadline: deadline) { () throws(Problem) -> Int in
                began.yield()
                while deadline.interruption == nil {}
                throw Problem(.deadline, "stopped")
            }
        }
        var begun = stream.makeAsyncIterator()
        await begun.next()
        task.cancel()
        await #expect(throws: Problem.self) { try await task.value }
    }

    @Test("a lane that is full stops no other, and each runs at its own priority")
    func lanes() async throws {
        let pool = SolverPool(threads: 1)
        defer { pool.stop() }
        let (hold, began) = (DispatchSemaphore(value: 0), AsyncStream.makeStream(of: Void.self))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in [SolverPool.Lane.recalculation, .batch] {
                group.addTask {
                    _ = try await pool.solve(lane: lane, deadline: .none) { () throws(Problem) in
                        began.continuation.yield()
                        hold.wait()
                        return 0
                    }
                }
            }
            var begun = began.stream.makeAsyncIterator()
            await begun.next()
            await begun.next()
            let niceness = try await pool.solve(lane: .request, deadline: .none) { () throws(Problem) in
                getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
            }
            hold.signal()
            hold.signal()
            try await group.waitForAll()
            for (lane, least) in [(SolverPool.Lane.recalculation, niceness + 6), (.batch, niceness + 9)] {
                let own = try await pool.solve(lane: lane, deadline: .none) { () throws(Problem) in
                    getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
                }
                #expect(own == min(least, 19))
            }
        }
    }

    @Test("a solve that turns out to be long makes way: its priority falls, and the next one's thread is another")
    func makesWay() async throws {
        let pool = SolverPool(threads: 1)
        defer { pool.stop() }
        @Sendable func niceness() -> Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }
        let flag = CancellationFlag()
        let (told, tell) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let (before, after) = try await pool.solve(
                    lane: .request, deadline: .none, onLong: { tell.yield() }
                ) { () throws(Problem) in
                    let before = niceness()
                    while !flag.isCancelled {}
                    return (before, niceness())
                }
                #expect(after == min(before + SolverPool.Lane.long.niceness - SolverPool.Lane.request.niceness, 19))
            }
            for await _ in told { break }
            // The lane has one thread, and it is free.
            for n in 0..<3 {
                let (answer, priority) = try await pool.solve(lane: .request, deadline: .none) { () throws(Problem) in
                    (n, niceness())
                }
                #expect(answer == n)
                #expect(priority == min(niceness() + SolverPool.Lane.request.niceness, 19))
            }
            // An answer is there a moment before its thread counts itself out.
            try await eventually { pool.load.running == 1 }
            flag.cancel()
            try await group.waitForAll()
        }
        #expect(try await pool.solve(lane: .request, deadline: .none) { () throws(Problem) in 7 } == 7)
    }

    @Test("what waits past its deadline never runs")
    func lateWork() async {
        let pool = SolverPool(threads: 1)
        defer { pool.stop() }
        let ran = Mutex(false)
        let problem = await #expect(throws: Problem.self) {
            try await pool.solve(lane: .request, deadline: .after(.zero)) { () throws(Problem) in
                ran.withLock { $0 = true }
            }
        }
        #expect(problem?.code == "SYS-201")
        #expect(ran.withLock { $0 } == false)
    }
}

@Suite("Caches and signals")
struct SmallPartsTests {
    @Test("the cache is bounded and drops what was used least recently")
    func cache() {
        let cache = ResultCache<Int, Int>(bytes: 800) { _ in 100 }
        for n in 0..<8 { cache[n] = n }
        _ = cache[0]
        for n in 8..<10 { cache[n] = n }
        #expect(cache.statistics.bytes <= 800 && cache.statistics.bytes == cache.statistics.entries * 100)
        #expect(cache[0] == 0)
        #expect(cache[9] == 9)
        #expect(cache[1] == nil)
        #expect(cache.statistics.evictions > 0)
        cache[9] = nil
        #expect(cache[9] == nil)
        // Larger than a quarter of everything: not kept, and the older value of the key is gone too.
        let large = ResultCache<Int, Int>(bytes: 100) { $0 }
        large[1] = 20
        large[1] = 26
        #expect(large[1] == nil && large.statistics.bytes == 0)
        // Written again and again, and taken out: still the ones that were asked for stay, and the rest makes room in the order that it came.
        let busy = ResultCache<Int, Int>(bytes: 1000) { _ in 100 }
        for round in 0..<50 { for n in 0..<10 { busy[n] = round } }
        busy[4] = nil
        for n in [2, 7] { _ = busy[n] }
        for n in 100..<108 { busy[n] = n }
        #expect((0..<10).filter { busy[$0] != nil } == [2, 7])
        #expect(busy.statistics.entries == 10 && busy.statistics.bytes == 1000)
        let none = ResultCache<Int, Int>(bytes: 0) { _ in 1 }
        none[1] = 1
        #expect(none[1] == nil)
    }

    @Test("a wake-up before the wait ends the wait at once; several are one", .timeLimit(.minutes(10)))
    func signal() async {
        let signal = WakeSignal()
        signal.wake()
        signal.wake()
        let clock = ContinuousClock()
        // Longer than the test may take: only the wake-up ends it.
        await signal.wait(atMost: .seconds(86_400))
        let second = await clock.measure { await signal.wait(atMost: .milliseconds(20)) }
        #expect(second >= .milliseconds(15))
    }
}
