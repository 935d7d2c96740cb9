import ConvexSolver
import Foundation
import PortfolioModels
import Synchronization
import Testing
import WireFormat

/// What long work tells of itself: searches their gap, frontiers and resamples their parts.
@Suite("Monitored models", .timeLimit(.minutes(2)))
struct MonitoredModelTests {
    /// Runs a request beside a thread that reads along: every different report, in order, and the last.
    private func watched(
        _ request: OptimizeRequest, _ panel: ReturnPanel
    ) throws -> (reports: [SolverMonitor.Report], result: OptimizationResult) {
        let monitor = SolverMonitor()
        let reader = Reader(monitor)
        reader.start()
        defer { reader.stop() }
        let result = try PortfolioOptimization.run(request, panel: panel, deadline: SolverDeadline(monitor: monitor))
        return (reader.seen + [monitor.report], result)
    }

    private func request(_ panel: ReturnPanel, _ measure: RiskMeasureCode = .mv) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = measure
        request.objective = .minimumRisk
        request.periodsPerYear = 252
        return request
    }

    @Test("a search for the assets to hold counts the iterations of all its solves")
    func search() throws {
        let panel = try randomPanel(assets: 30, observations: 60, seed: 5)
        var request = request(panel)
        request.constraints.cardinality = .init(max: 6)
        let (reports, result) = try watched(request, panel)
        #expect(result.solution.method.hasPrefix("branch_and_bound"))
        for (before, after) in zip(reports, reports.dropFirst()) { #expect(after.iterations >= before.iterations) }
        let last = try #require(reports.last)
        #expect(last.iterations >= result.solution.iterations && last.parts == nil)
        #expect(reports.allSatisfy { $0.gap ?? 0 >= 0 })
    }

    @Test(
        "the points of a frontier are its parts", arguments: [RiskMeasureCode.mv, .cvar],
        [FrontierAxis.expectedReturn, .risk])
    func frontier(measure: RiskMeasureCode, axis: FrontierAxis) throws {
        let panel = try randomPanel(assets: 8, observations: 120, seed: 6)
        var request = request(panel, measure)
        request.frontier = .init(points: 12, axis: axis)
        let (reports, result) = try watched(request, panel)
        #expect(result.frontier?.count == 12)
        let last = try #require(reports.last)
        #expect(last.parts?.done == 12 && last.parts?.of == 12 && last.iterations > 12)
    }

    @Test("so are those of one under rules on the assets held, and the samples of a resampled portfolio")
    func others() throws {
        let panel = try randomPanel(assets: 6, observations: 80, seed: 7)
        var chosen = request(panel)
        chosen.constraints.cardinality = .init(max: 3)
        chosen.frontier = .init(points: 5)
        #expect(try watched(chosen, panel).reports.last?.parts?.done == 5)
        var resampled = request(panel)
        resampled.model = .resampled
        resampled.resampling = .init()
        resampled.resampling?.samples = 9
        let report = try #require(try watched(resampled, panel).reports.last)
        #expect(report.parts?.done == 9 && report.parts?.of == 9)
    }
}

/// A thread that reads a monitor over and over.
private final class Reader: Sendable {
    private let monitor: SolverMonitor
    private let reports = Mutex<[SolverMonitor.Report]>([])
    private let isOver = Atomic(false)
    private let turns = DispatchSemaphore(value: 0)

    init(_ monitor: SolverMonitor) { self.monitor = monitor }

    var seen: [SolverMonitor.Report] { reports.withLock { $0 } }

    func start() {
        let thread = Thread { [self] in
            turns.signal()
            while !isOver.load(ordering: .relaxed) {
                let report = monitor.report
                reports.withLock { if $0.last != report { $0.append(report) } }
            }
            turns.signal()
        }
        thread.start()
        turns.wait()
    }

    func stop() {
        isOver.store(true, ordering: .relaxed)
        turns.wait()
    }
}
