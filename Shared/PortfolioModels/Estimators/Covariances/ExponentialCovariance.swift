import LinearAlgebra
import WireFormat

/// The exponentially weighted covariance about the exponentially weighted mean, corrected for bias.
///
/// ```
/// Sigma = sum_t w_t (r_t - m)(r_t - m)' / (1 - sum_t w_t^2),   m = sum_t w_t r_t
/// ```
/// The weights are those of the mean estimators ewma1 and ewma2.
///
/// Source: J.P. Morgan/Reuters (1996), RiskMetrics Technical Document; the correction as in pandas' `ewm.cov`.
struct ExponentialCovariance: CovarianceEstimator {
    let decay: Double
    /// True for ewma1.
    let isAdjusted: Bool

    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let weights = ExponentialWeights.weights(count: panel.observations, decay: decay, isAdjusted: isAdjusted)
        return CovarianceEstimate(try WeightedMoments(panel, weights: weights).unbiasedCovariance)
    }
}

/// Mean and covariance of scenarios that are not equally likely.
struct WeightedMoments {
    let mean: [Double]
    /// sum_t w_t (r_t - m)(r_t - m)'.
    let covariance: Matrix
    /// sum_t w_t^2.
    private let concentration: Double

    /// - Parameter weights: T, not negative, adding up to one.
    init(_ panel: ReturnPanel, weights: [Double]) {
        // Centring on the plain mean first keeps constant columns at exactly zero.
        let plain = HistoricalMean.estimate(panel)
        let centred = CentredReturns.of(panel)
        let shift = centred.transposedMultiplied(by: weights)
        mean = zip(plain, shift).map { $0 + $1 }
        let roots = weights.map { $0.squareRoot() }
        var deviations = centred
        for asset in shift.indices {
            let start = asset * roots.count
            for t in roots.indices { deviations.storage[start + t] -= shift[asset] }
        }
        covariance = deviations.scaled(rows: roots).gram()
        concentration = weights.reduce(0) { $0 + $1 * $1 }
    }

    /// The covariance divided by 1 - sum w^2: T / (T - 1) times it where the weights are equal.
    var unbiasedCovariance: Matrix {
        get throws(Problem) {
            let rest = 1 - concentration
            guard rest > 1e-12 else {
                throw Problem(.tooLittleHistory, "All weight is on one period: it has no covariance.")
            }
            return covariance.scaled(by: 1 / rest)
        }
    }
}
