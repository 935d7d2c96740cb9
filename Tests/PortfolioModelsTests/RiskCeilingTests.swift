import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Limits of risk that bind: one and two of them, under every objective.
@Suite("Ceilings of risk")
struct RiskCeilingTests {
    /// Fat-tailed returns with a common factor.
    private func universe(_ seed: UInt64) throws -> ReturnPanel {
        var random = SplitMix64(seed: seed)
        let (count, assets) = (60 + Int(random.uniform() * 150), 4 + Int(random.uniform() * 12))
        func tailed() -> Double { random.normal() / max(0.3, abs(random.normal())).squareRoot() }
        let market = (0..<count).map { _ in tailed() }
        return try madePanel(
            (0..<assets).map { _ in
                let beta = 0.3 + 1.1 * random.uniform()
                return market.map { 0.0005 + 0.01 * (beta * $0 + tailed()) }
            })
    }

    /// A level that leaves a share of the way from the least risk to that of the asset with the largest mean.
    private func level(_ code: RiskMeasureCode, _ share: Double, _ panel: ReturnPanel) throws -> Double {
        let least =
            try PortfolioOptimization.run(plainRequest(panel, code, .minimumRisk), panel: panel).solution.risk
        let best = try PortfolioOptimization.run(plainRequest(panel, .mv, .maximumReturn), panel: panel)
        let measure = try #require(RiskMeasures.measure(code, RiskParameters()))
        return least + share * (measure.value(of: panel.portfolioReturns(best.weights)) - least)
    }

    @Test("the largest return under each measure's level is proven", arguments: RiskMeasureCode.optimisable)
    func largestReturn(code: RiskMeasureCode) throws {
        for seed in 1...4 {
            let panel = try universe(UInt64(seed))
            for share in [0.02, 0.3, 0.8] {
                for (objective, other) in [
                    (ObjectiveName.maximumReturn, code), (.utility, .cvar), (.minimumRisk, .mad),
                ] {
                    var request = plainRequest(panel, other, objective)
                    request.constraints.isAnnual = false
                    request.constraints.maxRisk = [.init(measure: code, level: try level(code, share, panel))]
                    let found = try PortfolioOptimization.run(request, panel: panel)
                    try Verification.check(request, panel: panel, result: found)
                    #expect(found.solution.dualityGap <= 1e-8, "\(seed) \(share) \(objective)")
                }
            }
        }
    }

    /// Along the ray of a portfolio a homogeneous risk has no curvature: budget and ceiling together took the digits of the solver's system.
    @Test(
        "the solver itself gets there where the objective has no curvature",
        arguments: [RiskMeasureCode.msv, .slpm, .cvar, .mad, .ulcerIndex, .edar, .maximumDrawdown])
    func withoutCurvature(code: RiskMeasureCode) throws {
        for seed in 11...16 {
            let panel = try universe(UInt64(seed))
            var request = plainRequest(panel, code, .maximumReturn)
            request.constraints.isAnnual = false
            request.constraints.maxRisk = [.init(measure: code, level: try level(code, 0.3, panel))]
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(found.solution.method != "cutting_planes", "\(seed)")
        }
    }
}
