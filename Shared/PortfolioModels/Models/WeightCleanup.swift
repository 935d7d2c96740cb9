import WireFormat

/// Turns a solver's point into weights that hold to the letter: exact bounds, and a sum that is the budget to rounding.
enum WeightCleanup {
    /// Distance from a bound below which a weight is on it.
    private static let reach = 1e-12

    /// The N weights of a program's point.
    static func clean(_ point: [Double], _ compiled: CompiledConstraints, _ set: ConstraintSet) -> [Double] {
        let own = Array(point.prefix(set.assets.count))
        let settled = settled(own, set)
        guard set.linearResidual(at: settled) > 1e-10 else { return settled }
        // Rows ask for less than what counts as nothing: only what they do not ask for is settled.
        var weights = own.indices.map { min(max(own[$0], set.lower[$0]), set.upper[$0]) }
        for i in weights.indices where weights[i] != settled[i] {
            var next = weights
            next[i] = settled[i]
            if set.linearResidual(at: next) <= set.linearResidual(at: weights) { weights = next }
        }
        balance(&weights, set)
        return set.linearResidual(at: weights) < set.linearResidual(at: settled) ? weights : settled
    }

    /// On its bounds or at zero where it is nearly there, and balanced.
    private static func settled(_ point: [Double], _ set: ConstraintSet) -> [Double] {
        var weights = point
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

    /// Gives what the sum misses to a weight with room whose own size it hardly changes: at zero it would be a holding, and all of the rows
    /// on it.
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
            let held = inner.indices.map { min(inner[$0], abs(weights[$0])) }
            let choice = held.contains { $0 >= abs(missing) } ? held : inner
            guard let most = choice.indices.max(by: { choice[$0] < choice[$1] }), inner[most] >= abs(missing) else {
                return
            }
            weights[most] += missing
        }
    }
}
