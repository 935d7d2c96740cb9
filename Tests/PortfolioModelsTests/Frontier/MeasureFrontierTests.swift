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
}
