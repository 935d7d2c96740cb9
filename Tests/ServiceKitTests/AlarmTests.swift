import Synchronization
import Testing

@testable import ServiceKit

@Suite("Alarms", .timeLimit(.minutes(1)))
struct AlarmTests {
    @Test("who waits is woken at its time and not before, whoever came first")
    func order() async throws {
        let alarms = Alarms()
        let start = ContinuousClock.now
        let woken = try await withThrowingTaskGroup(of: (Int, Duration).self) { group in
            for milliseconds in [700, 40, 120, 0, -50] {
                group.addTask {
                    try await alarms.sleep(until: start + .milliseconds(milliseconds))
                    return (milliseconds, .now - start)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for (milliseconds, elapsed) in woken { #expect(elapsed >= .milliseconds(milliseconds)) }
        #expect(woken.count == 5 && woken.last?.0 == 700)
        #expect(alarms.count == 0 && !alarms.isArmed)
    }

    @Test("what is taken back is gone at once, and soon so is the timer")
    func takenBack() async throws {
        let alarms = Alarms()
        await withTaskGroup(of: Bool.self) { group in
            for n in 0..<1000 {
                group.addTask {
                    let task = Task { try await alarms.sleep(until: .now + .seconds(3600)) }
                    // Some before they wait.
                    if n % 2 == 0 { await Task.yield() }
                    task.cancel()
                    do {
                        try await task.value
                        return false
                    } catch {
                        return error is CancellationError
                    }
                }
            }
            for await isCancelled in group { #expect(isCancelled) }
        }
        #expect(alarms.count == 0)
        // The timer looks once more, and is not set again.
        while alarms.isArmed { try await Task.sleep(for: .milliseconds(20)) }
        try await alarms.sleep(until: .now + .milliseconds(5))
    }

    @Test("a limit ends what takes too long, and leaves nothing behind where it does not")
    func limits() async throws {
        await #expect(throws: TimeLimitPassed.self) {
            try await withTimeLimit(.milliseconds(30)) { try await Task.sleep(for: .seconds(100)) }
        }
        #expect(try await withTimeLimit(.seconds(100)) { 7 } == 7)
    }
}
