import LinearAlgebra
import WireFormat

/// Ledoit-Wolf shrinkage towards the sample variances with one correlation for all pairs, the mean of the sample's.
///
/// All moments have the divisor T. With one asset, or where an asset is constant, the sample itself is the target of that row.
///
/// Source: O. Ledoit, M. Wolf (2004), Honey, I Shrunk the Sample Covariance Matrix, Journal of Portfolio Management 30,
/// appendix.
struct ConstantCorrelationShrinkage: CovarianceEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let centred = CentredReturns.of(panel)
        let sample = CentredReturns.covariance(centred)
        let n = sample.rows
        let deviations = sample.diagonal.map { $0.squareRoot() }
        let moving = deviations.indices.filter { deviations[$0] > 0 }
        guard moving.count > 1 else { return CovarianceEstimate(sample) }
        var sum = 0.0
        for i in moving { for j in moving where j < i { sum += sample[i, j] / (deviations[i] * deviations[j]) } }
        let mean = 2 * sum / Double(moving.count * (moving.count - 1))
        var target = sample
        for i in moving { for j in moving where i != j { target[i, j] = mean * deviations[i] * deviations[j] } }

        // pi_ij = mean (x_i x_j - s_ij)^2, theta_ij = mean x_i^3 x_j - s_ii s_ij.
        let squares = ShrinkageIntensity.squared(centred)
        let pi = ShrinkageIntensity.variances(squares: squares, sample: sample)
        var cubes = centred
        for index in cubes.storage.indices { cubes.storage[index] *= squares.storage[index] }
        var mixed = Matrix(rows: n, columns: n)
        mixed.gemm(cubes, centred, transposeFirst: true, scale: 1 / Double(centred.rows))
        var correlated = pi.diagonal.reduce(0, +)
        for j in moving {
            for i in moving where i != j {
                correlated += mean * deviations[j] / deviations[i] * (mixed[i, j] - sample[i, i] * sample[i, j])
            }
        }
        return CovarianceEstimate(
            ShrinkageIntensity.blend(
                sample, target, noise: pi.storage.reduce(0, +) - correlated, observations: centred.rows))
    }
}

/// What the two structured targets share.
enum ShrinkageIntensity {
    static func squared(_ centred: Matrix) -> Matrix {
        var squares = centred
        for index in squares.storage.indices { squares.storage[index] *= squares.storage[index] }
        return squares
    }

    /// pi_ij = (1/T) sum_t x_ti^2 x_tj^2 - s_ij^2.
    static func variances(squares: Matrix, sample: Matrix) -> Matrix {
        var result = CentredReturns.covariance(squares)
        for index in result.storage.indices { result.storage[index] -= sample.storage[index] * sample.storage[index] }
        return result
    }

    /// a F + (1 - a) S with a = noise / |S - F|^2 / T, kept within [0, 1].
    static func blend(_ sample: Matrix, _ target: Matrix, noise: Double, observations: Int) -> Matrix {
        var distance = 0.0
        for index in sample.storage.indices {
            let difference = sample.storage[index] - target.storage[index]
            distance += difference * difference
        }
        guard distance > 0 else { return sample }
        let share = max(0, min(1, noise / distance / Double(observations)))
        var result = sample
        for index in result.storage.indices {
            result.storage[index] = share * target.storage[index] + (1 - share) * sample.storage[index]
        }
        result.mirrorLowerTriangle()
        return result
    }
}
