import ConvexSolver
import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Newton's method on the scenarios that are below against the interior point on all of them.
@Suite("Semi-deviation and lower partial moment")
struct SemivarianceMethodTests {
    private func problem(
        _ panel: ReturnPanel, _ code: RiskMeasureCode, upper: Double = 1, target: Double = 0,
        reward: Reward = Reward()
    ) throws -> MeanRisk {
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = code
        request.periodsPerYear = 252
        if upper < 1 { request.constraints.upperBound = .all(upper) }
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let parameters = RiskParameters(target: target)
        let measure: any ConvexRiskMeasure =
            code == .msv ? SemiDeviation(parameters) : SecondLowerPartialMoment(parameters)
        return MeanRisk(
            model: ScenarioModel(panel: panel), measure: measure, covariance: moments.covariance,
            constraints: try ConstraintSet(
                request: request, mean: moments.mean, periodsPerYear: 252, panel: panel, parameters: parameters),
            parameters: parameters, reward: reward, deadline: .none)
    }

    @Test(
        "the interior point's weights and prices, and a series that proves them",
        arguments: [RiskMeasureCode.msv, .slpm])
    func same(code: RiskMeasureCode) throws {
        for seed in 1...8 {
            let panel = try randomPanel(assets: 3 + 2 * seed, observations: 40 + 60 * seed, seed: UInt64(seed))
            let own = try problem(panel, code, upper: seed % 2 == 0 ? 0.3 : 1)
            for objective in [ObjectiveName.minimumRisk, .sharpe] {
                let method = try #require(SemivarianceMethod(own, objective))
                let found = try #require(try method.solve(objective, riskFreeRate: 1e-5), "\(seed) \(objective)")
                let whole = try #require(try own.solveCapped(objective, riskFreeRate: 1e-5, riskAversion: 1))
                for (a, b) in zip(found.weights, whole.weights) { #expect(abs(a - b) < 1e-5, "\(seed) \(objective)") }
                for (a, b) in zip(found.prices, whole.prices) {
                    #expect(abs(a - b) <= 1e-5 * max(abs(a), 1e-4), "\(seed) \(objective)")
                }
                // The series are in the envelope as they are, and their minorant touches the measure.
                let evidence = try #require(found.evidence.first?.evidence)
                let minorant = evidence.minorant(at: found.weights, own.model)
                let risk = own.measure.value(of: panel.portfolioReturns(found.weights))
                #expect(abs(minorant.value(at: found.weights) - risk) <= 1e-13 * risk, "\(seed) \(objective)")
                let other = own.measure.value(of: panel.portfolioReturns(whole.weights))
                if objective == .minimumRisk { #expect(risk <= other * (1 + 1e-12)) }
            }
        }
    }

    @Test("a target that is not zero, a utility and a limit of risk are not of that kind")
    func others() throws {
        let panel = try randomPanel(assets: 4, observations: 80, seed: 3)
        #expect(SemivarianceMethod(try problem(panel, .slpm, target: 1e-3), .minimumRisk) == nil)
        #expect(SemivarianceMethod(try problem(panel, .msv), .utility) == nil)
        #expect(SemivarianceMethod(try problem(panel, .msv, reward: Reward(kelly: .exact)), .sharpe) == nil)
    }

    @Test("a portfolio that is never below ends it without an answer")
    func riskless() throws {
        var columns: [[Double]] = []
        for asset in 0..<3 {
            columns.append((0..<60).map { (t: Int) -> Double in Double((t * 31 + 7 * asset) % 17) / 170 - 0.04 })
        }
        columns.append([Double](repeating: 2e-4, count: 60))
        let own = try problem(try madePanel(columns), .slpm)
        let method = try #require(SemivarianceMethod(own, .minimumRisk))
        #expect(try method.solve(.minimumRisk, riskFreeRate: 0) == nil)
    }
}
