import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Running covariance")
struct RunningCovarianceTests {
    private func first(_ count: Int, of panel: ReturnPanel) throws -> ReturnPanel {
        try panel.periods([0..<count])
    }

    @Test("a panel that grows by a day, a block, or not at all, gets the bits of one that is new")
    func extended() throws {
        let panel = try randomPanel(assets: 30, observations: 1100, seed: 4)
        var running = RunningCovariance(try first(600, of: panel))
        for count in [600, 601, 767, 768, 769, 1024, 1100] {
            let grown = try first(count, of: panel)
            running = RunningCovariance(grown, after: running)
            #expect(running.isContinued)
            #expect(running.covariance == RunningCovariance(grown).covariance, "\(count)")
        }
    }

    @Test("it is the covariance")
    func definition() throws {
        let panel = try randomPanel(assets: 12, observations: 777, seed: 9)
        let own = RunningCovariance(panel).covariance
        let plain = CentredReturns.of(panel).gram().scaled(by: 1.0 / 776)
        for index in own.storage.indices {
            #expect(abs(own.storage[index] - plain.storage[index]) <= 1e-13 * plain.maximumMagnitude)
        }
        #expect(own == own.transposed())
    }

    @Test("constant assets have exact zeros, far means lose nothing that matters")
    func degenerate() throws {
        var numbers = RepeatableNumbers(seed: 3)
        let noise = (0..<600).map { _ in 0.01 * numbers.normal() }
        let panel = try madePanel([noise, noise.map { _ in 0.05 }, noise.map { 0.5 + $0 / 100 }])
        let own = RunningCovariance(panel).covariance
        #expect(own[1, 1] == 0 && own[0, 1] == 0 && own[1, 2] == 0)
        #expect(abs(own[2, 2] / own[0, 0] - 1e-4) < 1e-4 * 1e-9)
    }

    @Test("other data, fewer periods, other assets: begun afresh")
    func unlike() throws {
        let panel = try randomPanel(assets: 3, observations: 900, seed: 1)
        let running = RunningCovariance(panel)
        var returns = panel.returns
        returns[100, 1] += 1e-12
        let changed = try ReturnPanel(assets: panel.assets, dates: panel.dates, returns: returns)
        #expect(!RunningCovariance(changed, after: running).isContinued)
        #expect(!RunningCovariance(try first(700, of: panel), after: running).isContinued)
        // Its last, incomplete block is no part of what is taken over.
        #expect(RunningCovariance(try first(800, of: panel), after: running).isContinued)
        let renamed = try ReturnPanel(assets: ["X", "Y", "Z"], dates: panel.dates, returns: panel.returns)
        #expect(!RunningCovariance(renamed, after: running).isContinued)
        let changedLate = { () throws -> ReturnPanel in
            var returns = panel.returns
            returns[850, 1] += 1
            return try ReturnPanel(assets: panel.assets, dates: panel.dates, returns: returns)
        }
        let late = try changedLate()
        #expect(RunningCovariance(late, after: running).covariance == RunningCovariance(late).covariance)
    }

    @Test("an optimisation from kept moments is the same, bit by bit")
    func optimisation() throws {
        let panel = try randomPanel(assets: 200, observations: 600, seed: 6)
        #expect(RunningCovariance.applies(to: panel))
        var request = OptimizeRequest(assets: panel.assets)
        request.objective = .minimumRisk
        let before = try MomentEstimation.base(request, panel: try first(599, of: panel)).running
        let base = try MomentEstimation.base(request, panel: panel, after: before)
        #expect(base.isExtended)
        let kept = try PortfolioOptimization.run(request, panel: panel, base: base.moments)
        let plain = try PortfolioOptimization.run(request, panel: panel)
        #expect(kept.weights == plain.weights && kept.solution == plain.solution)
    }
}
