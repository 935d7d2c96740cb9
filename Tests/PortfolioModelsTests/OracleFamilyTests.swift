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
        var pending: [String] = []
        for record in records { try OracleCase(record, panel: panel).run(&pending) }
        PendingRecords.report(family, window, pending, of: records.count)
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
        // Point 19 of the grid of risk limits and point 0 have no interior: the limit is the least risk itself.
        #expect(try run("frontier", window) == 140)
    }
}
