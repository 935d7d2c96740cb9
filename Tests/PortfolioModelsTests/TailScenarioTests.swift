import ConvexSolver
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// A conditional value at risk solved on its own scenarios is that of all of them.
@Suite("Scenarios of the tail")
struct TailScenarioTests {
    private func problem(
        _ panel: ReturnPanel, upper: Double = 1, alpha: Double = 0.05
    ) throws -> MeanRisk {
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = .cvar
        request.alpha = alpha
        request.periodsPerYear = 252
        if upper < 1 { request.constraints.upperBound = .all(upper) }
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let parameters = RiskParameters(alpha: alpha)
        return MeanRisk(
            model: ScenarioModel(panel: panel), measure: ConditionalValueAtRisk(parameters),
            covariance: moments.covariance,
            constraints: try ConstraintSet(
                request: request, mean: moments.mean, periodsPerYear: 252, panel: panel, parameters: parameters),
            parameters: parameters, reward: Reward(), deadline: .none)
    }

    @Test("the same weights as with all scenarios, for every objective", arguments: [0.01, 0.05, 0.1])
    func objectives(alpha: Double) throws {
        var reduced = 0
        for seed in 1...6 {
            let panel = try randomPanel(assets: 4 + 3 * seed, observations: 130 + 90 * seed, seed: UInt64(seed))
            let few = try problem(panel, upper: seed % 2 == 0 ? 0.4 : 1, alpha: alpha)
            for objective in [ObjectiveName.minimumRisk, .utility, .sharpe] {
                guard let (own, theirs) = try reducedAndWhole(few, objective) else { continue }
                reduced += 1
                for (a, b) in zip(own.weights, theirs.weights) { #expect(abs(a - b) < 1e-6, "\(seed) \(objective)") }
                let evidence = try #require(own.evidence.first?.evidence)
                #expect(evidence.duals[0].count == panel.observations)
                // The series belong to the envelope of all scenarios: they add up to one and prove the risk.
                let minorant = evidence.minorant(at: own.weights, few.model)
                let risk = few.measure.value(of: panel.portfolioReturns(own.weights))
                #expect(abs(minorant.value(at: own.weights) - risk) <= 1e-9 * abs(risk), "\(seed) \(objective)")
            }
        }
        #expect(reduced >= 9)
    }

    @Test("scenarios that the first guess left out are brought in")
    func missing() throws {
        let panel = try randomPanel(assets: 5, observations: 400, seed: 12)
        let whole = try problem(panel)
        let tail = try #require(TailScenarios(whole.model, measure: whole.measure))
        let w = [0.1, 0.3, 0.2, 0.2, 0.2]
        let losses = panel.portfolioReturns(w).map { -$0 }
        let order = losses.indices.sorted { losses[$0] > losses[$1] }
        // Without the worst of all, and with them.
        #expect(Set(tail.missing(at: w, kept: Array(order[3..<90]).sorted())).isSuperset(of: order[..<3]))
        #expect(tail.missing(at: w, kept: Array(order[..<90]).sorted()) == [])
        // Three times the twenty of the tail.
        #expect(Set(tail.likely(at: [w])) == Set(order[..<60]))
    }

    @Test("risk budgets on the tail are those on all scenarios")
    func budgets() throws {
        let panel = try randomPanel(assets: 8, observations: 500, seed: 13)
        var request = OptimizeRequest(assets: panel.assets)
        request.model = .riskParity
        request.riskMeasure = .cvar
        request.periodsPerYear = 252
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let parameters = RiskParameters()
        let set = try ConstraintSet(
            request: request, mean: moments.mean, periodsPerYear: 252, panel: panel, parameters: parameters)
        let budgeting = RiskBudgeting(
            model: ScenarioModel(panel: panel), measure: ConditionalValueAtRisk(parameters),
            covariance: moments.covariance, isSample: true, constraints: set, parameters: parameters,
            budgets: panel.assets.map { _ in 1 / 8 }, deadline: .none)
        let found = try budgeting.solve()
        // Nearly all scenarios: the tail is too wide to leave any out.
        let wide = RiskBudgeting(
            model: ScenarioModel(panel: panel),
            measure: ConditionalValueAtRisk(parameters).weighted(
                try #require(
                    WeightedRisk(
                        .cvar, parameters, probabilities: [Double](repeating: 1 / 500, count: 500)))),
            covariance: moments.covariance, isSample: true, constraints: set, parameters: parameters,
            budgets: panel.assets.map { _ in 1 / 8 }, deadline: .none)
        for (a, b) in zip(found.weights, try wide.solve().weights) { #expect(abs(a - b) < 1e-8) }
    }

    @Test("the smallest values are those of a whole sort, ties and orders that pivots do not suit included")
    func smallest() {
        var numbers = RepeatableNumbers(seed: 14)
        for trial in 0..<200 {
            let count = 1 + trial
            let x: [Double] = (0..<count).map { i in
                switch trial % 5 {
                case 0: numbers.normal()
                case 1: (numbers.normal() * 2).rounded()
                case 2: Double(i)
                case 3: Double(min(i, count - i))
                default: i % 7 == 0 ? .infinity : -numbers.normal()
                }
            }
            for wanted in [0, 1, count / 3, count - 1, count] {
                #expect(OrderStatistics.smallest(wanted, of: x) == Array(x.sorted().prefix(wanted)))
            }
        }
    }
}
