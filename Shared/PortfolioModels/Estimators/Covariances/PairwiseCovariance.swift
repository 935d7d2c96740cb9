import LinearAlgebra
import WireFormat

/// The covariance of series with gaps: each pair over the periods that both have.
///
/// ```
/// s_ij = sum over common t of (r_ti - m_i^(ij))(r_tj - m_j^(ij)) / (T_ij - 1)
/// ```
/// m^(ij) are the means over the pair's common periods. Such a matrix need not be positive semidefinite; where it is not, the
/// nearest correlation matrix (Higham) with the pairwise variances takes its place and a warning says so. On a complete panel
/// this is the sample covariance.
///
/// Source: R. J. A. Little, D. B. Rubin (2002), Statistical Analysis with Missing Data, section 3.4; N. J. Higham (2002).
struct PairwiseCovariance: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        try Self.estimate(panel.gapped?.withGaps ?? panel.returns, assets: panel.assets)
    }

    /// - Parameter returns: T x N, NaN where a return is missing.
    /// - Throws: `DAT-002` where two assets share fewer than two periods.
    static func estimate(_ returns: Matrix, assets: [String]) throws(Problem) -> CovarianceEstimate {
        let n = returns.columns
        var result = Matrix(rows: n, columns: n)
        let columns = (0..<n).map { returns.column($0) }
        for j in 0..<n {
            for i in j..<n {
                let common = columns[i].indices.filter { columns[i][$0].isFinite && columns[j][$0].isFinite }
                guard common.count >= 2 else {
                    throw Problem(
                        .tooLittleHistory,
                        "\(Problem.echo(assets[i])) and \(Problem.echo(assets[j])) share \(common.count) returns; at least 2 are needed."
                    )
                }
                let a = SeriesMath.centred(common.map { columns[i][$0] })
                let b = i == j ? a : SeriesMath.centred(common.map { columns[j][$0] })
                let value = Vector.dot(a, b) / Double(common.count - 1)
                result[i, j] = value
                result[j, i] = value
            }
        }
        guard let repair = try PositiveSemidefinite.repair(result, method: .higham) else {
            return CovarianceEstimate(result)
        }
        return CovarianceEstimate(repair.matrix, warnings: [repair.warning(["covariance_estimator"])])
    }
}
