import LinearAlgebra
import WireFormat

/// Portfolios whose tangents, in shares, make up what a solution proves itself by: a convex function is nowhere below an average of its
/// tangents, whatever portfolios they belong to.
struct TangentEvidence: Sendable {
    typealias Shares = [(weights: [Double], share: Double)]

    /// Of the risk and of a return that is not linear.
    var objective: Shares
    /// By the name of the limiting constraint.
    var limits: [(name: String, shares: Shares)] = []
}

extension Minorant {
    /// A function's tangent at a portfolio.
    init(_ tangent: CuttingPlanes.Tangent, at w: [Double]) {
        self.init(slope: tangent.slope, constant: tangent.value - Vector.dot(tangent.slope, w))
    }

    /// An average of tangents.
    init(average shares: TangentEvidence.Shares, _ tangent: ([Double]) -> CuttingPlanes.Tangent) {
        self.init(slope: (shares.first?.weights ?? []).map { _ in 0 }, constant: 0)
        let whole = shares.reduce(0) { $0 + max($1.share, 0) }
        for (weights, share) in shares where share > 0 {
            let one = Minorant(tangent(weights), at: weights)
            Vector.axpy(share / whole, one.slope, &slope)
            constant += share / whole * one.constant
        }
    }
}

extension MeanRisk {
    /// The risk at a portfolio; of MV the standard deviation, or the variance.
    func riskTangent(at w: [Double], isVariance squared: Bool = false) -> CuttingPlanes.Tangent {
        if type(of: measure).code == .mv {
            let image = covariance.symmetricMultiplied(by: w)
            let variance = max(Vector.dot(image, w), 0)
            if squared { return .init(value: variance, slope: image.map { 2 * $0 }) }
            let deviation = variance.squareRoot()
            return .init(value: deviation, slope: image.map { deviation > 0 ? $0 / deviation : 0 })
        }
        let x = model.panel.portfolioReturns(w)
        return .init(
            value: measure.value(of: x),
            slope: model.panel.returns.transposedMultiplied(by: measure.sensitivity(at: x)))
    }

    /// Less the mean, or less the growth of Kelly; infinite where a scenario loses everything.
    func lostReturnTangent(at w: [Double]) -> CuttingPlanes.Tangent {
        let mean = model.mean.map { -$0 * model.unit }
        switch reward.kelly {
        case .none: return .init(value: Vector.dot(mean, w), slope: mean)
        case .approx:
            let image = covariance.symmetricMultiplied(by: w)
            return .init(
                value: Vector.dot(mean, w) + 0.5 * Vector.dot(image, w), slope: zip(mean, image).map { $0 + $1 })
        case .exact:
            var series = model.panel.portfolioReturns(w)
            var value = 0.0
            for t in series.indices {
                value -= model.probabilities[t] * LogarithmicGrowth.of(series[t])
                series[t] = -model.probabilities[t] / (1 + series[t])
            }
            return .init(value: value, slope: model.panel.returns.transposedMultiplied(by: series))
        }
    }

    /// What a limit is about, at a portfolio.
    func tangent(of limit: ConvexLimit, at w: [Double]) -> CuttingPlanes.Tangent {
        if case .risk(let code) = limit.function, code != .mv,
            let measure = RiskMeasures.measure(code, parameters)
        {
            let x = model.panel.portfolioReturns(w)
            return .init(
                value: limit.value(w),
                slope: model.panel.returns.transposedMultiplied(by: measure.sensitivity(at: x)))
        }
        return .init(value: limit.value(w), slope: LimitMinorants.minorant(limit, nil, self, w).slope)
    }
}
