import LinearAlgebra
import WireFormat

/// The sample covariance of the assets' returns, per period.
///
/// ```
/// Sigma = (1/(T-1)) (R - 1 mu')' (R - 1 mu')
/// ```
/// One symmetric rank-T update on centred data: T N^2 flops, both triangles filled.
struct SampleCovariance: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        CovarianceEstimate(Self.estimate(panel))
    }

    /// N x N; T is at least 2.
    static func estimate(_ panel: ReturnPanel) -> Matrix {
        if RunningCovariance.applies(to: panel) { return RunningCovariance(panel).covariance }
        var covariance = CentredReturns.of(panel).gram()
        let divisor = Double(max(panel.observations - 1, 1))
        for index in covariance.storage.indices { covariance.storage[index] /= divisor }
        return covariance
    }
}
