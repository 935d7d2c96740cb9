import LinearAlgebra
import WireFormat

/// A mean-risk model whose frontier points are each found and proven like a single answer.
struct ProvenFrontier: FrontierModel {
    let whole: MeanRiskSolve
    let model: MeanRisk

    var frontierUnit: Double { model.model.unit }
    func curve(_ risk: Double) -> Double { risk }

    func point(_ weights: [Double]) -> EfficientFrontier.Point {
        let x = model.model.panel.portfolioReturns(weights)
        return .init(
            weights: weights, expectedReturn: Vector.dot(model.model.mean, weights) * model.model.unit,
            risk: model.measure.value(of: x))
    }

    func leastRisk() throws(Problem) -> [Double] { try single(model).convex(model).weights }

    func mostReturn() throws(Problem) -> (weights: [Double], isOnly: Bool) {
        let found = try model.solve(.maximumReturn, riskFreeRate: 0, riskAversion: 0)
        let isOnly =
            model.reward.isLinear
            && BindingConstraints.isOnlyBest(
                found.weights, gradient: model.model.mean.map { $0 * model.model.unit }, prices: found.prices,
                model.constraints)
        return (found.weights, isOnly)
    }

    /// Of MV a utility counts the variance, which is not the curve; costs and penalties would count at both ends of it.
    func mostReturn(lessCurveOver slope: Double) throws(Problem) -> [Double]? {
        guard type(of: model.measure).code != .mv || whole.given != nil, model.reward.costs == nil,
            model.constraints.soft.isEmpty
        else { return nil }
        var plain = model
        plain.reward = Reward(kelly: .none)
        return try single(plain, aversion: 1 / slope).convex(plain).weights
    }

    func leastRisk(atLeast level: Double, near: [Double]?) throws(Problem) -> (weights: [Double], price: Double) {
        let mean = model.model.mean.map { $0 * model.model.unit }
        var demanding = model
        demanding.constraints.require(mean, atLeast: level)
        // A neighbour's scenarios decide here too.
        if model.deciding != nil { demanding.nearby = near }
        let row = demanding.constraints.constraints.count - 1
        let name = demanding.constraints.constraints[row].name
        let found = try single(demanding, cuts: [.init(name: name, coefficients: mean, low: level)]).convex(demanding)
        return (found.weights, found.prices.first { $0.constraint == name }?.dual ?? 0)
    }

    /// The least risk under the model's constraints, or the largest return less an aversion times the risk.
    private func single(
        _ model: MeanRisk, cuts: [RequestRules.Rule] = [], aversion: Double? = nil
    ) -> MeanRiskSolve {
        var request = whole.request
        request.objective = .minimumRisk
        if let aversion {
            request.objective = .utility
            (request.kelly, request.riskAversion) = (.none, aversion)
        }
        var single = MeanRiskSolve(
            request: request, panel: whole.panel, moments: whole.moments,
            isSample: whole.isSample, constraints: model.constraints, exposures: whole.exposures,
            parameters: whole.parameters, riskFreeRate: whole.riskFreeRate, deadline: whole.deadline,
            given: whole.given, observed: whole.observed)
        single.cuts = cuts
        // Points are proven to the last digit that counts, not to the last there is.
        single.enough = Verification.fullProof / 2
        return single
    }
}
