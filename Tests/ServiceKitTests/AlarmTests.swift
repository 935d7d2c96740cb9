import TestSupport
import Testing

@testable import ServiceKit

@Suite("Alarms", .timeLimit(.minutes(1)))
struct AlarmTests {
    @Test("each rings once, at its time and not before, whoever was set first")
    func order() async throws {
        let alarms = Alarms()
        let start = ContinuousClock.now
        let rung = Locked<[(milliseconds: Int, elapsed: Duration)]>([])
        for milliseconds in [700, 40, 120, 0, -50] {
            _ = alarms.set(at: start + .milliseconds(milliseconds)) {
                rung.withLock { $0.append((milliseconds, .now - start)) }
            }
        }
        try await eventually { rung.withLock { $0.count } == 5 }
        for (milliseconds, elapsed) in rung.withLock({ $0 }) { #expect(elapsed >= .milliseconds(milliseconds)) }
        #expect(rung.withLock { $0.last?.milliseconds } == 700)
        #expect(alarms.count == 0 && !alarms.isArmed)
    }

    @Test("what is taken back is gone at once, and soon so is the timer")
    func takenBack() async throws {
        let alarms = Alarms()
        let rung = Locked(0)
        await withTaskGroup(of: Void.self) { group in
            for n in 0..<1000 {
                group.addTask {
                    let alarm = alarms.set(at: .now + .seconds(3600)) { rung.withLock { $0 += 1 } }
                    if n % 2 == 0 { await Task.yield() }
                    alarms.takeBack(alarm)
                }
            }
        }
        #expect(alarms.count == 0)
        // The timer looks once more, and is not set again.
        try await eventually { !alarms.isArmed }
        _ = alarms.set(at: .now + .milliseconds(5)) { rung.withLock { $0 += 1000 } }
        try await eventually { rung.withLock { $0 } == 1000 }
    }
}
