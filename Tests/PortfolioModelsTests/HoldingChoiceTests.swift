import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Rules on which assets are held, against the enumeration of all sets of assets.
@Suite("Which assets are held")
struct HoldingChoiceTests {
    private static let count = 7

    struct Rules: Sendable, CustomTestStringConvertible {
        var name: String
        var apply: @Sendable (inout ConstraintRequest) -> Void
        /// Whether a set of assets keeps them.
        var allows: @Sendable (Set<Int>) -> Bool
        var least = 0.0

        var testDescription: String { name }
    }

    private static func name(_ i: Int) -> String { "A\(i)" }

    static let rules: [Rules] = [
        Rules(name: "3 of 7", apply: { $0.cardinality = .init(max: 3) }, allows: { $0.count <= 3 }),
        Rules(name: "one only", apply: { $0.cardinality = .init(max: 1) }, allows: { $0.count <= 1 }),
        Rules(
            name: "one of a group",
            apply: {
                $0.groups = [.init("G", ["A0", "A1", "A2", "A3"])]
                $0.cardinality = .init(max: 4, groups: [.init(group: "G", max: 1)])
            }, allows: { $0.count <= 4 && $0.intersection([0, 1, 2, 3]).count <= 1 }),
        Rules(
            name: "none below a fifth", apply: { $0.minPosition = 0.2 }, allows: { _ in true }, least: 0.2),
        Rules(
            name: "4 of 7, none below 0.15",
            apply: {
                $0.cardinality = .init(max: 4)
                $0.minPosition = 0.15
                $0.upperBound = .all(0.4)
            }, allows: { $0.count <= 4 }, least: 0.15),
        Rules(
            name: "pairs that exclude each other",
            apply: {
                $0.groups = [.init("G", ["A4", "A5"])]
                $0.mutuallyExclusive = [.init("A0", "A1"), .init("A2", "G")]
            },
            allows: {
                !($0.contains(0) && $0.contains(1)) && !($0.contains(2) && !$0.intersection([4, 5]).isEmpty)
            }),
        Rules(
            name: "joined",
            apply: {
                $0.minPosition = 0.1
                $0.join = [.init("A0", "A6"), .init("A3", "A5")]
            },
            allows: { (!$0.contains(0) || $0.contains(6)) && (!$0.contains(3) || $0.contains(5)) }, least: 0.1),
    ]

    private func request(_ measure: RiskMeasureCode, _ objective: ObjectiveName) -> OptimizeRequest {
        var request = OptimizeRequest(assets: (0..<Self.count).map(Self.name))
        request.riskMeasure = measure
        request.objective = objective
        request.periodsPerYear = 252
        // Below what any of the assets returns, so that every set of them has a ratio.
        request.riskFreeRate = -0.9
        return request
    }

    private func panel(seed: UInt64) throws -> ReturnPanel {
        let made = try randomPanel(assets: Self.count, observations: 80, seed: seed)
        return try ReturnPanel(
            assets: (0..<Self.count).map(Self.name), dates: made.dates, returns: made.returns)
    }

