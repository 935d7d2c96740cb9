import WireFormat

/// Turns a solver's point into weights that hold to the letter: exact bounds, and a sum that is the budget to rounding.
enum WeightCleanup {
    /// Distance from a bound below which a weight is on it.
    private static let reach = 1e-12

    /// The N weights of a program's point.
    static func clean(_ point: [Double], _ compiled: CompiledConstraints, _ set: ConstraintSet) -> [Double] {
        var weights = Array(point.prefix(set.assets.count))
        for i in weights.indices {
            let (low, high) = (set.lower[i], set.upper[i])
            if weights[i] <= low + reach * max(1, abs(low)) {
                weights[i] = low
            } else if weights[i] >= high - reach * max(1, abs(high)) {
                weights[i] = high
            } else if abs(weights[i]) < reach {
                weights[i] = 0
            }
            if weights[i] == 0 { weights[i] = 0 }  // no negative zero
        }
        balance(&weights, set)
        return weights
    }

    /// Gives what the sum misses to the weight with most room.
    static func balance(_ weights: inout [Double], _ set: ConstraintSet) {
        for _ in 0..<3 {
            let total = weights.reduce(0, +)
            let target = min(max(total, set.budget.min), set.budget.max)
            let missing = target - total
            guard missing != 0, abs(missing) < 1e-7 else { return }
            // What can be given, or taken, without leaving the bounds.
            let room = weights.indices.map { i in
                missing > 0 ? set.upper[i] - weights[i] : weights[i] - set.lower[i]
            }
            let inner = weights.indices.map {
                weights[$0] > set.lower[$0] && weights[$0] < set.upper[$0] ? room[$0] : 0
            }
            let most = inner.indices.max { inner[$0] < inner[$1] }
            guard let most, inner[most] >= abs(missing) else { return }
            weights[most] += missing
        }
    }
}
