import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Frontiers of any measure: worked on in parts at once, close to the largest return too.
@Suite("Frontiers of every measure")
struct MeasureFrontierTests {
    private func frontier(
        _ panel: ReturnPanel, _ code: RiskMeasureCode, _ axis: FrontierAxis, points: Int
    ) throws -> [OptimizeResponse.FrontierPoint] {
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = code
        request.objective = .minimumRisk
        request.periodsPerYear = 252
        request.frontier = .init(points: points, axis: axis, withWeights: true)
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        return try #require(found.frontier)
    }

    @Test(
        "points of a grid of risks are on it, and each is the largest return at its risk",
        arguments: [RiskMeasureCode.mad, .cvar, .cdar, .maximumDrawdown, .worstRealisation])
    func byRisk(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 45, observations: 260, seed: 81)
        let points = try frontier(panel, code, .risk, points: 12)
        #expect(points.count == 12)
        let (first, last) = (points[0].risk, points[11].risk)
        for (index, point) in points.enumerated() {
            let wanted = first + (last - first) * Double(index) / 11
            #expect(abs(point.risk - wanted) <= 1e-7 * wanted, "\(index)")
        }
        // The curve is concave: no point lies below the line of its neighbours.
        for (left, (middle, right)) in zip(points, zip(points.dropFirst(), points.dropFirst(2))) {
            let line = (left.expectedReturn + right.expectedReturn) / 2
            #expect(middle.expectedReturn >= line - 1e-7 * abs(line))
        }
    }

    @Test("the same figures each time, in whatever order the parts end", arguments: [RiskMeasureCode.mv, .cvar, .cdar])
    func repeatable(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 12, observations: 180, seed: 82)
        let points = try frontier(panel, code, .expectedReturn, points: 17)
        for _ in 0..<3 {
            let again = try frontier(panel, code, .expectedReturn, points: 17)
            #expect(points.map { $0.weights } == again.map { $0.weights })
        }
    }

    @Test(
        "largest returns that nearly tie, where most of the risks are next to the end",
        arguments: [RiskMeasureCode.mv, .cvar, .ulcerIndex, .evar, .kt])
    func nearlyTied(code: RiskMeasureCode) throws {
        // The asset of largest return is wild; another returns a ten thousandth less and is calm.
        let plain = try randomPanel(assets: 30, observations: 300, seed: 83)
        let columns = (0..<30).map { i -> [Double] in
            let own = plain.column(i)
            let mean = own.reduce(0, +) / 300
            let wanted = i == 0 ? 0.0016968444 : i == 1 ? 0.0016967 : 0.0003 + 0.00002 * Double(i)
            return own.map { (i == 0 ? 4 : 1) * ($0 - mean) + wanted }
        }
        let panel = try madePanel(columns)
        let points = try frontier(panel, code, .risk, points: 20)
        try #require(points.count == 20)
        let periods = 252.0
        let scale = code == .kt ? periods : periods.squareRoot()
        for (index, point) in points.enumerated() {
            let wanted = points[0].risk + (points[19].risk - points[0].risk) * Double(index) / 19
            #expect(abs(point.risk - wanted) <= 1e-9 * wanted, "\(index)")
            // The most that a solve with that ceiling finds.
            guard index > 0, index % 4 == 0 else { continue }
            var one = OptimizeRequest(assets: panel.assets)
            (one.riskMeasure, one.objective, one.periodsPerYear) = (code, .maximumReturn, periods)
            one.constraints.isAnnual = false
            one.constraints.maxRisk = [.init(measure: code, level: point.risk / scale)]
            let most = try PortfolioOptimization.run(one, panel: panel).solution.expectedReturn * periods
            #expect(abs(point.expectedReturn - most) <= 1e-7 * most, "\(index): \(point.expectedReturn), \(most)")
        }
    }
}
