import PortfolioModels
import Testing
import WireFormat

/// A period of weight two is a period that happened twice.
@Suite("Scenario weights")
struct ScenarioWeightTests {
    /// Measures of the distribution alone: those with a divisor T - 1 or an order in time know how many periods there were.
    static let measures: [RiskMeasureCode] = [
        .mad, .kt, .skt, .flpm, .cvar, .evar, .worstRealisation, .range, .cvarRange, .evarRange,
        .tailGini, .tailGiniRange,
    ]

    @Test("whole weights equal repeated periods", arguments: measures)
    func repeated(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 53)
        let copies = (0..<60).map { 1 + $0 % 3 }
        let longer = try madePanel(
            (0..<5).map { asset in
                zip(panel.column(asset), copies).flatMap { [Double](repeating: $0, count: $1) }
            })
        for objective in [ObjectiveName.minimumRisk, .utility, .sharpe] {
            var weighted = OptimizeRequest(assets: panel.assets)
            weighted.riskMeasure = measure
            weighted.objective = objective
            weighted.periodsPerYear = 252
            var plain = weighted
            plain.assets = longer.assets
            weighted.scenarioWeights = .given(copies.map { Double($0) })
            let one = try PortfolioOptimization.run(weighted, panel: panel)
            let two = try PortfolioOptimization.run(plain, panel: longer)
            try Verification.check(weighted, panel: panel, result: one)
            let size = abs(two.solution.objectiveValue)
            let miss = abs(one.solution.objectiveValue - two.solution.objectiveValue) / size
            #expect(miss <= 1e-7, "\(measure) \(objective): \(miss)")
        }
    }

    @Test("weights that do not fit the panel are refused by name")
    func length() throws {
        let panel = try randomPanel(assets: 3, observations: 20, seed: 5)
        var request = OptimizeRequest(assets: panel.assets)
        request.scenarioWeights = .given([1, 2, 3])
        let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(problem.errors.first?.pointer.description == "#/scenario_weights")
    }
}
