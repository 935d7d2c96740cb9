import LinearAlgebra
import Testing

@testable import ConvexSolver

/// What a solve tells of itself while it goes on.
@Suite("Monitored solves")
struct SolverMonitorTests {
    @Test("a solve tells of each iteration and of its last gap, and is the same solve", arguments: 1...20)
    func solves(seed: Int) throws {
        let item = ProgramGenerator.make(seed: UInt64(seed))
        let monitor = SolverMonitor()
        #expect(monitor.report == .init(iterations: 0, gap: nil, parts: nil))
        let settings = SolverSettings(deadline: SolverDeadline(monitor: monitor), polishes: false)
        let found = try InteriorPointMethod.solve(item.program, settings: settings)
        let plain = try InteriorPointMethod.solve(item.program, settings: SolverSettings(polishes: false))
        #expect(found.x == plain.x || item.expected != .optimal)
        guard found.status == .optimal, found.iterations > 0 else { return }
        // The start is looked at too.
        #expect(monitor.report.iterations == found.iterations + 1)
        // Of the program as the loop scales it, where the answer's own is of the program as given.
        let gap = try #require(monitor.report.gap)
        #expect(gap <= 1e-7, "\(gap)")
        #expect(monitor.report.parts == nil)
    }

    @Test("the outermost search's gap counts while it lasts; what is not finite is no gap")
    func searches() throws {
        let monitor = SolverMonitor()
        monitor.iterated(gap: 0.5)
        let outer = try #require(monitor.search())
        #expect(monitor.report.gap == nil)
        #expect(monitor.search() == nil)
        monitor.iterated(3, gap: 1e-9)
        outer.reached(gap: .infinity)
        #expect(monitor.report == .init(iterations: 4, gap: nil, parts: nil))
        outer.reached(gap: 0.25)
        #expect(monitor.report.gap == 0.25)
        outer.reached(gap: -1e-18)
        #expect(monitor.report.gap == 0)
        outer.end()
        #expect(monitor.report.gap == 1e-9)
        #expect(monitor.search() != nil)
    }

    @Test("work is divided once; many threads count without loss")
    func parts() async throws {
        let monitor = SolverMonitor()
        #expect(monitor.divide(into: 0) == nil)
        let parts = try #require(monitor.divide(into: 8000))
        #expect(monitor.divide(into: 3) == nil)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        monitor.iterated(gap: 0.1)
                        parts.finished()
                    }
                }
            }
        }
        #expect(monitor.report == .init(iterations: 8000, gap: 0.1, parts: (8000, 8000)))
        parts.finished()
        #expect(monitor.report.parts?.done == 8000, "more than all is never done")
    }
}
