import LinearAlgebra
import WireFormat

/// The exponentially weighted mean of each asset's returns: recent returns count more.
///
/// ```
/// ewma1   mu = sum_t d^(T-t) r_t / sum_t d^(T-t)
/// ewma2   m_1 = r_1, m_t = d m_(t-1) + (1 - d) r_t, mu = m_T
/// ```
/// Source: J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, section 5.2.
struct ExponentialMean: MeanEstimator {
    let decay: Double
    /// True for ewma1.
    let isAdjusted: Bool

    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] {
        let weights = ExponentialWeights.weights(count: panel.observations, decay: decay, isAdjusted: isAdjusted)
        return panel.returns.transposedMultiplied(by: weights)
    }
}
