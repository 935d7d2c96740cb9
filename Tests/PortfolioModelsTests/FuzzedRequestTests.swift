import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// What libFuzzer found on the path from a request to its solution (`Fuzzing/run`), each reduced to its cause.
@Suite("Requests found by fuzzing")
struct FuzzedRequestTests {
    private func answer(
        _ panel: ReturnPanel, _ apply: (inout OptimizeRequest) -> Void
    ) throws(Problem) -> OptimizationResult {
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        apply(&request)
        let found = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: found)
        return found
    }

    @Test("a box whose exclusion is decided is no longer branched on for the weights of the box around it")
    func decidedExclusion() {
        var rules = HoldingRules()
        rules.exclusions = [.init(name: "mutually_exclusive.0", first: [0], second: [1])]
        var box = HoldingBox(lower: [0, 0], upper: [1, 1])
        #expect(box.branches([0.5, 0.5], rules)?.count == 2)
        box.leaveOut(0)
        #expect(box.branches([0.5, 0.5], rules) == nil)
    }

    @Test("a box whose join is decided is no longer branched on, and one that is held without weight still is")
    func decidedJoin() {
        var rules = HoldingRules()
        rules.joins = [.init(name: "join.0", first: [0], second: [1])]
        var box = HoldingBox(lower: [0, 0], upper: [1, 1])
        box.hold(1, least: 0)
        // Held without a least weight: that has to be decided yet.
        #expect(box.branches([1, 0], rules)?.count == 2)
        box.hold(1, least: rules.leastHeld)
        #expect(box.branches([1, 0], rules) == nil)
        var without = HoldingBox(lower: [0, 0], upper: [1, 1])
        without.leaveOut(0)
        #expect(without.branches([1, 0], rules) == nil)
    }

    @Test("returns whose squares are no numbers are no returns", arguments: RiskMeasureCode.optimisable)
    func traces(code: RiskMeasureCode) throws {
        let plain = try randomPanel(assets: 4, observations: 12, seed: 71)
        let panel = try madePanel((0..<4).map { i in plain.column(i).map { $0 * 1e-200 } })
        #expect(panel.returns.storage.allSatisfy { $0 == 0 })
        let found = try answer(panel) {
            $0.riskMeasure = code
            $0.objective = .minimumRisk
        }
        #expect(found.solution.risk == 0)
    }

    @Test(
        "a limit on shares of a risk that nothing has", arguments: ["MAD", "CVaR", "MV"],
        ["MaxRet", "MinRisk", "Utility"])
    func sharesOfNothing(code: String, objective: String) throws {
        // Flat prices but for two moves in the first periods: in periods that all assets have nothing moves.
        let days = (10..<27).map { "\"2022-01-\($0)\"" }
        func values(_ first: [String], _ rest: String = "100") -> String {
            "[\((first + days.dropFirst(first.count).map { _ in rest }).joined(separator: ","))]"
        }
        let flat = (0..<6).map { "\"F\($0)\":\(values([]))" }.joined(separator: ",")
        let text = """
            {"risk_measure":"\(code)","objective":"\(objective)",
             "constraints":{"groups":{"G":["A","F0"],"H":["B","F1"]},"group_constraints":{"G":{"min":-0.42,"max":1000.0}},
              "risk_contribution":{"A":{"max":0.188}},"units":"period"},
             "prices":{"dates":[\(days.joined(separator: ","))],
              "values":{"A":\(values(["90.00001"])),"B":\(values(["null", "90.00001"])),"C":\(values([], "100.00000001")),\(flat)}}}
            """
        let request = try OptimizeRequest(json: try StrictJSON.parse(text, limits: .stored))
        let panel = try ReturnPanel.inline(try #require(request.panel), request: request)
        do throws(Problem) {
            let found = try PortfolioOptimization.run(request, panel: panel)
            try Verification.check(request, panel: panel, result: found)
        } catch {
            #expect(error.status == 422, "\(error.code) \(error.detail)")
        }
    }

    @Test("growth beyond all numbers is null with a warning")
    func growth() throws {
        let panel = try madePanel([[900, 800, 700, 900], [500, 900, 600, 700]])
        let found = try answer(panel) {
            $0.objective = .minimumRisk
            $0.convention = .pypfopt
        }
        #expect(found.metrics.first { $0.name == "expected_return" }?.value == nil)
        #expect(found.warnings.contains { $0.code == "beyond_numbers" })
    }

    @Test("a universe that never moves has a largest return under a limit of risk")
    func still() throws {
        let panel = try madePanel([[Double]](repeating: [Double](repeating: 0, count: 8), count: 4))
        let found = try answer(panel) {
            $0.objective = .maximumReturn
            $0.riskMeasure = .mad
            $0.constraints.maxRisk = [.init(measure: .mad, level: 0.1)]
            $0.constraints.isAnnual = false
        }
        #expect(found.solution.objectiveValue == 0)
    }

    @Test("a return beyond what any weights can reach is named as such", arguments: [1e3, 1e150])
    func outOfReach(level: Double) throws {
        let panel = try madePanel((0..<8).map { [Double](repeating: 1e-9 * Double($0), count: 17) })
        let problem = try #require(
            caught {
                try answer(panel) {
                    $0.objective = .maximumReturn
                    $0.riskMeasure = .mad
                    $0.constraints.minReturn = level
                    $0.constraints.benchmark = panel.assets.map { .init($0, 0.125) }
                    $0.constraints.trackingError = 0.16
                    $0.constraints.cardinality = .init(max: 6)
                    $0.constraints.isAnnual = false
                }
            })
        #expect(problem.code == "OPT-101" && problem.conflict?.contains("min_return") == true)
        #expect(
            problem.relaxation?.first { $0.constraint == "min_return" }.map { $0.from == level && $0.to <= 7e-9 }
                == true)
    }

    @Test("limits that contradict each other by a trillionth are named, not met by half")
    func trillionth() throws {
        let panel = try madePanel([[Double]](repeating: [Double](repeating: 0, count: 17), count: 4))
        for most in [0.0, 1e-12] {
            let problem = caught {
                try answer(panel) {
                    $0.objective = .minimumRisk
                    $0.constraints.groups = [.init("G", ["A0", "A1", "A2"]), .init("H", ["A0"])]
                    $0.constraints.groupLimits = [
                        .init(group: "G", min: 0, max: most), .init(group: "H", min: 1e-12, max: 1e-12),
                    ]
                }
            }
            guard most == 0 else {
                #expect(problem == nil)
                continue
            }
            #expect(problem?.code == "OPT-101")
            let named = Set(problem?.conflict ?? [])
            #expect(named.isSuperset(of: ["group_constraints.G.max", "group_constraints.H.min"]) && named.count <= 3)
        }
    }

    @Test("what rounding leaves of the budget goes to what is held, not to a group that holds nothing")
    func balance() throws {
        var wanted = OptimizeRequest(assets: ["A0", "A1", "A2"])
        wanted.constraints.lowerBound = .all(-1)
        wanted.constraints.upperBound = .all(2)
        let set = try ConstraintSet(request: wanted, mean: [0, 0, 0], periodsPerYear: 252)
        var weights = [1 - 3e-15, 0, 0]
        WeightCleanup.balance(&weights, set)
        #expect(weights == [1, 0, 0])
    }

    @Test(
        "contributions add up to lower partial moments whose target is the rate", arguments: ["FLPM", "SLPM"],
        [ModelName.hierarchicalEqualRisk, .hierarchicalRiskParity, .equalWeight, .nestedClusters])
    func targetContributions(code: String, model: ModelName) throws {
        let panel = try randomPanel(assets: 5, observations: 40, seed: 5)
        let found = try answer(panel) {
            $0.model = model
            $0.riskMeasure = RiskMeasureCode(rawValue: code) ?? .mv
            $0.objective = .sharpe
            $0.riskFreeRate = 0.02
        }
        let sum = found.riskContributions.reduce(0, +)
        #expect(abs(sum - found.solution.risk) <= 1e-12 * found.solution.risk)
    }

    @Test("half of each of two opposite assets has no risk, however few the periods are", arguments: [6, 40])
    func opposite(periods: Int) throws {
        let panel = try randomPanel(assets: 8, observations: periods, seed: 71, scale: 10)
        var columns = (0..<8).map { panel.column($0) }
        columns[4] = columns[3].map { -$0 }
        let found = try answer(try madePanel(columns)) { $0.objective = .minimumRisk }
        #expect(found.solution.risk <= 1e-12)
    }

    @Test("a correlation of nothing is nothing up to the root of rounding", arguments: [3, 7])
    func decorrelated(assets: Int) throws {
        let panel = try randomPanel(assets: assets, observations: 30, seed: 3)
        var columns = (0..<assets).map { panel.column($0) }
        columns[2] = columns[1].map { -1e-5 * $0 }
        let found = try answer(try madePanel(columns)) { $0.model = .maximumDecorrelation }
        #expect(found.solution.objectiveValue <= 1e-7)
    }

    @Test("a utility is measured by its terms where the risk is a gain", arguments: ["CVaR", "EVaR", "WR", "TG"])
    func gain(code: String) throws {
        // All but the first lose; that one earns the same in every period, up to its tenth digit.
        let panel = try randomPanel(assets: 9, observations: 17, seed: 8)
        var numbers = RepeatableNumbers(seed: 4)
        let safe = (0..<17).map { _ in 1e-4 * (1 + 1e-9 * numbers.normal()) }
        let found = try answer(try madePanel([safe] + (1..<9).map { i in panel.column(i).map { $0 - 0.001 } })) {
            $0.riskMeasure = RiskMeasureCode(rawValue: code) ?? .cvar
            $0.objective = .utility
            $0.riskAversion = 15
            $0.kelly = .approx
        }
        #expect(found.solution.risk < 0 && found.solution.dualityGap <= Verification.fullProof)
    }

    @Test("a utility of which hedges leave next to nothing is proven on the scenarios", arguments: [3, 5, 9])
    func hedgedUtility(seed: UInt64) throws {
        let panel = try randomPanel(assets: 2, observations: 7, seed: seed, scale: 300)
        let (own, other) = (panel.column(0), panel.column(1))
        let found = try answer(
            try madePanel([own, [900] + own.dropFirst()] + [1, -1, 1, 2, 4, 8].map { k in other.map { k * $0 } })
        ) { $0.objective = .utility }
        #expect(found.solution.dualityGap <= Verification.largestGap)
    }
}
