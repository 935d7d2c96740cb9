import LinearAlgebra
import WireFormat

/// Ledoit-Wolf shrinkage towards a single-factor model, the factor being the equally weighted mean of the assets.
///
/// ```
/// F_ij = c_i c_j / v  (i != j),   F_ii = s_ii,   c = Cov(x, market),   v = Var(market)
/// ```
/// All moments have the divisor T. Where the market does not move the sample is the answer.
///
/// Source: O. Ledoit, M. Wolf (2003), Improved Estimation of the Covariance Matrix of Stock Returns with an Application to
/// Portfolio Selection, Journal of Empirical Finance 10, appendix.
struct SingleFactorShrinkage: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let centred = CentredReturns.of(panel)
        let sample = CentredReturns.covariance(centred)
        let n = sample.rows
        let count = Double(centred.rows)
        let market = centred.multiplied(by: [Double](repeating: 1 / Double(n), count: n))
        let v = Vector.dot(market, market) / count
        guard n > 1, v > 0 else { return CovarianceEstimate(sample) }
        let c = centred.transposedMultiplied(by: market).map { $0 / count }
        var target = sample
        for j in 0..<n { for i in 0..<n where i != j { target[i, j] = c[i] * c[j] / v } }

        let squares = ShrinkageIntensity.squared(centred)
        let pi = ShrinkageIntensity.variances(squares: squares, sample: sample)
        let moved = centred.scaled(rows: market)
        var first = Matrix(rows: n, columns: n)  // mean of x_i^2 x_j m, less c_i s_ij
        first.gemm(squares, moved, transposeFirst: true, scale: 1 / count)
        let third = CentredReturns.covariance(moved)  // mean of x_i x_j m^2, less v s_ij
        var correlated = pi.diagonal.reduce(0, +)
        for j in 0..<n {
            for i in 0..<n where i != j {
                let one = (first[i, j] - c[i] * sample[i, j]) * c[j] / v
                let three = (third[i, j] - v * sample[i, j]) * c[i] * c[j] / (v * v)
                correlated += 2 * one - three
            }
        }
        return CovarianceEstimate(
            ShrinkageIntensity.blend(
                sample, target, noise: pi.storage.reduce(0, +) - correlated, observations: centred.rows))
    }
}
