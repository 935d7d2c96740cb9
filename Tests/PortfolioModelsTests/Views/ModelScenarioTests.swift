import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Riskfolio-Lib's `hist=False`: risks, limits and growth are those of the factor model's returns.
@Suite("Scenarios of a factor model")
struct ModelScenarioTests {
    /// A request with two factors and given loadings, and the panel of returns that they come to.
    private func made(_ seed: UInt64) throws -> (request: OptimizeRequest, panel: ReturnPanel, model: ReturnPanel) {
        let (count, n) = (90, 5)
        let panel = try randomPanel(assets: n, observations: count, seed: seed)
        var numbers = RepeatableNumbers(seed: seed + 100)
        let factors = (0..<2).map { _ in (0..<count).map { _ in 0.0004 + 0.01 * numbers.normal() } }
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.model = .factorModel
        var wanted = FactorRequest()
        wanted.panel = InlinePanel(kind: .returns, dates: panel.dates, assets: ["F0", "F1"], values: factors)
        wanted.selection = .none
        wanted.scenarios = .model
        request.factors = wanted
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let returns = try #require(moments.scenarios)
        return (request, panel, try panel.replacing(returns: returns))
    }

    @Test(
        "A risk of the model's scenarios is that of a panel of them",
        arguments: [RiskMeasureCode.cvar, .mad, .gmd, .evar, .cdar, .ulcerIndex, .tailGini, .kt])
    func measures(code: RiskMeasureCode) throws {
        var (request, panel, model) = try made(61)
        request.riskMeasure = code
        request.objective = .minimumRisk
        request.constraints.upperBound = .all(0.4)
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        var plain = request
        plain.model = .classic
        plain.factors = nil
        let expected = try PortfolioOptimization.run(plain, panel: model)
        #expect(abs(found.solution.risk - expected.solution.risk) <= 1e-8 * expected.solution.risk)
        // The figures beside it stay those of the assets' own returns.
        let x = panel.portfolioReturns(found.weights)
        let mean = x.reduce(0, +) / Double(x.count)
        let annual = try #require(found.metrics.first { $0.name == "expected_return" }?.value)
        #expect(abs(annual - 252 * mean) <= 1e-12)
    }

    @Test("So are limits of risk and logarithmic growth")
    func limits() throws {
        var (request, panel, model) = try made(62)
        request.objective = .maximumReturn
        request.kelly = .exact
        request.constraints.isAnnual = false
        let equal = [Double](repeating: 0.2, count: 5)
        let measure = try #require(RiskMeasures.measure(.cvar, RiskParameters(alpha: 0.05)))
        let level = measure.value(of: model.portfolioReturns(equal))
        request.constraints.maxRisk = [.init(measure: .cvar, level: level)]
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        #expect(measure.value(of: model.portfolioReturns(found.weights)) <= level * (1 + 1e-7))
    }

    @Test("A frontier of the model's scenarios ascends from its least risk")
    func frontier() throws {
        var (request, panel, model) = try made(63)
        request.riskMeasure = .cvar
        request.objective = .minimumRisk
        request.frontier = .init(points: 5, withWeights: true)
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        let points = try #require(found.frontier)
        #expect(points.count >= 3)
        let measure = try #require(RiskMeasures.measure(.cvar, RiskParameters(alpha: 0.05)))
        for point in points {
            let weights = try #require(point.weights)
            let own = 252.0.squareRoot() * measure.value(of: model.portfolioReturns(weights))
            #expect(abs(own - point.risk) <= 1e-8 * abs(own))
        }
    }
}
