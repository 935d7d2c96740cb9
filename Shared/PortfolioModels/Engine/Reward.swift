import LinearAlgebra
import WireFormat

/// How the return counts in an objective.
struct Reward: Sendable {
    /// Costs of trading per period, in return.
    struct Costs: Sendable {
        var reference: [Double]
        /// A unit of absolute change, by asset.
        var linear: [Double]
        /// |change|^(3/2), by asset.
        var impact: [Double]

        func value(at w: [Double]) -> Double {
            var total = 0.0
            for i in w.indices {
                let change = abs(w[i] - reference[i])
                total += linear[i] * change + impact[i] * change * change.squareRoot()
            }
            return total
        }

        /// The affine function of given slopes that is as high as one below the costs can be: less the conjugate of each asset's.
        func minorant(slopes: [Double]) -> Minorant {
            var result = Minorant(slope: slopes, constant: 0)
            for i in slopes.indices {
                let beyond = max(abs(slopes[i]) - linear[i], 0)
                if impact[i] > 0 {
                    let root = beyond / (1.5 * impact[i])
                    result.constant -= root * root * beyond / 3
                } else if beyond > 0 {
                    result.slope[i] = slopes[i] > 0 ? linear[i] : -linear[i]
                }
                result.constant -= result.slope[i] * reference[i]
            }
            return result
        }

        /// An affine function below the costs that touches them at w; where w has not moved, the kink's slope is the given one.
        func minorant(at w: [Double], kinks: [Double]) -> Minorant {
            var slope = [Double](repeating: 0, count: w.count)
            for i in w.indices {
                let change = w[i] - reference[i]
                if change == 0 {
                    slope[i] = min(max(kinks[i], -linear[i]), linear[i])
                } else {
                    slope[i] = (change > 0 ? 1 : -1) * (linear[i] + 1.5 * impact[i] * abs(change).squareRoot())
                }
            }
            return Minorant(slope: slope, constant: value(at: w) - Vector.dot(slope, w))
        }
    }

    var kelly = KellyMode.none
    var costs: Costs?

    var isLinear: Bool { kelly == .none && costs == nil }
}
