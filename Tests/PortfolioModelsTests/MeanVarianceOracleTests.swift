import ConvexSolver
import PortfolioModels
import Testing
import WireFormat

@Suite("Mean-variance against certified answers", .enabled(if: Oracle.isPresent, "no ../shared"))
struct MeanVarianceOracleTests {
    @Test("all four objectives on every window", arguments: Oracle.windows)
    func objectives(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("optimization", window).filter { $0["rm"]?.stringValue == "MV" }
        #expect(records.count == 5)
        for record in records { try compare(record, panel) }
    }

    @Test(
        "bounds, groups, relative rows, long-short, turnover, least return",
        arguments: ["sp500_n10_T500", "sp500_n20_T1008"])
    func constrained(window: String) throws {
        let panel = try Oracle.panel(window)
        let cases = ["bounds", "groups", "all", "long_short", "turnover_per_asset", "turnover_total", "minimum_return"]
        let records = try Oracle.records("constrained", window).filter {
            $0["rm"]?.stringValue == "MV" && cases.contains($0["case"]?.stringValue ?? "")
        }
        #expect(records.count == 16)
        for record in records { try compare(record, panel) }
    }

    @Test("the frontier by return and by risk", arguments: ["sp500_n10_T500", "sp500_n20_T1008"])
    func frontier(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("frontier", window).filter { $0["rm"]?.stringValue == "MV" }
        for axis in FrontierAxis.allCases {
            let grid = records.filter { $0["grid"]?.stringValue == axis.rawValue }
            #expect(grid.count == 20)
            var request = OptimizeRequest(assets: panel.assets)
            request.periodsPerYear = 1
            request.objective = .minimumRisk
            request.frontier = .init(points: 20, axis: axis, withWeights: true)
            let result = try PortfolioOptimization.run(request, panel: panel)
            let points = try #require(result.frontier)
            #expect(points.count == 20)
            for record in grid {
                let point = points[Int(try record.number("point"))]
                let value = try record.number("value")
                let limit = try record.number(axis == .risk ? "max_risk" : "min_return")
                // The risk grid comes from a conic solver at 1e-11; its last digits move the limit.
                let tolerance = axis == .risk ? 1e-7 : 1e-8
                let own = axis == .risk ? point.expectedReturn : point.risk
                let level = axis == .risk ? point.risk : point.expectedReturn
                #expect(abs(own - value) <= tolerance * value, "\(axis) \(own) \(value)")
                #expect(abs(level - limit) <= tolerance * limit, "\(axis) \(level) \(limit)")
                let weights = try #require(point.weights)
                #expect(abs(weights.reduce(0, +) - 1) <= 1e-12)
                #expect(weights.allSatisfy { $0 >= 0 })
            }
        }
    }

    private func compare(_ record: JSONValue, _ panel: ReturnPanel) throws {
        let request = try oracleRequest(record, panel: panel)
        let label = "\(record["case"]?.stringValue ?? "") \(request.objective.rawValue) \(request.riskFreeRate)"
        let result = try PortfolioOptimization.run(request, panel: panel)
        let value = try record.number("value")
        let gap = max(record["certified_rel_gap"]?.doubleValue ?? 0, 0)
        let miss = (result.solution.objectiveValue - value) / value * (request.objective == .minimumRisk ? 1 : -1)
        #expect(miss <= 1e-8, "\(label): worse by \(miss)")
        #expect(miss >= -1e-8 - gap, "\(label): better by \(-miss), the certificate allows \(gap)")
        let solution = result.solution
        #expect(solution.status == "optimal")
        #expect(
            solution.dualityGap <= 1e-9 && solution.primalResidual <= 1e-9 && solution.dualResidual <= 1e-9, "\(label)")
        #expect(abs(result.weights.reduce(0, +) - 1) <= 1e-12, "\(label)")
        #expect(Verification.faults(request, panel: panel, result: result) == [], "\(label)")
        let theirs = try record.numbers("weights")
        for (own, other) in zip(result.weights, theirs) {
            #expect(abs(own - other) < 2e-4, "\(label)")
            if other < 1e-12, other > -1e-12, request.constraints.turnover == nil {
                #expect(own == 0, "\(label): \(own)")
            }
        }
    }
}
