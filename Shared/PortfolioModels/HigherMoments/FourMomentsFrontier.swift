import LinearAlgebra
import WireFormat

/// The efficient frontier of four moments: the least risk `l_0 variance - l_1 third + l_2 fourth` at each mean, every point proven.
struct FourMomentsFrontier: FrontierModel {
    let dispatch: ModelDispatch
    let model: ScenarioModel

    var frontierUnit: Double { model.unit }

    func point(_ weights: [Double]) -> EfficientFrontier.Point {
        let found = FourMomentsPoint(
            model, dispatch.request.momentAversion ?? .init(), objective: .minimumRisk, rate: 0, weights: weights)
        return .init(weights: weights, expectedReturn: found.mean, risk: found.risk)
    }

    func leastRisk() throws(Problem) -> [Double] { try solved(.minimumRisk, atLeast: nil).weights }

    func mostReturn() throws(Problem) -> (weights: [Double], isOnly: Bool) {
        (try solved(.maximumReturn, atLeast: nil).weights, false)
    }

    func curve(_ risk: Double) -> Double { risk }

    func leastRisk(atLeast level: Double, near: [Double]?) throws(Problem) -> (weights: [Double], price: Double) {
        let found = try solved(.minimumRisk, atLeast: level)
        let unit = dispatch.request.constraints.isAnnual ? dispatch.periodsPerYear : 1
        return (found.weights, unit * (found.prices.first { $0.constraint == "min_return" }?.dual ?? 0))
    }

    private func solved(_ objective: ObjectiveName, atLeast least: Double?) throws(Problem) -> OptimizationResult {
        var request = dispatch.request
        request.objective = objective
        request.frontier = nil
        // The target of lower partial moments stays that of the request's own objective.
        request.target = dispatch.parameters.target
        if let least {
            let level = least * (request.constraints.isAnnual ? dispatch.periodsPerYear : 1)
            request.constraints.minReturn = max(level, request.constraints.minReturn ?? level)
        }
        return try dispatch.replacing(
            request,
            constraints: ConstraintSet(
                request: request, mean: dispatch.moments.mean, periodsPerYear: dispatch.periodsPerYear,
                panel: dispatch.panel, parameters: dispatch.parameters, covariance: dispatch.own?.covariance,
                exposures: dispatch.exposures)
        ).fourMoments()
    }
}
