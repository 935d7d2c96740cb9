import LinearAlgebra
import WireFormat

/// Expected returns that hold the market in equilibrium.
///
/// ```
/// equilibrium   mu = delta Sigma w + rf
/// CAPM          mu = rf + beta (mu_w - rf),   beta = Sigma w / w'Sigma w
/// ```
/// w are the market's weights and mu_w its mean. Without a risk aversion delta is what the market implies,
/// (mu_w - rf) / w'Sigma w, and both are the same.
///
/// Source: W. F. Sharpe (1964), Capital Asset Prices; F. Black, R. Litterman (1992), Global Portfolio Optimization, Financial
/// Analysts Journal 48.
struct MarketEquilibrium: MeanEstimator {
    /// Nil is equal weights.
    let weights: [Double]?
    /// Nil is that which the market implies.
    let riskAversion: Double?
    let riskFreeRate: Double

    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] {
        let covariance = SampleCovariance.estimate(panel)
        let count = panel.assets.count
        let weights = weights ?? [Double](repeating: 1 / Double(count), count: count)
        let delta: Double
        if let riskAversion {
            delta = riskAversion
        } else {
            delta = try MarketWeights.impliedRiskAversion(
                mean: HistoricalMean.estimate(panel), covariance: covariance, weights: weights,
                riskFreeRate: riskFreeRate)
        }
        return covariance.symmetricMultiplied(by: weights).map { delta * $0 + riskFreeRate }
    }
}

/// The weights of the market portfolio and the risk aversion that they imply.
enum MarketWeights {
    /// By asset; nil where none are given.
    static func ordered(_ weights: [ConstraintRequest.AssetValue], _ assets: [String]) -> [Double]? {
        weights.isEmpty ? nil : assets.map { asset in weights.last { $0.asset == asset }?.value ?? 0 }
    }

    /// (mu'w - rf) / w'Sigma w.
    static func impliedRiskAversion(
        mean: [Double], covariance: Matrix, weights: [Double], riskFreeRate: Double
    ) throws(Problem) -> Double {
        let variance = Vector.dot(weights, covariance.symmetricMultiplied(by: weights))
        let excess = Vector.dot(mean, weights) - riskFreeRate
        let aversion = excess / variance
        guard variance > 0, aversion.isFinite else {
            throw Problem(
                .ratioUndefined, "The market portfolio has no risk, so it implies no risk aversion: give one.")
        }
        return aversion
    }
}
