import LinearAlgebra
import RealModule
import WireFormat

/// The probabilities nearest to given ones that satisfy linear conditions.
///
/// ```
/// min over p  sum_t p_t ln(p_t / q_t)   s.t.   sum_t p_t g_kt  = c_k  or  >= c_k,   sum_t p_t = 1
/// ```
/// The solution is p_t ~ q_t exp(lambda' (g_t - c)), lambda >= 0 for inequalities, where lambda minimises the convex function
/// ln sum_t q_t exp(lambda'(g_t - c)). Newton's method on that, with the inequalities' lambda projected onto zero. Probabilities
/// are positive wherever q is. Conditions that no probabilities satisfy are recognised by a lambda that separates:
/// lambda'(g_t - c) < 0 for all t.
///
/// Source: A. Meucci (2008), Fully Flexible Views: Theory and Practice, Risk 21; projected Newton: D. P. Bertsekas (1982), SIAM
/// Journal on Control and Optimization 20.
struct ExponentialTilting {
    /// One condition on the probabilities.
    struct Condition {
        /// T: g.
        var values: [Double]
        /// c.
        var level: Double
        var isEquality: Bool
        /// For messages.
        var name: String
    }

    /// T probabilities.
    let probabilities: [Double]
    /// sum p ln(p / q).
    let relativeEntropy: Double

    /// Largest violation of a condition that is left, relative to the spread of its values.
    static let tolerance = 1e-10
    private static let mostSteps = 200

    /// - Parameter prior: T, not negative, adding up to one.
    /// - Throws: `OPT-101` where no probabilities satisfy the conditions, with their names as the conflict; `OPT-201` where
    ///   Newton's method does not settle.
    init(prior: [Double], conditions: [Condition]) throws(Problem) {
        guard !conditions.isEmpty else {
            probabilities = prior
            relativeEntropy = 0
            return
        }
        // Rows of order one: (g - c) / largest |g - c| over scenarios that can happen.
        let support = prior.indices.filter { prior[$0] > 0 }
        var rows = Matrix(rows: support.count, columns: conditions.count)
        var scales = [Double](repeating: 1, count: conditions.count)
        for (k, condition) in conditions.enumerated() {
            let distances = support.map { condition.values[$0] - condition.level }
            let size = distances.reduce(0) { max($0, abs($1)) }
            scales[k] = size > 0 ? size : 1
            for (t, distance) in distances.enumerated() { rows[t, k] = distance / scales[k] }
        }
        let weights = support.map { prior[$0] }
        let found = try Self.solve(rows, weights, conditions)
        var all = [Double](repeating: 0, count: prior.count)
        var entropy = 0.0
        for (t, place) in support.enumerated() {
            all[place] = found[t]
            if found[t] > 0 { entropy += found[t] * Double.log(found[t] / prior[place]) }
        }
        probabilities = all
        relativeEntropy = max(entropy, 0)
    }

    private static func solve(
        _ rows: Matrix, _ weights: [Double], _ conditions: [Condition]
    ) throws(Problem) -> [Double] {
        var lambda = [Double](repeating: 0, count: conditions.count)
        var point = Tilted(rows, weights, lambda)
        for _ in 0..<mostSteps {
            let free = conditions.indices.filter {
                conditions[$0].isEquality || lambda[$0] > 0 || point.gradient[$0] < 0
            }
            let violation = conditions.indices.reduce(0.0) { worst, k in
                let slope = point.gradient[k]
                return max(worst, conditions[k].isEquality || lambda[k] > 0 ? abs(slope) : max(-slope, 0))
            }
            if violation <= tolerance { return point.probabilities }
            if point.largestExponent < 0 { throw conflict(lambda, conditions) }
            guard let step = newton(point, rows, free) else { throw conflict(lambda, conditions) }
            guard let next = descend(point, lambda, step, free, rows, weights, conditions) else {
                // No descent is left: rounding, unless the conditions are far from satisfied.
                if violation <= 1e-7 { return point.probabilities }
                throw conflict(lambda, conditions)
            }
            (lambda, point) = next
        }
        throw Problem(
            .notConverged,
            "Entropy pooling did not settle in \(mostSteps) steps: the views nearly contradict each other.")
    }

