import Foundation
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Panels of more periods than the solver takes at once.
@Suite("Long panels")
struct LongPanelTests {
    @Test(
        "are solved to the last digits",
        arguments: RiskMeasureCode.optimisable.filter { ![.gmd, .tailGini, .tailGiniRange].contains($0) })
    func proven(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 6, observations: 2203, seed: 221)
        for objective in [ObjectiveName.minimumRisk, .utility, .sharpe] {
            var request = OptimizeRequest(assets: panel.assets)
            (request.riskMeasure, request.objective, request.periodsPerYear) = (code, objective, 252)
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(objective)")
            #expect(found.solution.dualityGap <= 1e-8, "\(objective)")
        }
    }

    @Test("a relativistic ball is searched to its edge where most losses are large", arguments: [1000, 10_000, 40_000])
    func relativistic(count: Int) throws {
        // Most losses are among the worst: the quantile is far above the price of the ball.
        let x = (0..<count).map { -abs(sin(28 * Double($0) / Double(count))) }
        let (alpha, kappa) = (0.05, 0.3)
        let measure = RelativisticValueAtRisk(RiskParameters(alpha: alpha, kappa: kappa))
        let (value, tilt) = measure.solve(x)
        // The best weights lie on the ball, and give the value.
        let edge = 1 / (alpha * Double(count))
        func deformed(_ u: Double, _ q: Double) -> Double {
            guard q > 0 else { return 0 }
            return (pow(q, 1 + kappa) - pow(q, 1 - kappa)) / (2 * kappa) * u
        }
        let budget = (pow(edge, kappa) - pow(edge, -kappa)) / (2 * kappa)
        let sum = tilt.reduce(0) { $0 + deformed(1, $1) }
        #expect(abs(tilt.reduce(0, +) - 1) <= 1e-12)
        #expect(abs(sum - budget) <= 1e-6 * abs(budget), "\(sum), \(budget)")
        let loss = -zip(tilt, x).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(loss - value) <= 1e-9 * value, "\(loss), \(value)")
    }
}
