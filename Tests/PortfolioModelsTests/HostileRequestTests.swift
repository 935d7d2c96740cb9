import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// What stopped the interior point, of each kind and for every measure: kinks at the solution, limits beside soft rows, scales far apart,
/// hardly any periods. Each problem has a portfolio, so each has an answer.
@Suite("Hostile requests")
struct HostileRequestTests {
    struct Kind: Sendable, CustomTestStringConvertible {
        var name: String
        var panel: @Sendable () throws -> ReturnPanel
        var apply: @Sendable (inout OptimizeRequest) -> Void

        var testDescription: String { name }
    }

    private static func equal(_ assets: [String]) -> [ConstraintRequest.AssetValue] {
        assets.map { .init($0, 1 / Double(assets.count)) }
    }

    static let kinds: [Kind] = [
        Kind(name: "costs that keep every position", panel: { try randomPanel(assets: 6, observations: 60, seed: 11) })
        {
            $0.constraints.costs = .init(
                from: equal($0.assets), linear: .all(0.5), impact: nil, horizon: 1)
        },
        Kind(name: "costs that keep some", panel: { try randomPanel(assets: 7, observations: 80, seed: 12) }) {
            $0.constraints.costs = .init(
                from: equal($0.assets), linear: .all(0.003), impact: .all(0.002), horizon: 1)
        },
        Kind(
            name: "a soft row at ten thousand times its price",
            panel: { try randomPanel(assets: 6, observations: 50, seed: 13) }
        ) {
            $0.constraints.groups = [.init("G", ["A0", "A1", "A2"])]
            $0.constraints.groupLimits = [.init(group: "G", min: 0.7, max: 0.7)]
            $0.constraints.soft = [.init(constraint: "group_constraints", weight: 100)]
        },
        Kind(name: "a soft row beside ceilings", panel: { try randomPanel(assets: 6, observations: 40, seed: 14) }) {
            $0.constraints.groups = [.init("G", ["A0", "A1", "A2"])]
            $0.constraints.groupLimits = [.init(group: "G", min: 0.8, max: nil)]
            $0.constraints.soft = [.init(constraint: "group_constraints", weight: 0.01)]
            $0.constraints.maxRisk = [.init(measure: .cvar, level: 0.03), .init(measure: .mad, level: 0.01)]
            $0.constraints.isAnnual = false
        },
        Kind(name: "two periods", panel: { try randomPanel(assets: 9, observations: 2, seed: 15) }) {
            $0.constraints.upperBound = .all(0.4)
            $0.constraints.costs = .init(from: equal($0.assets), linear: .all(0.001), impact: nil, horizon: 1)
        },
        Kind(
            name: "scales from 1e-4 to 1e2",
            panel: {
                let plain = try randomPanel(assets: 6, observations: 70, seed: 16)
                return try madePanel(
                    (0..<6).map { i in
                        plain.column(i).map { $0 * [1e-4, 1, 1e-2, 1e2, 1, 1e-3][i] * 1e-2 }
                    })
            }
        ) { $0.constraints.upperBound = .all(0.5) },
        Kind(name: "three ceilings", panel: { try randomPanel(assets: 8, observations: 60, seed: 17) }) {
            $0.constraints.maxRisk = [
                .init(measure: .maximumDrawdown, level: 0.25), .init(measure: .tailGini, level: 0.024),
                .init(measure: .evar, level: 0.03),
            ]
            $0.constraints.isAnnual = false
        },
        Kind(
            name: "short, gross, turnover and tracking error",
            panel: { try randomPanel(assets: 7, observations: 90, seed: 18) }
        ) {
            $0.constraints.lowerBound = .all(-0.3)
            $0.constraints.upperBound = .all(0.9)
            $0.constraints.short = 0.4
            $0.constraints.gross = 1.7
            $0.constraints.turnover = .init(from: equal($0.assets), perAsset: nil, total: 0.6)
            $0.constraints.benchmark = equal($0.assets)
            $0.constraints.trackingError = 0.004
            $0.constraints.isAnnual = false
        },
    ]

    static let cases = kinds.flatMap { kind in RiskMeasureCode.optimisable.map { (kind, $0) } }

    @Test("every measure and objective is answered with a proof", arguments: cases)
    func answers(kind: Kind, measure: RiskMeasureCode) throws {
        let panel = try kind.panel()
        for objective in ObjectiveName.allCases {
            var request = OptimizeRequest(assets: panel.assets)
            request.periodsPerYear = 252
            request.riskMeasure = measure
            request.objective = objective
            kind.apply(&request)
            let label = "\(measure.rawValue) \(objective.rawValue)"
            var result: OptimizationResult?
            let problem = caught {
                let found = try PortfolioOptimization.run(request, panel: panel)
                try Verification.check(request, panel: panel, result: found)
                result = found
            }
            // What has no risk has no largest ratio, and what costs more than it earns none above zero.
            if let problem, objective == .sharpe, problem.code == "OPT-203" { continue }
            #expect(problem == nil, "\(label): \(problem?.detail ?? "")")
            #expect((result?.solution.dualityGap ?? 0) <= 1e-7, "\(label)")
        }
    }

    @Test("the slope of every measure is one of a plane below it, ties or not", arguments: RiskMeasureCode.optimisable)
    func slopes(code: RiskMeasureCode) throws {
        let measure = try #require(RiskMeasures.measure(code, RiskParameters(target: 0.001)))
        var numbers = RepeatableNumbers(seed: 19)
        for trial in 0..<60 {
            let count = 2 + trial % 30
            func series() -> [Double] {
                (0..<count).map { _ in
                    // Rounded: many scenarios are equal.
                    trial % 2 == 0 ? (numbers.normal() * 3).rounded() / 100 : numbers.normal() / 100
                }
            }
            let (x, y) = (series(), series())
            let slope = measure.sensitivity(at: x)
            let plane = measure.value(of: x) + zip(slope, zip(x, y)).reduce(0) { $0 + $1.0 * ($1.1.1 - $1.1.0) }
            let size = max(abs(measure.value(of: y)), abs(measure.value(of: x)), 1e-6)
            #expect(measure.value(of: y) >= plane - 1e-9 * size, "trial \(trial)")
        }
    }
}
