import LinearAlgebra
import WireFormat

/// Limits of concentration that leave one portfolio: as many effective assets as there are.
extension MeanRiskSolve {
    /// How far beside the only portfolio, as a share of the budget, the tangent that proves it touches: the root of rounding, as half of it is
    /// what the proof is short of, and its price grows as it shrinks.
    private static let beside = 1e-8

    /// Equal weights, where the limit of concentration and the budget allow nothing else; nil where they allow more, or where other constraints
    /// do not allow that.
    ///
    /// An interior does not exist, and the sum of squares has no slope there but the budget's. A tangent of it a step t beside the portfolio,
    /// in the direction e to which the objective would improve, says `e'(v - w) <= t / 2` for every allowed v.
    func onlyPortfolio(_ model: MeanRisk) throws(Problem) -> Solved? {
        let set = model.constraints
        let open = set.lower.indices.filter { set.lower[$0] != 0 || set.upper[$0] != 0 }
        let (count, total) = (Double(open.count), set.budget.max)
        guard total > 0, set.budget.min == total,
            let budget = set.constraints.firstIndex(where: { $0.name == "budget" }),
            let limit = set.convex.first(where: { set.constraints[$0.index].isConcentration }),
            limit.limit.most <= total * total / count * (1 + 4 * count * Double.ulpOfOne)
        else { return nil }
        var weights = set.lower.map { _ in 0.0 }
        for i in open { weights[i] = total / count }
        guard open.allSatisfy({ set.lower[$0] <= weights[$0] && weights[$0] <= set.upper[$0] }),
            set.residual(at: weights) <= 1e-10
        else { return nil }
        var tangents = TangentEvidence(objective: [(weights, 1)])
        var evidence = SolutionEvidence()
        evidence.tangents = tangents
        evidence.costKinks = weights.map { _ in 0 }
        evidence.soft = set.soft.map { _ in SoftEvidence(share: 0) }
        let direction = MeanRiskPoint(
            objective: request.objective, model: model, weights: weights, riskFreeRate: riskFreeRate,
            riskAversion: request.riskAversion, evidence: evidence
        ).direction
        let mean = open.reduce(0) { $0 + direction[$1] } / count
        var across = weights.map { _ in 0.0 }
        for i in open { across[i] = direction[i] - mean }
        let length = Vector.dot(across, across).squareRoot()
        let step = Self.beside * total
        let price = length / (2 * step)
        if length > 0 {
            let touched = zip(weights, across).map { $0 + step / length * $1 }
            tangents.limits = [(set.constraints[limit.index].name, [(touched, 1)])]
        }
        var prices = set.constraints.map { _ in 0.0 }
        prices[limit.index] = price * abs(limit.limit.perLevel)
        prices[budget] = mean - 2 * price * total / count
        var solved = try certified(
            MeanRisk.Solution(
                weights: weights, prices: prices, evidence: [], costKinks: evidence.costKinks, soft: evidence.soft,
                tangents: tangents, iterations: 0, primalResidual: 0, dualResidual: 0), model)
        solved.solution.method = "only_portfolio"
        // No other is allowed, whatever the prices leave open.
        solved.gain = 0
        return solved.isProven ? solved : nil
    }
}