    /// The best objective over all sets of assets that the rules allow.
    private func enumerated(_ request: OptimizeRequest, _ panel: ReturnPanel, _ rules: Rules) throws -> Double? {
        var best: Double?
        var refused: [String: Int] = [:]
        for mask in 1..<(1 << Self.count) {
            let set = Set((0..<Self.count).filter { mask >> $0 & 1 == 1 })
            guard rules.allows(set) else { continue }
            var one = request
            let most = one.constraints.upperBound
            one.constraints.upperBound = .byAsset(
                (0..<Self.count).map { i in
                    let top = if case .all(let value)? = most { value } else { 1.0 }
                    return .init(Self.name(i), set.contains(i) ? top : 0)
                })
            one.constraints.lowerBound = .byAsset(
                set.sorted().map { .init(Self.name($0), rules.least) })
            var answer: OptimizationResult?
            let problem = caught { answer = try PortfolioOptimization.run(one, panel: panel) }
            // Some sets of assets have no portfolio, or none that beats the rate.
            if let problem { try #require(["OPT-101", "OPT-203"].contains(problem.code), "\(problem)") }
            guard let found = answer else {
                refused[problem.map { $0.detail } ?? "no answer", default: 0] += 1
                continue
            }
            let value = found.solution.objectiveValue
            if let present = best {
                best = request.objective == .minimumRisk ? min(present, value) : max(present, value)
            } else {
                best = value
            }
        }
        try #require(best != nil, "\(refused)")
        return best
    }

    @Test("The search finds the best set that enumeration finds, and proves it", arguments: rules)
    func enumeration(rules: Rules) throws {
        let cases: [(RiskMeasureCode, ObjectiveName, UInt64)] = [
            (.mv, .minimumRisk, 3), (.mv, .sharpe, 4), (.cvar, .minimumRisk, 5), (.mad, .utility, 6),
            (.cdar, .sharpe, 7), (.mv, .maximumReturn, 8),
        ]
        for (measure, objective, seed) in cases {
            let panel = try panel(seed: seed)
            let plain = request(measure, objective)
            let best = try #require(try enumerated(bounded(plain, rules), panel, rules))
            var wanted = plain
            rules.apply(&wanted.constraints)
            let found = try PortfolioOptimization.run(wanted, panel: panel)
            try Verification.check(wanted, panel: panel, result: found)
            let miss = abs(found.solution.objectiveValue - best) / abs(best)
            #expect(miss <= 2e-7, "\(measure) \(objective): \(found.solution.objectiveValue), enumerated \(best)")
            #expect(found.solution.dualityGap <= 2e-7)
            #expect(found.solution.status == "optimal")
        }
    }

    /// With the upper bound that belongs to the rules, and without the rules.
    private func bounded(_ request: OptimizeRequest, _ rules: Rules) -> OptimizeRequest {
        var constraints = ConstraintRequest()
        rules.apply(&constraints)
        var plain = request
        plain.constraints.upperBound = constraints.upperBound
        return plain
    }

    @Test("Rules that leave nothing are named, with the count that would do")
    func conflict() throws {
        let panel = try panel(seed: 9)
        var wanted = request(.cvar, .minimumRisk)
        wanted.constraints.upperBound = .all(0.3)
        wanted.constraints.cardinality = .init(max: 3)
        let problem = try #require(caught { _ = try PortfolioOptimization.run(wanted, panel: panel) })
        #expect(problem.code == "OPT-101")
        #expect(problem.conflict == ["cardinality"])
        #expect(problem.relaxation?.first?.to == 4)
    }

    @Test("Shorts have least positions on their own side")
    func shorts() throws {
        let panel = try panel(seed: 10)
        var wanted = request(.mv, .minimumRisk)
        wanted.constraints.short = 0.5
        wanted.constraints.minPosition = 0.1
        wanted.constraints.cardinality = .init(max: 5)
        let found = try PortfolioOptimization.run(wanted, panel: panel)
        try Verification.check(wanted, panel: panel, result: found)
        #expect(found.weights.allSatisfy { $0 == 0 || abs($0) >= 0.1 - 1e-12 })
        #expect(found.weights.filter { $0 != 0 }.count <= 5)
    }

    @Test("Every point of a frontier keeps the rules and is the best of its kind", arguments: FrontierAxis.allCases)
    func frontier(axis: FrontierAxis) throws {
        let panel = try panel(seed: 11)
        for measure in [RiskMeasureCode.mv, .cvar] {
            var wanted = request(measure, .minimumRisk)
            wanted.frontier = .init(points: 6, axis: axis, withWeights: true)
            wanted.constraints.cardinality = .init(max: 2)
            let found = try PortfolioOptimization.run(wanted, panel: panel)
            try Verification.check(wanted, panel: panel, result: found)
            let points = try #require(found.frontier)
            #expect(points.count >= 3)
            for point in points {
                let weights = try #require(point.weights)
                #expect(weights.filter { $0 != 0 }.count <= 2)
                // Of all pairs none has less risk at that return.
                var best = Double.infinity
                for first in 0..<Self.count {
                    for second in first..<Self.count {
                        var one = request(measure, .minimumRisk)
                        one.constraints.upperBound = .byAsset(
                            (0..<Self.count).map { .init(Self.name($0), $0 == first || $0 == second ? 1 : 0) })
                        one.constraints.minReturn = point.expectedReturn / 252 - 1e-9
                        if let pair = try? PortfolioOptimization.run(one, panel: panel) {
                            best = min(best, pair.solution.risk * 252.0.squareRoot())
                        }
                    }
                }
                #expect(point.risk <= best * (1 + 1e-5), "\(measure) \(axis) \(point.risk) \(best)")
            }
        }
    }
}
