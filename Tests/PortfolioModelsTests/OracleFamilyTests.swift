import PortfolioModels
import Testing
import WireFormat

/// Every record of the certified answers, family by family: value, constraints, gap and verification.
@Suite("Certified answers", .enabled(if: Oracle.isPresent, "no ../shared"))
struct OracleFamilyTests {
    static let shorter = ["sp500_n10_T500", "sp500_n20_T1008"]

    private func run(
        _ family: String, _ window: String, _ chosen: (JSONValue) -> Bool = { _ in true }
    ) throws -> Int {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records(family, window).filter(chosen)
        for record in records { try OracleCase(record, panel: panel).run() }
        return records.count
    }

    @Test("the judge agrees with every record at the record's own weights", arguments: Oracle.windows)
    func judge(window: String) throws {
        let panel = try Oracle.panel(window)
        for family in ["optimization", "constrained", "kelly", "frontier"] {
            for record in try Oracle.records(family, window) {
                let oracle = try OracleCase(record, panel: panel)
                let miss = try oracle.shortfall(of: try record.numbers("weights"))
                #expect(abs(miss) <= 1e-9, "\(family) \(oracle.label): \(miss)")
                let violation = try oracle.violation(of: try record.numbers("weights").map { abs($0) < 1e-12 ? 0 : $0 })
                #expect(violation <= 2e-8, "\(family) \(oracle.label): broken by \(violation)")
                _ = try oracle.request()
            }
        }
    }

    @Test("26 measures and four objectives", arguments: Oracle.windows)
    func optimization(window: String) throws {
        #expect(try run("optimization", window) == 105)
    }

    @Test("bounds, groups, rows, shorts, turnover, tracking, ceilings, choice", arguments: shorter)
    func constrained(window: String) throws {
        #expect(try run("constrained", window) == (window == "sp500_n10_T500" ? 193 : 145))
    }

    @Test("logarithmic growth, exact and approximate", arguments: shorter)
    func kelly(window: String) throws {
        #expect(try run("kelly", window) == 18)
    }

    @Test("single points of frontiers", arguments: shorter)
    func frontierPoints(window: String) throws {
        // At point 0 of the grid of risk limits the limit is the least risk itself, to the last digit: whether any portfolio
        // keeps it is a matter of rounding. The whole frontier below has that point.
        let count = try run("frontier", window) {
            $0["grid"]?.stringValue != "risk" || $0["point"]?.intValue != 0
        }
        #expect(count == 138)
    }

    @Test("the judge's L-moments are the oracle's")
    func linearMoments() throws {
        let records = try Oracle.records("owa", "sp500_n10_T500").filter { $0["kind"]?.stringValue == "weights" }
        var compared = 0
        for record in records {
            guard let theirs = try? record.numbers("weights") else { continue }
            let name = try record.text("name")
            let own: [Double]
            if name.hasPrefix("l_moment_crm_4_CRRA") {
                own = LinearMoments.crra(count: theirs.count, order: 4, gamma: 0.5)
            } else if let order = name.split(separator: "_").last.flatMap({ Int($0) }), name.hasPrefix("l_moment_") {
                own = LinearMoments.moment(order, count: theirs.count)
            } else {
                continue
            }
            compared += 1
            for (a, b) in zip(own, theirs) { #expect(abs(a - b) < 1e-12, "\(name)") }
        }
        #expect(compared == 8)
    }

    @Test("ordered weighted averages", arguments: ["sp500_n10_T500", "sp500_n20_T500"])
    func orderedAverages(window: String) throws {
        let count = try run("owa", window) { $0["kind"]?.stringValue == "portfolio" }
        #expect(count == 8)
    }

    @Test("whole frontiers of 20 points", arguments: shorter)
    func frontiers(window: String) throws {
        let panel = try Oracle.panel(window)
        var tried = 0
        let all = try Oracle.records("frontier", window)
        for measure in [RiskMeasureCode.mv, .cvar, .mad, .cdar, .evar] {
            for axis in FrontierAxis.allCases {
                let grid = all.filter {
                    $0["grid"]?.stringValue == axis.rawValue && $0["rm"]?.stringValue == measure.rawValue
                }
                guard !grid.isEmpty else { continue }
                tried += 1
                try compare(grid, measure, axis, panel)
            }
        }
        #expect(tried == 7)
    }

    private func compare(
        _ grid: [JSONValue], _ measure: RiskMeasureCode, _ axis: FrontierAxis, _ panel: ReturnPanel
    ) throws {
        var request = OptimizeRequest(assets: panel.assets)
        // Annual figures of one period a year are those per period.
        request.periodsPerYear = 1
        request.riskMeasure = measure
        request.objective = .minimumRisk
        request.frontier = .init(points: 20, axis: axis, withWeights: true)
        let points = try #require(try PortfolioOptimization.run(request, panel: panel).frontier)
        #expect(points.count == 20, "\(measure) \(axis)")
        guard points.count == 20 else { return }
        for record in grid {
            let index = Int(try record.number("point"))
            let oracle = try OracleCase(record, panel: panel)
            let weights = try #require(points[index].weights)
            // The grid's own ends are answers: a point may lie off its level by what the ends are off, no more.
            let miss = try oracle.shortfall(of: weights)
            let tolerance = axis == .risk ? 1e-6 : oracle.tolerance
            #expect(abs(miss) <= tolerance, "\(measure) \(axis) point \(index): off by \(miss)")
            #expect(try oracle.violation(of: weights) <= 1e-8, "\(measure) \(axis) point \(index)")
        }
    }
}
