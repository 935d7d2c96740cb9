import LinearAlgebra
import WireFormat

/// Oracle approximating shrinkage towards a multiple of the identity: the intensity that is optimal for normal returns.
///
/// ```
/// a = (e + m^2) / ((T + 1) (e - m^2 / N)),   e = mean of s_ij^2,   m = tr S / N,   at most one
/// ```
/// S has the divisor T. The formula is scikit-learn's, which leaves out the factor 1 - 2/N of the paper's first term.
///
/// Source: Y. Chen, A. Wiesel, Y. C. Eldar, A. O. Hero (2010), Shrinkage Algorithms for MMSE Covariance Estimation, IEEE
/// Transactions on Signal Processing 58.
struct OracleApproximatingShrinkage: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let sample = CentredReturns.covariance(CentredReturns.of(panel))
        return CovarianceEstimate(
            IdentityShrinkage.apply(Self.intensity(sample, observations: panel.observations), to: sample))
    }

    /// a; zero for a single asset, where it changes nothing.
    static func intensity(_ sample: Matrix, observations: Int) -> Double {
        guard sample.rows > 1 else { return 0 }
        let n = Double(sample.rows)
        let mean = sample.diagonal.reduce(0, +) / n
        let energy = Vector.dot(sample.storage, sample.storage) / (n * n)
        let below = (Double(observations) + 1) * (energy - mean * mean / n)
        return below > 0 ? min((energy + mean * mean) / below, 1) : 1
    }
}

/// Shrinkage towards a multiple of the identity by a share that the caller chooses; divisor T.
///
/// Source: O. Ledoit, M. Wolf (2004), A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices.
struct FixedShrinkage: CovarianceEstimator {
    let share: Double

    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        CovarianceEstimate(
            IdentityShrinkage.apply(share, to: CentredReturns.covariance(CentredReturns.of(panel))))
    }
}
