import LinearAlgebra
import WireFormat

/// The objective of mean-variance at given weights, and its gradient in the improving direction, from the return series,
/// or from the moments that a model puts in the sample's place.
struct MeanVariancePoint {
    let expectedReturn: Double
    /// The standard deviation.
    let risk: Double
    /// In its natural sense: MinRisk the standard deviation, Utility ret - l variance, Sharpe the ratio, MaxRet the return.
    let objective: Double
    let gradient: [Double]

    init(request: OptimizeRequest, x: [Double], panel: ReturnPanel, moments: Moments?, weights: [Double], riskFreeRate: Double) {
        let deviation = StandardDeviation(RiskParameters())
        let mean = moments?.mean ?? HistoricalMean.estimate(panel)
        expectedReturn = zip(mean, weights).reduce(0) { $0 + $1.0 * $1.1 }
        let risk = moments?.deviation(weights) ?? deviation.value(of: x)
        self.risk = risk
        let riskSlope: [Double]
        if let moments {
            riskSlope = moments.covariance.symmetricMultiplied(by: weights).map { risk > 0 ? $0 / risk : 0 }
        } else {
            riskSlope = panel.returns.transposedMultiplied(by: deviation.sensitivity(at: x))
        }
        switch request.objective {
        case .minimumRisk:
            objective = risk
            gradient = riskSlope.map { -$0 }
        case .utility:
            let factor = 2 * request.riskAversion * risk
            objective = expectedReturn - request.riskAversion * risk * risk
            gradient = zip(mean, riskSlope).map { $0 - factor * $1 }
        case .maximumReturn:
            objective = expectedReturn
            gradient = mean
        case .sharpe:
            let ratio = risk > 0 ? (expectedReturn - riskFreeRate) / risk : 0
            objective = ratio
            gradient = zip(mean, riskSlope).map { risk > 0 ? ($0 - ratio * $1) / risk : 0 }
        }
    }
}
