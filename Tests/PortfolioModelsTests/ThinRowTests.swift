import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Rows that leave next to no room under the budget: least returns close to the largest one.
@Suite("Thin rows")
struct ThinRowTests {
    /// Two assets nearly share the largest mean.
    private func tied(_ tie: Double) throws -> ReturnPanel {
        let noise = try randomPanel(assets: 12, observations: 122, seed: 83)
        var numbers = RepeatableNumbers(seed: 11)
        return try madePanel(
            (0..<12).map { i in
                let column = noise.column(i)
                let mean = i == 0 ? 0.0017 * (1 - tie) : i == 1 ? 0.0017 : 0.0007 + 0.0004 * numbers.next()
                let own = column.reduce(0, +) / Double(column.count)
                return column.map { $0 - own + mean }
            })
    }

    @Test(
        "a least return close to the largest is met and proven by every measure", arguments: RiskMeasureCode.optimisable
    )
    func leastReturn(code: RiskMeasureCode) throws {
        for (tie, distance) in [(2e-6, 1e-9), (2e-5, 3e-7), (3e-7, 1e-8), (5e-5, 2e-6)] {
            let panel = try tied(tie)
            for objective in ObjectiveName.allCases {
                var request = OptimizeRequest(assets: panel.assets)
                request.periodsPerYear = 252
                request.riskMeasure = code
                request.objective = objective
                request.constraints.isAnnual = false
                request.constraints.minReturn = 0.0017 * (1 - distance)
                let found = try PortfolioOptimization.run(request, panel: panel)
                try Verification.check(request, panel: panel, result: found)
                #expect(found.solution.dualityGap <= 1e-8, "\(objective) \(tie) \(distance)")
                #expect(found.solution.expectedReturn >= 0.0017 * (1 - distance) * (1 - 1e-12))
            }
        }
    }

    @Test(
        "whatever the tie and the distance: the solve starts where there is room",
        arguments: [
            RiskMeasureCode.maximumDrawdown, .ulcerIndex, .averageDrawdown, .cdar, .cvar, .skt, .tailGiniRange, .evar,
        ])
    func anyTie(code: RiskMeasureCode) throws {
        var random = SplitMix64(seed: 40)
        for _ in 0..<40 {
            let (count, assets) = (60 + Int(random.uniform() * 120), 4 + Int(random.uniform() * 8))
            var columns = (0..<assets).map { _ in
                (0..<count).map { _ in 0.0005 + 0.01 * random.normal() / max(0.3, abs(random.normal())).squareRoot() }
            }
            func mean(_ i: Int) -> Double { columns[i].reduce(0, +) / Double(count) }
            let order = columns.indices.sorted { mean($0) > mean($1) }
            // The second is raised to a little below the first.
            let step =
                mean(order[0]) - mean(order[1]) - 1e-10 * random.uniform()
                * [1, 10, 100, 1e3][Int(random.uniform() * 4)]
            columns[order[1]] = columns[order[1]].map { $0 + step }
            let panel = try madePanel(columns)
            let top = max(mean(order[0]), mean(order[1]))
            let distance = [1e-6, 1e-7, 3e-8, 1e-8, 3e-9, 1e-9][Int(random.uniform() * 6)]
            guard top > 0 else { continue }
            for objective in [ObjectiveName.sharpe, .minimumRisk, .utility] {
                var request = plainRequest(panel, code, objective)
                request.constraints.isAnnual = false
                request.constraints.minReturn = top * (1 - distance)
                let found = try PortfolioOptimization.run(request, panel: panel)
                try Verification.check(request, panel: panel, result: found)
                #expect(found.solution.dualityGap <= 5e-8, "\(objective) \(distance)")
            }
        }
    }

    @Test("less the budget a row says the same of every portfolio that keeps the budget")
    func same() throws {
        var request = OptimizeRequest(assets: ["A0", "A1", "A2"])
        request.constraints.budget = .init(min: 0.8, max: 0.8)
        let set = try ConstraintSet(request: request, mean: [0, 0, 0], periodsPerYear: 252)
        let a = [-0.001, -0.002, -0.0005]
        let thin = ThinRow(a, atMost: -0.0015999, set)
        #expect(thin.share == -0.002 && thin.coefficients[1] == 0 && set.constraints[thin.budget].name == "budget")
        for w in [[0.1, 0.4, 0.3], [0, 0.8, 0], [0.8, 0, 0]] {
            let (own, left) = (
                zip(a, w).reduce(0) { $0 + $1.0 * $1.1 }, zip(thin.coefficients, w).reduce(0) { $0 + $1.0 * $1.1 }
            )
            #expect(abs((own + 0.0015999) - (left - thin.level)) <= 1e-17)
        }
        var prices = set.constraints.map { _ in 0.0 }
        thin.charge(3, to: &prices)
        #expect(prices[thin.budget] == 0.006)
        // With room, and where weights may be short, rows stay as they are.
        #expect(ThinRow(a, atMost: -0.0008, set).share == 0)
        request.constraints.lowerBound = .all(-0.1)
        let short = try ConstraintSet(request: request, mean: [0, 0, 0], periodsPerYear: 252)
        #expect(ThinRow(a, atMost: -0.0015999, short).coefficients == a)
    }
}
