import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// What libFuzzer found where assets held are chosen, each reduced to its cause: nodes of the search are convex problems like any other, and
/// have the same ways out of what stops the interior point.
@Suite("Choices of assets found by fuzzing")
struct FuzzedChoiceTests {
    private func answer(
        _ columns: [[Double]], _ code: RiskMeasureCode, _ objective: ObjectiveName,
        _ apply: (inout ConstraintRequest) -> Void
    ) throws -> OptimizationResult {
        let panel = try madePanel(columns)
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.riskMeasure = code
        request.objective = objective
        request.constraints.isAnnual = false
        apply(&request.constraints)
        let found = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: found)
        return found
    }

    private func still(_ count: Int, _ value: Double = 0) -> [Double] { [Double](repeating: value, count: count) }

    /// Zero but for one period.
    private func once(_ count: Int, _ value: Double, at period: Int) -> [Double] {
        var series = still(count)
        series[period] = value
        return series
    }

    @Test("a ratio without bound stays one beside rules that its portfolio keeps")
    func unlimited() {
        let columns = [once(9, 1e3, at: 2), still(9), still(9), once(9, -0.5, at: 7), once(9, -0.5, at: 4)]
        for effective in [1.0, 3] {
            let code = problemCode {
                try answer(columns, .flpm, .sharpe) {
                    $0.upperBound = .all(0.9)
                    $0.effectiveAssets = effective
                    $0.join = [.init("A4", "A0")]
                }
            }
            #expect(code == "OPT-203")
        }
    }

    @Test(
        "a ratio is bounded where the portfolio that has no risk breaks the rules",
        arguments: ["MV", "MAD", "FLPM", "CVaR"])
    func hedged(code: String) throws {
        // The first two move against each other and drift upwards: half of each has no risk at all.
        let moves = try randomPanel(assets: 2, observations: 40, seed: 12)
        func drifting(_ series: [Double], _ mean: Double) -> [Double] {
            let own = series.reduce(0, +) / Double(series.count)
            return series.map { $0 - own + mean }
        }
        let first = drifting(moves.column(0), 0.002)
        let columns = [first, first.map { 0.006 - $0 }, drifting(moves.column(1), 0.001)]
        let measure = try #require(RiskMeasureCode(rawValue: code))
        #expect(problemCode { try answer(columns, measure, .sharpe) { _ in } } == "OPT-203")
        let one = try answer(columns, measure, .sharpe) { $0.cardinality = .init(max: 1) }
        let single = try columns.indices.map { held in
            try answer(columns, measure, .sharpe) { wanted in
                wanted.upperBound = .byAsset(columns.indices.map { .init("A\($0)", $0 == held ? 1 : 0) })
            }.solution.objectiveValue
        }
        let best = try #require(single.max())
        #expect(abs(one.solution.objectiveValue - best) <= 1e-9 * best)
        #expect(one.weights.count { $0 != 0 } == 1)
    }

    @Test("as many effective assets as there are leave equal weights")
    func onePoint() throws {
        let found = try answer([still(20), once(20, 3, at: 17)], .range, .utility) {
            $0.linear = [.init(name: nil, coefficients: [.init("A0", 0.5), .init("A1", 0.5)], min: 0.93, max: nil)]
            $0.effectiveAssets = 2
            $0.join = [.init("A1", "A0")]
            $0.soft = [.init(constraint: "linear", weight: 0.39)]
        }
        #expect(found.weights == [0.5, 0.5])
    }

    @Test(
        "the only portfolio that is allowed is the answer, whatever is asked of it",
        arguments: RiskMeasureCode.optimisable)
    func onlyPortfolio(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 5, observations: 40, seed: 19)
        let columns = (0..<5).map { i in panel.column(i).map { $0 + 0.001 } }
        let third = 1.0 / 3
        let only: [Double] = [third, 0, third, 0, third]
        for objective in ObjectiveName.allCases {
            for chosen in [false, true] {
                // Two of the five are closed: three are as many as there are.
                let found = try answer(columns, code, objective) {
                    $0.upperBound = .byAsset([.init("A1", 0), .init("A3", 0)])
                    $0.effectiveAssets = 3
                    if chosen { $0.join = [.init("A0", "A2")] }
                }
                #expect(found.weights == only, "\(objective)")
                #expect(found.solution.dualityGap <= 1e-6)
            }
        }
    }

    @Test("equal weights below the least position are no answer")
    func onlyPortfolioTooSmall() {
        let code = problemCode {
            try answer((0..<4).map { still(17, 1e-9 * Double($0)) }, .mad, .maximumReturn) {
                $0.effectiveAssets = 2
                $0.minPosition = 0.99998
                $0.mutuallyExclusive = [.init("A0", "A3")]
            }
        }
        #expect(code == "OPT-101")
    }

    @Test("what a soft limit of risk never costs leaves the largest mean to be held")
    func softRisk() throws {
        let found = try answer((0..<9).map { still(17, 1e-9 * Double((1 << ($0 % 7)) - 1)) }, .mad, .maximumReturn) {
            $0.maxRisk = [.init(measure: .mad, level: 0.036)]
            $0.mutuallyExclusive = [.init("A0", "A8")]
            $0.soft = [.init(constraint: "max_risk", weight: 1e-300)]
        }
        #expect(found.weights[6] == 1 && found.solution.dualityGap <= 1e-9)
    }

    @Test("a portfolio of no return and no risk is proven in the units of the returns")
    func nothing() throws {
        let found = try answer([still(9), still(9, 1e-9), still(9), still(9), still(9)], .rlvarRange, .utility) {
            $0.lowerBound = .all(-1)
            $0.upperBound = .all(2)
            $0.short = 0.31
            $0.linear = [
                .init(name: nil, coefficients: ["A2", "A3", "A4"].map { .init($0, 0.99998) }, min: 0.99998, max: nil)
            ]
            $0.maxRisk = [.init(measure: .mad, level: 100)]
            $0.effectiveAssets = 1
            $0.minPosition = 0.99998
            $0.mutuallyExclusive = [.init("A0", "A4")]
            $0.join = [.init("A4", "A0")]
        }
        #expect(found.solution.risk == 0)
    }

    @Test("costs, least positions and few periods", arguments: [0.05, 0.235])
    func costs(cost: Double) throws {
        let prices: [[Double]] = [
            [187, 67, 190, 144, 10, 73, 167], [99.9997, 100.0004, 99.9999, 99.9989, 100.0008, 100.0013, 100.0001],
            [88, 16, 10, 190, 32, 150, 138], [75, 10, 10, 190, 10, 190, 175],
        ]
        let columns = prices.map { price in zip(price, price.dropFirst()).map { $1 / $0 - 1 } }
        let found = try answer(columns, .mad, .sharpe) {
            $0.lowerBound = .all(0.188)
            $0.minPosition = 0.135
            $0.costs = .init(from: (0..<4).map { .init("A\($0)", 0.25) }, linear: .all(cost), impact: nil)
        }
        #expect(found.solution.dualityGap <= 1e-8)
    }

    @Test("a tracking error that leaves next to no room", arguments: [1e-12, 1e-10])
    func noRoom(distance: Double) throws {
        let panel = try randomPanel(assets: 6, observations: 60, seed: 41, scale: 0.001)
        let found = try answer((0..<6).map { panel.column($0) }, .msv, .utility) {
            $0.benchmark = (0..<6).map { .init("A\($0)", 1.0 / 6) }
            $0.trackingError = distance
            $0.cardinality = .init(max: 6)
        }
        #expect(found.solution.dualityGap <= Verification.largestGap)
    }
}
