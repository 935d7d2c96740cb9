import LinearAlgebra
import WireFormat

/// A mean-risk model whose frontier points are each proven like a single answer: solved again where rounding spoiled a path.
struct ProvenFrontier: FrontierModel {
    let whole: MeanRiskSolve
    let model: MeanRisk

    var frontierUnit: Double { model.frontierUnit }
    func curve(_ risk: Double) -> Double { model.curve(risk) }
    func point(_ weights: [Double]) -> EfficientFrontier.Point { model.point(weights) }

    func leastRisk() throws(Problem) -> [Double] { try proven(.minimumRisk, model, []).weights }
    func mostReturn() throws(Problem) -> [Double] { try model.mostReturn() }

    func leastRisk(atLeast level: Double) throws(Problem) -> (weights: [Double], price: Double) {
        let mean = model.model.mean.map { $0 * model.model.unit }
        var demanding = model
        demanding.constraints.require(mean, atLeast: level)
        let row = demanding.constraints.constraints.count - 1
        let rule = RequestRules.Rule(
            name: demanding.constraints.constraints[row].name, coefficients: mean, low: level)
        let found = try proven(.minimumRisk, demanding, [rule])
        return (found.weights, found.prices[row])
    }

    private func proven(
        _ objective: ObjectiveName, _ model: MeanRisk, _ cuts: [RequestRules.Rule]
    ) throws(Problem) -> MeanRisk.Solution {
        let single = MeanRiskSolve(
            request: Self.request(whole.request, objective), panel: whole.panel, moments: whole.moments,
            isSample: whole.isSample, constraints: model.constraints, exposures: whole.exposures,
            parameters: whole.parameters, riskFreeRate: whole.riskFreeRate, deadline: whole.deadline,
            given: whole.given, observed: whole.observed)
        var best: (solution: MeanRisk.Solution, error: Double)?
        var failure: Problem?
        var attempt = model
        for regularisation in ModelDispatch.regularisations {
            attempt.regularisation = regularisation
            do throws(Problem) {
                let found = try attempt.solve(objective, riskFreeRate: 0, riskAversion: 1)
                let error = try single.certified(found, attempt, cuts: cuts).error
                if error < best?.error ?? .infinity { best = (found, error) }
            } catch {
                guard error.isOfRounding else { throw error }
                failure = error
            }
            if let best, best.error <= 1e-9 { break }
        }
        if let best { return best.solution }
        throw failure ?? Problem(.notConverged, "No point of the frontier at this return.")
    }

    private static func request(_ request: OptimizeRequest, _ objective: ObjectiveName) -> OptimizeRequest {
        var wanted = request
        wanted.objective = objective
        return wanted
    }
}
