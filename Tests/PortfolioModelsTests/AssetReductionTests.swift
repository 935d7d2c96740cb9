import Foundation
import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Problems of many assets, which are solved on few of them and priced on all.
@Suite("Many assets")
struct AssetReductionTests {
    @Test("The answer on few assets is proven for all, whatever the measure", arguments: RiskMeasureCode.optimisable)
    func proven(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 60, observations: 120, seed: 71)
        for objective in [ObjectiveName.minimumRisk, .utility, .sharpe] {
            var request = OptimizeRequest(assets: panel.assets)
            request.riskMeasure = measure
            request.objective = objective
            request.periodsPerYear = 252
            let found = try PortfolioOptimization.run(request, panel: panel)
            try Verification.check(request, panel: panel, result: found)
            // The bound of `Verification` counts every asset.
            #expect(found.solution.dualityGap <= Verification.fullProof, "\(measure) \(objective)")
            #expect(found.weights.contains { $0 > 0 })
        }
    }

    @Test("Rows, lower bounds, held assets and a required return are kept on the way")
    func constrained() throws {
        let panel = try randomPanel(assets: 60, observations: 150, seed: 72)
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = .cvar
        request.objective = .minimumRisk
        request.periodsPerYear = 252
        request.constraints.groups = [.init("Last", Array(panel.assets.suffix(20)))]
        request.constraints.groupLimits = [.init(group: "Last", min: 0.4, max: nil)]
        request.constraints.lowerBound = .byAsset([.init(panel.assets[30], 0.05)])
        request.constraints.turnover = .init(
            from: [.init(panel.assets[45], 0.6), .init(panel.assets[2], 0.4)], perAsset: nil, total: 1.1)
        request.constraints.upperBound = .all(0.3)
        let found = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: found)
        #expect(found.solution.dualityGap <= Verification.fullProof)
        request.constraints.turnover = nil
        request.constraints.minReturn = found.solution.expectedReturn * 1.1
        let demanding = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: demanding)
        #expect(demanding.solution.dualityGap <= Verification.fullProof)
    }
}
