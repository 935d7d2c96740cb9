import LinearAlgebra
import WireFormat

/// Resamples of a panel's periods in blocks, which keep the dependence of neighbours.
///
/// ```
/// stationary   blocks of geometric length with mean `window`, around the end of the sample
/// circular     blocks of length `window`, around the end of the sample
/// moving       blocks of length `window`, within the sample
/// ```
/// Source: D. N. Politis, J. P. Romano (1994), The Stationary Bootstrap, Journal of the American Statistical Association 89; (1992)
/// A Circular Block-Resampling Procedure; H. R. Kuensch (1989), The Jackknife and the Bootstrap for General Stationary
/// Observations, Annals of Statistics 17.
struct BlockBootstrap {
    /// How often each resample holds each period: samples x T, rows adding up to T.
    let counts: Matrix

    /// - Throws: `REQ-104` where a block is longer than the sample allows.
    init(
        _ method: UncertaintyRequest.Method, observations: Int, samples: Int, window: Int, seed: Int
    ) throws(Problem) {
        guard window >= 1, window <= observations else {
            throw Problem(
                JSONPointer(["uncertainty"]), .outOfRange,
                "window is \(window); blocks have 1 to \(observations) periods here.")
        }
        var numbers = SeededNumbers(seed: seed)
        var counts = Matrix(rows: samples, columns: observations)
        for sample in 0..<samples {
            var filled = 0
            var place = 0
            var left = 0
            while filled < observations {
                if left == 0 {
                    place =
                        method == .moving
                        ? numbers.pick(observations - window + 1) : numbers.pick(observations)
                    left = method == .stationary ? 1 : window
                }
                counts[sample, place % observations] += 1
                filled += 1
                place += 1
                left -= 1
                // A geometric length: each further period stays in the block with probability 1 - 1/window.
                if method == .stationary, numbers.uniform() >= 1 / Double(window) { left = 1 }
            }
        }
        self.counts = counts
    }

    /// Means of each resample, samples x N, from returns less the sample's means.
    func means(_ centred: Matrix) -> Matrix {
        (counts * centred).scaled(by: 1 / Double(centred.rows))
    }

    /// Covariances (divisor T - 1) of some pairs of assets in each resample: samples x pairs.
    func covariances(_ centred: Matrix, means: Matrix, pairs: [(Int, Int)]) -> Matrix {
        let (periods, samples) = (centred.rows, counts.rows)
        var products = Matrix(rows: periods, columns: pairs.count)
        for (k, (i, j)) in pairs.enumerated() {
            for t in 0..<periods {
                products.storage[k * periods + t] = centred.storage[i * periods + t] * centred.storage[j * periods + t]
            }
        }
        var result = counts * products
        let count = Double(periods)
        for (k, (i, j)) in pairs.enumerated() {
            for s in 0..<samples {
                let square = count * means.storage[i * samples + s] * means.storage[j * samples + s]
                result.storage[k * samples + s] = (result.storage[k * samples + s] - square) / max(count - 1, 1)
            }
        }
        return result
    }
}

/// Quantiles of a sample, with linear interpolation between order statistics.
enum SampleQuantile {
    static func of(_ values: [Double], _ probability: Double) -> Double {
        let sorted = values.sorted()
        guard let last = sorted.last else { return .nan }
        let place = probability * Double(sorted.count - 1)
        let low = Int(place)
        guard low + 1 < sorted.count else { return last }
        return sorted[low] + (place - Double(low)) * (sorted[low + 1] - sorted[low])
    }
}
