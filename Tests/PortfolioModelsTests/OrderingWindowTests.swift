import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Which scenarios stand for the tails of ordered averages.
@Suite("Windows of ordered averages")
struct OrderingWindowTests {
    @Test("tails are known where they are among the worst of some series")
    func knows() {
        let count = 400
        let rising = (0..<count).map { Double($0) }
        let falling = (0..<count).map { -Double($0) }
        let gini = TailGini(RiskParameters())
        // Twenty ranks, of which seventy stand for the tail.
        #expect(gini.tails(count: count)?.losses == 20)
        #expect(OrderingWindow.tail(ranks: 20, count: count) == 70)
        #expect(OrderingWindow.worst(70, of: [rising, falling]) == Array(0..<70) + Array(330..<400))
        #expect(OrderingWindow.knows([rising], gini, tailsOf: rising.map { $0 < 70 ? -$0 : $0 }))
        #expect(!OrderingWindow.knows([rising], gini, tailsOf: falling))
        #expect(OrderingWindow.knows([rising, falling], gini, tailsOf: falling))
        // Both tails of a range; what is about all scenarios has none to know.
        let range = TailGiniRange(RiskParameters())
        #expect(OrderingWindow.knows([rising], range, tailsOf: falling.map { -$0 }))
        #expect(!OrderingWindow.knows([rising.map { abs($0 - 200) }], range, tailsOf: rising))
        #expect(OrderingWindow.knows([rising], GiniMeanDifference(RiskParameters()), tailsOf: falling))
    }

    /// The tail of the mean-variance portfolio is not that of the solution here: rounds that forget it wander.
    @Test("an answer whose tail is not the start's is found all the same")
    func farTail() throws {
        var numbers = RepeatableNumbers(seed: 5)
        // Calm assets with rare deep falls, each in periods of its own, beside wild ones.
        let columns = (0..<8).map { asset in
            (0..<600).map { t in
                let calm = (asset < 4 ? 0.004 : 0.012) * numbers.normal() + 3e-4
                return asset < 4 && t % 40 == 5 * asset ? calm - 0.05 - 0.01 * numbers.next() : calm
            }
        }
        let panel = try madePanel(columns)
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = .tailGini
        request.periodsPerYear = 252
        let result = try PortfolioOptimization.run(request, panel: panel)
        #expect(result.solution.dualityGap <= 1e-9)
        #expect(result.solution.method == "structured_interior_point")
        try Verification.check(request, panel: panel, result: result)
    }
}
