import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Turning points against the quadratic program: they and the lines between them are the frontier.
@Suite("Turning points")
struct CriticalLineTests {
    struct Kind: Sendable, CustomTestStringConvertible {
        var name: String
        var assets = 8
        var observations = 120
        var apply: @Sendable (inout OptimizeRequest) -> Void = { _ in }
        var testDescription: String { name }
    }

    static let kinds: [Kind] = [
        Kind(name: "long only"),
        Kind(name: "many assets", assets: 40, observations: 200),
        Kind(name: "upper bounds") { $0.constraints.upperBound = .all(0.3) },
        Kind(name: "upper bounds that leave no free weight at the end") { $0.constraints.upperBound = .all(0.25) },
        Kind(name: "short") {
            $0.constraints.lowerBound = .all(-0.2)
            $0.constraints.upperBound = .all(0.6)
        },
        Kind(name: "groups and a row") {
            $0.constraints.groups = [.init("G", ["A0", "A1", "A2"]), .init("H", ["A5", "A6", "A7"])]
            $0.constraints.groupLimits = [
                .init(group: "G", min: 0.2, max: 0.5), .init(group: "H", min: nil, max: 0.4),
            ]
            $0.constraints.upperBound = .all(0.35)
        },
        Kind(name: "a range of the budget") { $0.constraints.budget = .init(min: 0.5, max: 1) },
    ]

    private func request(_ panel: ReturnPanel, _ kind: Kind) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.objective = .minimumRisk
        request.periodsPerYear = 1
        kind.apply(&request)
        return request
    }

    @Test(
        "points and the middles between them are of least risk at their returns", arguments: kinds,
        [91, 92, 93] as [UInt64])
    func frontier(kind: Kind, seed: UInt64) throws {
        let panel = try randomPanel(assets: kind.assets, observations: kind.observations, seed: seed)
        var wanted = request(panel, kind)
        wanted.frontier = .init(withWeights: true, turningPoints: true)
        let found = try PortfolioOptimization.run(wanted, panel: panel)
        #expect(Verification.faults(wanted, panel: panel, result: found) == [])
        let points = try #require(found.frontier)
        #expect(points.count >= 2)
        func leastRisk(_ level: Double) throws -> Double {
            var one = request(panel, kind)
            one.constraints.minReturn = level
            return try PortfolioOptimization.run(one, panel: panel).solution.risk
        }
        let weights = try points.map { try #require($0.weights) }
        // The ends are the least risk and the largest return.
        #expect(abs(points[0].risk - found.solution.risk) <= 1e-9 * found.solution.risk)
        var most = request(panel, kind)
        most.objective = .maximumReturn
        let best = try PortfolioOptimization.run(most, panel: panel).solution.expectedReturn
        let last = points[points.count - 1].expectedReturn
        #expect(abs(last - best) <= 1e-9 * abs(best))
        for (left, right) in zip(points.indices, points.indices.dropFirst()) {
            #expect(
                points[right].risk >= points[left].risk && points[right].expectedReturn > points[left].expectedReturn)
            for share in [0, 0.5] {
                let w = zip(weights[left], weights[right]).map { (1 - share) * $0 + share * $1 }
                let x = panel.portfolioReturns(w)
                let mean = x.reduce(0, +) / Double(x.count)
                let risk = try #require(RiskMeasures.measure(.mv, RiskParameters())).value(of: x)
                // At the end a level of the return leaves one portfolio, and rounding may leave none.
                guard mean < last - 1e-6 * abs(last) else { continue }
                let least = try leastRisk(mean)
                #expect(abs(risk - least) <= 1e-8 * least, "\(left) \(share)")
            }
        }
    }

    @Test("what has no turning points says so")
    func refused() throws {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 3)
        var kinds: [OptimizeRequest] = []
        var one = OptimizeRequest(assets: panel.assets)
        one.frontier = .init(turningPoints: true)
        one.riskMeasure = .cvar
        kinds.append(one)
        one.riskMeasure = .mv
        one.constraints.short = 0.3
        one.constraints.lowerBound = .all(-0.2)
        kinds.append(one)
        one.constraints = .init()
        one.constraints.cardinality = .init(max: 2)
        kinds.append(one)
        for wanted in kinds {
            #expect(caught { _ = try PortfolioOptimization.run(wanted, panel: panel) }?.code == "REQ-105")
        }
    }
}
