import LinearAlgebra
import WireFormat

/// The objective of a mean-risk problem at given weights, by definition, and an affine majorant of what any weights can reach.
struct MeanRiskPoint {
    /// The mean return, without costs.
    let expectedReturn: Double
    /// The mean or the growth, less costs: what the objective counts.
    let reward: Double
    let risk: Double
    /// In its natural sense.
    let objective: Double
    /// Slope of the linearised objective in its improving direction, in reported units.
    let direction: [Double]
    /// What the linearised objective leaves above the objective at the weights: how far the minorants are from touching.
    let slack: Double
    /// Of a ratio, what a share more of it takes from direction and slack.
    let perRatio: (slope: [Double], slack: Double)

    /// - Parameters:
    ///   - model: of the solve.
    ///   - evidence: what the solve found about kinks; MV and MaxRet have none.
    init(
        objective name: ObjectiveName, model: MeanRisk, weights: [Double], riskFreeRate rate: Double,
        riskAversion: Double, evidence: SolutionEvidence
    ) {
        let scenarios = model.model
        let mean = scenarios.mean.map { $0 * scenarios.unit }
        let expectedReturn = Vector.dot(mean, weights)
        var reward = expectedReturn
        var slope = mean
        // What the slopes of return and of costs are above them at the weights: nothing, but for averages of tangents.
        var (growthMiss, lostMiss) = (0.0, 0.0)
        // Costs and penalties.
        var (lost, lostSlope) = (0.0, [Double](repeating: 0, count: weights.count))
        let x = scenarios.panel.portfolioReturns(weights)
        let shares = evidence.tangents?.objective ?? []
        let isTangent = !shares.isEmpty
        if model.reward.kelly != .none {
            let own = model.lostReturnTangent(at: weights)
            reward = -own.value
            let minorant =
                isTangent
                ? Minorant(average: shares) { model.lostReturnTangent(at: $0) } : Minorant(own, at: weights)
            slope = minorant.slope.map { -$0 }
            growthMiss = isTangent ? max(own.value - minorant.value(at: weights), 0) : 0
        }
        if let costs = model.reward.costs {
            lost += costs.value(at: weights)
            if let slopes = evidence.costSlopes {
                let paid = costs.minorant(slopes: slopes)
                Vector.axpy(1, paid.slope, &lostSlope)
                lostMiss += max(lost - paid.value(at: weights), 0)
            } else {
                Vector.axpy(1, costs.minorant(at: weights, kinks: evidence.costKinks).slope, &lostSlope)
            }
        }
        let penalty = SoftPenalty(model, evidence: evidence, weights: weights)
        lost += penalty.value
        lostMiss += penalty.miss
        reward -= lost
        for i in slope.indices {
            lostSlope[i] += penalty.slope[i]
            slope[i] -= lostSlope[i]
        }
        let isMV = type(of: model.measure).code == .mv
        let risk: Double
        // Below the risk; below the variance of MV in a utility.
        let minorant: Minorant
        let counted: Double
        let isVariance = isMV && name == .utility
        if isMV {
            let own = model.riskTangent(at: weights)
            risk = own.value
            counted = isVariance ? risk * risk : risk
            minorant =
                isTangent
                ? Minorant(average: shares) { model.riskTangent(at: $0, isVariance: isVariance) }
                : isVariance
                    ? Minorant(slope: own.slope.map { 2 * risk * $0 }, constant: -counted)
                    : Minorant(slope: own.slope, constant: 0)
        } else {
            risk = model.measure.value(of: x)
            counted = risk
            minorant =
                isTangent
                ? Minorant(average: shares) { model.riskTangent(at: $0) }
                : evidence.objective?.minorant(at: weights, scenarios)
                    ?? Minorant(slope: weights.map { _ in 0 }, constant: 0)
        }
        let miss = isVariance && !isTangent ? 0 : max(counted - minorant.value(at: weights), 0)
        self.expectedReturn = expectedReturn
        self.reward = reward
        self.risk = risk
        switch name {
        case .minimumRisk:
            objective = risk + lost
            direction = zip(minorant.slope, lostSlope).map { -$0 - $1 }
            slack = miss + lostMiss
        case .utility:
            // The variance is linearised as such.
            objective = reward - riskAversion * counted
            direction = zip(slope, minorant.slope).map { $0 - riskAversion * $1 }
            slack = riskAversion * miss + growthMiss + lostMiss
        case .maximumReturn:
            objective = reward
            direction = slope
            slack = growthMiss + lostMiss
        case .sharpe:
            let ratio = risk > 0 ? (reward - rate) / risk : 0
            objective = ratio
            direction = zip(slope, minorant.slope).map { risk > 0 ? ($0 - ratio * $1) / risk : 0 }
            slack = risk > 0 ? (ratio * miss + growthMiss + lostMiss) / risk : 0
            perRatio = risk > 0 ? (minorant.slope.map { $0 * ratio / risk }, ratio * miss / risk) : ([], 0)
            return
        }
        perRatio = ([], 0)
    }
}
