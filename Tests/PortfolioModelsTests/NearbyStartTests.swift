import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Solves that start from the answer of a window before, or of other bounds.
@Suite("Starts near the answer")
struct NearbyStartTests {
    private static let codes: [RiskMeasureCode] = [
        .mv, .mad, .msv, .cvar, .evar, .worstRealisation, .tailGini, .gmd, .skt, .maximumDrawdown, .ulcerIndex, .cdar,
        .edar,
    ]

    private func answer(
        _ panel: ReturnPanel, _ request: OptimizeRequest, near: [Double]? = nil
    ) throws -> OptimizationResult {
        let found = try PortfolioOptimization.run(request, panel: panel, near: near)
        try Verification.check(request, panel: panel, result: found)
        return found
    }

    @Test("a window moved by a period: the same answer, proven, and the same bits whenever asked", arguments: codes)
    func movedWindow(code: RiskMeasureCode) throws {
        let whole = try randomPanel(assets: 12, observations: 301, seed: 61)
        let (before, panel) = (try whole.periods([0..<300]), try whole.periods([1..<301]))
        for objective in [ObjectiveName.minimumRisk, .sharpe, .utility] {
            let request = plainRequest(panel, code, objective)
            let start = try answer(before, request).weights
            let (anew, warm) = (try answer(panel, request), try answer(panel, request, near: start))
            #expect(warm.solution.dualityGap <= 1e-8)
            let size = max(abs(anew.solution.objectiveValue), 1e-6)
            #expect(abs(anew.solution.objectiveValue - warm.solution.objectiveValue) <= 1e-8 * size, "\(objective)")
            #expect(warm.weights == (try answer(panel, request, near: start)).weights)
        }
    }

    @Test("fewer iterations where each costs", arguments: [RiskMeasureCode.cdar, .averageDrawdown, .edar, .evar])
    func iterations(code: RiskMeasureCode) throws {
        let whole = try randomPanel(assets: 12, observations: 301, seed: 62)
        let request = plainRequest(whole, code, .minimumRisk)
        let start = try answer(try whole.periods([0..<300]), request).weights
        let panel = try whole.periods([1..<301])
        let (anew, warm) = (try answer(panel, request), try answer(panel, request, near: start))
        #expect(warm.solution.iterations < anew.solution.iterations)
    }

    @Test("changed bounds; weights that the new ones do not allow change nothing")
    func changedBounds() throws {
        let panel = try randomPanel(assets: 10, observations: 200, seed: 63)
        var request = plainRequest(panel, .ulcerIndex, .minimumRisk)
        let free = try answer(panel, request).weights
        let most = try #require(free.max())
        request.constraints.upperBound = .all(0.8 * most)
        let anew = try answer(panel, request)
        let refused = try answer(panel, request, near: free)
        #expect(anew.weights == refused.weights && anew.solution.iterations == refused.solution.iterations)
        let tight = anew.weights
        request.constraints.upperBound = .all(0.9 * most)
        let (wider, warm) = (try answer(panel, request), try answer(panel, request, near: tight))
        #expect(abs(wider.solution.risk - warm.solution.risk) <= 1e-8 * wider.solution.risk)
        // Neither does what is no portfolio of these assets.
        for near in [[Double](repeating: 0.2, count: 10), [1], [.nan] + [Double](repeating: 0, count: 9)] {
            #expect(try answer(panel, request, near: near).weights == wider.weights)
        }
    }

    @Test("a walk-forward under turnover starts each fit from what is held, and repeats its bits")
    func walkForward() throws {
        let panel = try randomPanel(assets: 6, observations: 400, seed: 64)
        var strategy = plainRequest(panel, .cdar, .minimumRisk)
        strategy.constraints.turnover = .init(from: panel.assets.map { .init($0, 1.0 / 6) }, perAsset: nil, total: 0.3)
        var request = BacktestRequest(strategy: strategy)
        (request.train, request.rebalance) = (250, .periods(21))
        let (first, second) = (try Backtest(request, panel: panel).run(), try Backtest(request, panel: panel).run())
        #expect(first.failures.isEmpty && first.fits.count > 5)
        #expect(first.fits.map { $0.weights } == second.fits.map { $0.weights })
    }
}
