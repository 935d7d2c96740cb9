import LinearAlgebra
import WireFormat

/// The constraints that are tight at a solution, with their prices.
///
/// Rows have the solver's prices. What is left of the objective's gradient after them prices the bounds, each bound by the
/// tightest constraint that sets it: a positive rest pushes against an upper bound, a negative one against a lower.
struct BindingConstraints {
    /// By constraint of the set.
    private(set) var prices: [Double]
    /// By asset, what is left of the objective's gradient after the prices of rows.
    let rest: [Double]
    private let set: ConstraintSet
    let weights: [Double]

    /// - Parameters:
    ///   - prices: by constraint, of rows and limits.
    ///   - gradient: of the objective in its improving direction, at the weights, less what convex limits take.
    init(prices given: [Double], weights: [Double], gradient: [Double], set: ConstraintSet) {
        prices = given
        self.weights = weights
        self.set = set
        rest = Self.reducedGradient(gradient, given, set, weights)
        // The first constraint that sets the tightest bound of an asset is the one that is paid.
        var isOpen = rest.map { $0 != 0 }
        for (index, constraint) in set.constraints.enumerated() {
            guard case .bounds(let lower, let upper) = constraint.kind else { continue }
            for i in rest.indices where isOpen[i] {
                let isAbove = rest[i] > 0
                guard isAbove ? upper[i] == set.upper[i] : lower[i] == set.lower[i] else { continue }
                isOpen[i] = false
                if isAbove, weights[i] >= upper[i] { prices[index] += rest[i] }
                if !isAbove, weights[i] <= lower[i] { prices[index] -= rest[i] }
            }
        }
    }

    /// Those with no slack left, in the set's order.
    var binding: [OptimizeResponse.Binding] {
        let largest = prices.reduce(0) { max($0, abs($1)) }
        return set.constraints.indices.compactMap { index in
            guard set.constraints[index].slack(at: weights) < 1e-10 else { return nil }
            let price = abs(prices[index]) <= 1e-12 * largest ? 0 : prices[index]
            return OptimizeResponse.Binding(constraint: set.constraints[index].name, dual: price)
        }
    }

    /// Whether no other portfolio of linear constraints is as good by a linear objective: all weights but one are held at bounds by what is
    /// left of the gradient, and the budget fixes that one. False where it is not so simple.
    static func isOnlyBest(
        _ weights: [Double], gradient: [Double], prices: [Double], _ set: ConstraintSet
    ) -> Bool {
        let isPlain = set.constraints.allSatisfy { constraint in
            switch constraint.kind {
            case .hinge, .convex: false
            case .bounds, .equal, .atMost, .atLeast: true
            }
        }
        guard isPlain, set.soft.isEmpty, set.budget.min == set.budget.max else { return false }
        let rest = reducedGradient(gradient, prices, set, weights)
        let size = gradient.reduce(0) { max($0, abs($1)) }
        let free = weights.indices.filter { i in
            let isHeld = weights[i] <= set.lower[i] && rest[i] < -1e-9 * size
            return !isHeld && !(weights[i] >= set.upper[i] && rest[i] > 1e-9 * size)
        }
        return free.count <= 1
    }

    /// What is left of a gradient after the prices of rows and hinges: positive where a larger weight would still pay.
    static func reducedGradient(
        _ gradient: [Double], _ prices: [Double], _ set: ConstraintSet, _ weights: [Double]
    ) -> [Double] {
        var rest = gradient
        for (index, constraint) in set.constraints.enumerated() where prices[index] != 0 {
            switch constraint.kind {
            case .bounds, .hinge, .convex: break
            case .equal(let a), .atMost(let a): for i in rest.indices { rest[i] -= prices[index] * a[i] }
            case .atLeast(let a): for i in rest.indices { rest[i] += prices[index] * a[i] }
            }
        }
        for (index, constraint) in set.constraints.enumerated() where prices[index] != 0 {
            guard case .hinge(let hinge) = constraint.kind else { continue }
            for i in rest.indices {
                rest[i] -= prices[index] * hinge.linear
                let full = prices[index] * hinge.weight
                if weights[i] < hinge.reference[i] {
                    rest[i] += full
                } else if weights[i] == hinge.reference[i] {
                    rest[i] += min(max(-rest[i], 0), full)  // any share of the kink: the one that leaves least
                }
            }
        }
        return rest
    }
}