    private static func newton(_ point: Tilted, _ rows: Matrix, _ free: [Int]) -> [Double]? {
        let chosen = rows.selecting(columns: free)
        let roots = point.probabilities.map { $0.squareRoot() }
        var hessian = chosen.scaled(rows: roots).gram()
        let means = free.map { point.gradient[$0] }
        for j in free.indices { for i in free.indices { hessian[i, j] -= means[i] * means[j] } }
        let largest = hessian.diagonal.reduce(0) { max($0, $1) }
        // Views that repeat each other make the matrix singular: the ridge picks one of equal solutions.
        for ridge in [1e-14, 1e-12, 1e-9, 1e-6] {
            var damped = hessian
            damped.addToDiagonal([Double](repeating: ridge * max(largest, 1e-12), count: free.count))
            if let factor = try? Cholesky(factorising: damped) {
                let step = factor.solve(means).map { -$0 }
                if step.allSatisfy({ $0.isFinite }) { return step }
            }
        }
        return nil
    }

    private static func descend(
        _ point: Tilted, _ lambda: [Double], _ step: [Double], _ free: [Int], _ rows: Matrix, _ weights: [Double],
        _ conditions: [Condition]
    ) -> ([Double], Tilted)? {
        var length = 1.0
        while length > 1e-12 {
            var next = lambda
            for (place, k) in free.enumerated() {
                let moved = lambda[k] + length * step[place]
                next[k] = conditions[k].isEquality ? moved : max(moved, 0)
            }
            let trial = Tilted(rows, weights, next)
            let slope = free.reduce(0.0) { $0 + point.gradient[$1] * (next[$1] - lambda[$1]) }
            if trial.value.isFinite, next != lambda, slope < 0, trial.value <= point.value + 1e-4 * slope {
                return (next, trial)
            }
            // Close to the solution the decrease drowns in rounding; the gradient still tells.
            if trial.value.isFinite, next != lambda, trial.norm(free) < 0.9 * point.norm(free), length == 1,
                point.norm(free) < 1e-5
            {
                return (next, trial)
            }
            length /= 2
        }
        return nil
    }

    private static func conflict(_ lambda: [Double], _ conditions: [Condition]) -> Problem {
        let largest = lambda.reduce(0) { max($0, abs($1)) }
        let names = conditions.indices.filter { abs(lambda[$0]) > 1e-3 * largest }.map { conditions[$0].name }
        var unique: [String] = []
        for name in names where !unique.contains(name) { unique.append(name) }
        return Problem(
            .infeasible, "No probabilities of the panel's periods satisfy these views together.", conflict: unique)
    }
}

/// The tilted distribution at a lambda, and the dual function there.
private struct Tilted {
    let value: Double
    let probabilities: [Double]
    /// E[g - c] under the tilted probabilities, in the rows' scale.
    let gradient: [Double]
    let largestExponent: Double

    init(_ rows: Matrix, _ weights: [Double], _ lambda: [Double]) {
        let exponents = rows.multiplied(by: lambda)
        let largest = exponents.max() ?? 0
        var tilted = [Double](repeating: 0, count: weights.count)
        var total = 0.0
        for t in weights.indices {
            tilted[t] = weights[t] * Double.exp(exponents[t] - largest)
            total += tilted[t]
        }
        for t in tilted.indices { tilted[t] /= total }
        value = largest + Double.log(total)
        probabilities = tilted
        gradient = rows.transposedMultiplied(by: tilted)
        largestExponent = largest
    }

    func norm(_ free: [Int]) -> Double { free.reduce(0) { max($0, abs(gradient[$1])) } }
}
