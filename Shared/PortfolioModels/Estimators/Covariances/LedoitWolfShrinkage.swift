import LinearAlgebra
import WireFormat

/// Ledoit-Wolf shrinkage towards a multiple of the identity, with the intensity that is optimal for large samples.
///
/// ```
/// Sigma = (1 - a) S + a m I,   S = X'X / T,   m = tr S / N,   a = min(b, d) / d
/// d = |S - m I|^2 / N,   b = (1/N) ( (1/T) sum_ij sum_t x_ti^2 x_tj^2 - |S|^2 ) / T
/// ```
/// The double sum over assets is a sum over periods, sum_t (sum_i x_ti^2)^2, so beside S itself the cost is T N.
///
/// Source: O. Ledoit, M. Wolf (2004), A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices, Journal of
/// Multivariate Analysis 88.
struct LedoitWolfShrinkage: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let centred = CentredReturns.of(panel)
        let sample = CentredReturns.covariance(centred)
        return CovarianceEstimate(
            IdentityShrinkage.apply(Self.intensity(centred: centred, sample: sample), to: sample))
    }

    /// a, from zero to one; zero for a single asset.
    /// - Parameter sample: X'X / T.
    static func intensity(centred: Matrix, sample: Matrix) -> Double {
        let (periods, assets) = (centred.rows, centred.columns)
        guard assets > 1 else { return 0 }
        var lengths = [Double](repeating: 0, count: periods)
        centred.storage.withSpans(columns: assets, rows: periods) { column in
            for t in 0..<periods { lengths[t] += column[t] * column[t] }
        }
        let (n, count) = (Double(assets), Double(periods))
        let products = lengths.reduce(0) { $0 + $1 * $1 }
        let squares = Vector.dot(sample.storage, sample.storage)
        let mean = sample.diagonal.reduce(0, +) / n
        let noise = (products / count - squares) / (n * count)
        let distance = squares / n - mean * mean
        let most = min(noise, distance)
        return most > 0 ? most / distance : 0
    }
}

/// (1 - a) S + a (tr S / N) I.
enum IdentityShrinkage {
    static func apply(_ share: Double, to sample: Matrix) -> Matrix {
        let mean = sample.diagonal.reduce(0, +) / Double(max(sample.rows, 1))
        var result = sample.scaled(by: 1 - share)
        result.addToDiagonal([Double](repeating: share * mean, count: sample.rows))
        return result
    }
}

extension [Double] {
    /// Calls `body` with each column of a column-major array.
    func withSpans(columns: Int, rows: Int, _ body: (Span<Double>) -> Void) {
        let all = span
        for column in 0..<columns { body(all.extracting((column * rows)..<((column + 1) * rows))) }
    }
}
