public import WireFormat

/// Least and most weight of each asset, and what the weights add up to.
public struct WeightLimits: Sendable, Equatable {
    public let lower: [Double]
    public let upper: [Double]
    public let budget: Double

    /// Limits for N assets. Hierarchical models are long only: a lower limit below zero counts as zero.
    /// - Throws: `OPT-101` where no weights are within the limits.
    public init(lower: [Double], upper: [Double], budget: Double = 1) throws(Problem) {
        self.lower = lower.map { max($0, 0) }
        self.upper = zip(upper, self.lower).map { min($0, budget) < $1 && $0 >= $1 ? $1 : min($0, budget) }
        self.budget = budget
        let (least, most) = (self.lower.reduce(0, +), self.upper.reduce(0, +))
        for i in lower.indices where !(self.lower[i] <= self.upper[i]) {
            throw Problem(
                .infeasible, "The lower bound of asset \(i), \(lower[i]), is above its upper bound \(upper[i]).",
                conflict: ["lower_bound", "upper_bound"])
        }
        let rounding = 1e-12 * max(1, abs(budget))
        guard least <= budget + rounding else {
            throw Problem(
                .infeasible, "The lower bounds add up to \(least), more than the budget of \(budget).",
                conflict: ["budget", "lower_bound"])
        }
        guard most >= budget - rounding else {
            throw Problem(
                .infeasible, "The upper bounds add up to \(most), less than the budget of \(budget).",
                conflict: ["budget", "upper_bound"])
        }
    }

    /// 0 <= w <= 1, sum one.
    public static func unlimited(_ assets: Int) throws(Problem) -> WeightLimits {
        try WeightLimits(lower: .init(repeating: 0, count: assets), upper: .init(repeating: 1, count: assets))
    }

    /// Whether a portfolio can break them at all.
    var binds: Bool { lower.contains { $0 > 0 } || upper.contains { $0 < budget } }

    /// Whether weights keep to them.
    func hold(_ weights: [Double]) -> Bool {
        weights.indices.allSatisfy { weights[$0] >= lower[$0] && weights[$0] <= upper[$0] }
    }

    /// The least and most that a set of assets may have together.
    func total(_ assets: [Int]) -> ClosedRange<Double> {
        let least = assets.reduce(0) { $0 + lower[$1] }
        return least...max(assets.reduce(0) { $0 + upper[$1] }, least)
    }
}

/// When a hierarchical model looks at the limits of weights.
public enum WeightLimitRule: String, Sendable, CaseIterable {
    /// Riskfolio-Lib's: weights are cut to the limits afterwards and the rest spread over the others.
    case afterwards
    /// skfolio's: every split gives each branch no less and no more than its assets may have.
    case duringSplits
}

/// Ways of bringing weights within limits.
enum LimitedAllocation {
    /// Most rounds of `cut`.
    private static let mostRounds = 100

    /// Cuts weights to the limits and spreads the excess over the assets strictly inside, in proportion to their weights, until
    /// all limits hold: Riskfolio-Lib's rule.
    ///
    /// Where it comes to no end, or nothing is strictly inside while the sum is off, the proportional allocation takes over.
    static func cut(_ weights: [Double], _ limits: WeightLimits) -> [Double] {
        var w = weights
        for _ in 0..<mostRounds where !limits.hold(w) {
            var excess = 0.0
            var inside = 0.0
            var isInside = [Bool](repeating: false, count: w.count)
            for i in w.indices {
                excess += max(w[i] - limits.upper[i], 0) + min(w[i] - limits.lower[i], 0)
                w[i] = max(min(w[i], limits.upper[i]), limits.lower[i])
                isInside[i] = w[i] < limits.upper[i] && w[i] > limits.lower[i]
                if isInside[i] { inside += w[i] }
            }
            guard excess != 0, inside > 0 else { continue }
            for i in w.indices where isInside[i] { w[i] += excess * w[i] / inside }
        }
        let sum = w.reduce(0, +)
        guard limits.hold(w), abs(sum - limits.budget) <= 1e-12 * max(1, abs(limits.budget)) else {
            return proportional(weights, Array(weights.indices), limits, total: limits.budget)
        }
        return w
    }

    /// The weights `clip(lambda v_i, lower_i, upper_i)` of some assets, with the lambda at which they add up to `total`.
    ///
    /// - Parameters:
    ///   - values: not negative, one for each entry of `assets`.
    ///   - total: within what the assets may have together.
    static func proportional(_ values: [Double], _ assets: [Int], _ limits: WeightLimits, total: Double) -> [Double] {
        let sum = values.reduce(0, +)
        let plain = values.map { sum > 0 ? total * $0 / sum : total / Double(values.count) }
        func isWithin(_ w: [Double]) -> Bool {
            w.indices.allSatisfy { w[$0] >= limits.lower[assets[$0]] && w[$0] <= limits.upper[assets[$0]] }
        }
        if isWithin(plain) { return plain }
        func clipped(_ lambda: Double) -> [Double] {
            values.indices.map { min(max(lambda * values[$0], limits.lower[assets[$0]]), limits.upper[assets[$0]]) }
        }
        // The sum is piecewise linear and ascending in lambda: find the segment by its kinks.
        var kinks: [Double] = []
        for (position, asset) in assets.enumerated() where values[position] > 0 {
            kinks.append(limits.lower[asset] / values[position])
            kinks.append(limits.upper[asset] / values[position])
        }
        kinks.sort()
        let above = kinks.firstIndex { clipped($0).reduce(0, +) >= total } ?? kinks.count
        var w: [Double]
        if above < kinks.count {
            let (high, low) = (kinks[above], above > 0 ? kinks[above - 1] : 0)
            let (more, less) = (clipped(high).reduce(0, +), clipped(low).reduce(0, +))
            w = clipped(more > less ? low + (high - low) * (total - less) / (more - less) : high)
        } else {
            w = clipped(kinks.last ?? 0)
        }
        settle(&w, assets, limits, total)
        return w
    }

    /// Spreads what the sum misses over the assets in proportion to the room they have: rounding, or assets of value zero.
    private static func settle(_ w: inout [Double], _ assets: [Int], _ limits: WeightLimits, _ total: Double) {
        for _ in 0..<3 {
            let missing = total - w.reduce(0, +)
            guard abs(missing) > 0 else { return }
            let room = w.indices.map {
                missing > 0 ? limits.upper[assets[$0]] - w[$0] : w[$0] - limits.lower[assets[$0]]
            }
            let all = room.reduce(0, +)
            guard all > 0 else { return }
            for i in w.indices {
                let moved = w[i] + missing * min(room[i] / all, 1)
                w[i] = min(max(moved, limits.lower[assets[i]]), limits.upper[assets[i]])
            }
        }
    }
}
