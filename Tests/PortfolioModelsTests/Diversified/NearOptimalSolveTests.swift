import ConvexSolver
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("One solve of a nearly optimal portfolio")
struct NearOptimalSolveTests {
    /// The ceiling's price is some tens here: without scaling the entropic measures' first attempts end at a twentieth of one.
    @Test(
        "reaches the ceiling's price from wherever it starts",
        arguments: [RiskMeasureCode.evar, .edar, .rlvar, .rldar, .cvar, .ulcerIndex, .mv, .mad])
    func price(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 12, observations: 250, seed: 92)
        for objective in [ObjectiveName.minimumRisk, .utility] {
            var request = OptimizeRequest(assets: panel.assets)
            request.riskMeasure = measure
            request.objective = objective
            request.periodsPerYear = 252
            let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
            let parameters = RiskParameters(request)
            let set = try ConstraintSet(
                request: request, mean: moments.mean, periodsPerYear: 252, panel: panel, parameters: parameters)
            let solved = try MeanRiskSolve(
                request: request, panel: panel, moments: moments, isSample: true, constraints: set,
                parameters: parameters, riskFreeRate: 0, deadline: .none
            ).run()
            let problem = NearOptimal(
                base: solved.meanRisk, objective: objective, rate: 0, aversion: request.riskAversion, tolerance: 0.05,
                optimum: solved.weights, best: solved.solution.objectiveValue)
            for spread in [0.1, 0.01, 0.5] {
                let found = try problem.solve(
                    from: solved.weights, spread: spread, width: nil, regularisation: 1e-14)
                let proof = NearOptimalProof(problem: problem, ceiling: found.ceiling)
                let prices = zip(set.constraints, found.prices).filter { $1 != 0 }.map {
                    OptimizeResponse.Binding(constraint: $0.name, dual: $1)
                }
                // The linearised objective leaves nothing to gain.
                let bound = OptimalityBound(
                    request, panel: panel, mean: nil, weights: found.weights,
                    direction: proof.direction(found.weights), slack: 0, size: 1, prices: prices, periodsPerYear: 252)
                #expect(bound.relativeGap <= 1e-8, "\(measure) \(objective) \(spread): \(bound.relativeGap)")
                #expect(found.ceiling.price > 1)
            }
        }
    }
}
