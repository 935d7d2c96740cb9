import LinearAlgebra
import WireFormat

/// The covariance of the returns below their means, each asset's about its own.
///
/// ```
/// Sigma = (1/(T-1)) D'D,   D = min(R - 1 mu', 0)
/// ```
/// Source: J. Estrada (2008), Mean-Semivariance Optimization: A Heuristic Approach, Journal of Applied Finance 18.
struct SemiCovariance: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        var below = CentredReturns.of(panel)
        for index in below.storage.indices { below.storage[index] = min(below.storage[index], 0) }
        return CovarianceEstimate(below.gram().scaled(by: 1 / Double(max(panel.observations - 1, 1))))
    }
}
