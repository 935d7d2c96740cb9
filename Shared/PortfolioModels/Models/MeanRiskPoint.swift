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
        // Costs and penalties.
        var (lost, lostSlope) = (0.0, [Double](repeating: 0, count: weights.count))
        let x = scenarios.panel.portfolioReturns(weights)
        switch model.reward.kelly {
        case .none: break
        case .approx:
            let image = model.covariance.symmetricMultiplied(by: weights)
            reward -= 0.5 * Vector.dot(image, weights)
            for i in slope.indices { slope[i] -= image[i] }
        case .exact:
            reward = 0
            var series = x
            for t in x.indices {
                reward += scenarios.probabilities[t] * LogarithmicGrowth.of(x[t])
                series[t] = scenarios.probabilities[t] / (1 + x[t])
            }
            slope = scenarios.panel.returns.transposedMultiplied(by: series)
        }
        if let costs = model.reward.costs {
            let paid = costs.minorant(at: weights, kinks: evidence.costKinks)
            lost += costs.value(at: weights)
            for i in slope.indices { lostSlope[i] += paid.slope[i] }
        }
        let penalty = SoftPenalty(model, evidence: evidence, weights: weights)
        lost += penalty.value
        reward -= lost
        for i in slope.indices {
            lostSlope[i] += penalty.slope[i]
            slope[i] -= lostSlope[i]
        }
        let isMV = type(of: model.measure).code == .mv
        let risk: Double
        let minorant: Minorant
        if isMV {
            let image = model.covariance.symmetricMultiplied(by: weights)
            let deviation = max(Vector.dot(image, weights), 0).squareRoot()
            risk = deviation
            minorant = Minorant(slope: image.map { deviation > 0 ? $0 / deviation : 0 }, constant: 0)
        } else {
            risk = model.measure.value(of: x)
            minorant =
                evidence.objective?.minorant(at: weights, scenarios)
                ?? Minorant(slope: weights.map { _ in 0 }, constant: 0)
        }
        let miss = max(risk - minorant.value(at: weights), 0)
        self.expectedReturn = expectedReturn
        self.reward = reward
        self.risk = risk
        switch name {
        case .minimumRisk:
            objective = risk + lost
            direction = zip(minorant.slope, lostSlope).map { -$0 - $1 }
            slack = miss + penalty.miss
        case .utility:
            // The variance is linearised at w: 2 sigma d sigma.
            let factor = riskAversion * (isMV ? 2 * risk : 1)
            objective = reward - riskAversion * (isMV ? risk * risk : risk)
            direction = zip(slope, minorant.slope).map { $0 - factor * $1 }
            slack = (isMV ? 0 : riskAversion * miss) + penalty.miss
        case .maximumReturn:
            objective = reward
            direction = slope
            slack = penalty.miss
        case .sharpe:
            let ratio = risk > 0 ? (reward - rate) / risk : 0
            objective = ratio
            direction = zip(slope, minorant.slope).map { risk > 0 ? ($0 - ratio * $1) / risk : 0 }
            slack = risk > 0 ? (ratio * miss + penalty.miss) / risk : 0
        }
    }
}
