/// `f = max { q'a : q >= 0, sum m phi(q/m) <= C }`, `v_scale` being the price of the ball: entropic and relativistic tails.
///
/// The saddle point is iterated on: residual `r = v phi'(q) - a - s`, with a multiplier s of `q >= 0`, without which equal worst
/// scenarios stall (they let v go to zero). Weight `1/(v phi'' + s/q)`, column `phi'(q)`. The sum of q and the constant C come in
/// through linear terms.
///
/// Source: A. Ahmadi-Javid (2012), Entropic Value-at-Risk, JOTA 155; D. Cajas (2021), Entropic Portfolio Optimization.
final class DivergenceBall: ScenarioFunction {
    private let divergence: Divergence
    private let multiplicity: [Double]
    private let index: Int
    /// s with q.
    private var pairs: ComplementaryPairs
    private var residual: [Double]
    private var right: [Double]
    private var curvature: [Double]
    private(set) var force: [Double]
    private(set) var weights: [Double]
    private(set) var constant: [Double]
    /// One: phi'(q).
    private(set) var columns: [RowMap.Border]
    private(set) var scale: ScaleTerms?

    init(_ divergence: Divergence, multiplicity: [Double], scale: Int) {
        self.divergence = divergence
        self.multiplicity = multiplicity
        index = scale
        pairs = ComplementaryPairs(count: multiplicity.count)
        let zeros = [Double](repeating: 0, count: multiplicity.count)
        columns = [RowMap.Border(index: scale, values: zeros)]
        (residual, right, curvature) = (zeros, zeros, zeros)
        (force, weights, constant) = (zeros, zeros, zeros)
    }

    private var slope: [Double] { columns[0].values }
    var forcePerMultiplier: [Double] { pairs.dual }
    var complementarity: (pairs: Int, sum: Double) { (pairs.slack.count, multiplierOfPairs * pairs.sum) }
    var needsCommonStep: Bool { true }
    private var multiplierOfPairs = 1.0

    func start(_ a: [Double], _ v: [Double], multiplier: Double, mu: Double) {
        // The maximiser at the given price of the ball, kept away from zero, and a small multiplier beside it.
        let (size, total) = (v[index], multiplicity.reduce(0, +))
        let typical = a.reduce(0) { $0 + abs($1) } / Double(max(a.count, 1))
        for t in a.indices {
            let m = multiplicity[t]
            pairs.dual[t] = min(max(m * divergence.inverseSlope(a[t] / size), 0.1 * m / total), 1)
            pairs.slack[t] = min(mu / (max(multiplier, 1e-12) * pairs.dual[t]), 0.5 * typical)
        }
    }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        let size = v[index]
        multiplierOfPairs = multiplier
        // Moved out and back: written through a span, an element costs no check of who else holds the array.
        var (slopes, curvatures) = ([Double](), [Double]())
        swap(&slopes, &columns[0].values)
        swap(&curvatures, &curvature)
        let sum = Self.differentiate(divergence, pairs.dual, multiplicity, &slopes, &curvatures)
        swap(&slopes, &columns[0].values)
        swap(&curvatures, &curvature)
        var (residuals, forces, weighted) = ([Double](), [Double](), [Double]())
        swap(&residuals, &residual)
        swap(&forces, &force)
        swap(&weighted, &weights)
        let value = Self.linearise(
            a, slope, curvature, pairs.slack, pairs.dual, size, multiplier, &residuals, &forces, &weighted)
        swap(&residuals, &residual)
        swap(&forces, &force)
        swap(&weighted, &weights)
        scale = ScaleTerms(index: index, slope: -sum, curvature: 0, constant: 0, perMultiplier: 0)
        return value - size * sum
    }

    /// phi' and phi'' at q / m, the latter over m; returns the sum of m phi.
    private static func differentiate(
        _ divergence: Divergence, _ q: [Double], _ multiplicity: [Double], _ slopes: inout [Double],
        _ curvatures: inout [Double]
    ) -> Double {
        let q = q.span
        let multiplicity = multiplicity.span
        var slopes = slopes.mutableSpan
        var curvatures = curvatures.mutableSpan
        var sum = 0.0
        for t in 0..<q.count {
            let m = multiplicity[t]
            let terms = divergence.terms(q[t] / m)
            slopes[t] = terms.slope
            curvatures[t] = terms.curvature / m
            sum += m * terms.value
        }
        return sum
    }

    /// Residuals, forces and weights; returns q'a.
    private static func linearise(
        _ a: [Double], _ slope: [Double], _ curvature: [Double], _ s: [Double], _ q: [Double], _ size: Double,
        _ multiplier: Double, _ residuals: inout [Double], _ forces: inout [Double], _ weights: inout [Double]
    ) -> Double {
        let a = a.span
        let slope = slope.span
        let curvature = curvature.span
        let s = s.span
        let q = q.span
        var residuals = residuals.mutableSpan
        var forces = forces.mutableSpan
        var weights = weights.mutableSpan
        var value = 0.0
        for t in 0..<a.count {
            residuals[t] = size * slope[t] - a[t] - s[t]
            forces[t] = multiplier * q[t]
            weights[t] = multiplier / (size * curvature[t] + s[t] / q[t])
            value += q[t] * a[t]
        }
        return value
    }

    func condense(target: Double, corrects: Bool, multiplier: Double) {
        var (rights, constants) = ([Double](), [Double]())
        swap(&rights, &right)
        swap(&constants, &constant)
        pairs.rights(target / multiplier, corrects, &rights)
        let slopeConstant = Self.rest(weights, residual, pairs.dual, slope, &rights, &constants)
        swap(&rights, &right)
        swap(&constants, &constant)
        scale?.constant = -slopeConstant
    }

    /// Constants, and their product with the slopes; right-hand sides are divided by q on the way.
    private static func rest(
        _ weights: [Double], _ residual: [Double], _ q: [Double], _ slope: [Double], _ rights: inout [Double],
        _ constants: inout [Double]
    ) -> Double {
        let weights = weights.span
        let residual = residual.span
        let q = q.span
        let slope = slope.span
        var rights = rights.mutableSpan
        var constants = constants.mutableSpan
        var sum = 0.0
        for t in 0..<q.count {
            rights[t] /= q[t]
            constants[t] = weights[t] * (rights[t] - residual[t])
            sum += slope[t] * constants[t]
        }
        return sum
    }

    func recover(_ da: [Double], _ dv: [Double], multiplierStep: Double, multiplier: Double) {
        pairs.follow(da, dv[index], weights, 1 / multiplier, slope, residual, right)
    }

    func stepLimits() -> (primal: Double, dual: Double) { pairs.stepLimits() }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        multiplierOfPairs * pairs.sum(afterPrimal: primal, dual: dual)
    }
    func advance(primal: Double, dual: Double) { pairs.advance(primal: primal, dual: dual) }

    func rescale(_ factor: Double) { pairs.rescale(factor) }
}

extension ComplementaryPairs {
    /// Steps of q and s that follow from `dq = factor weight (da - slope step - residual + right)`, right being over q.
    fileprivate mutating func follow(
        _ da: [Double], _ step: Double, _ weights: [Double], _ factor: Double, _ slope: [Double], _ residual: [Double],
        _ right: [Double]
    ) {
        let (slack, dual) = (slack, dual)
        Self.follow(da, step, weights, factor, slope, residual, right, slack, dual, &dualStep, &slackStep)
    }

    private static func follow(
        _ da: [Double], _ step: Double, _ weights: [Double], _ factor: Double, _ slope: [Double], _ residual: [Double],
        _ right: [Double],
        _ slack: [Double], _ dual: [Double], _ dualSteps: inout [Double], _ slackSteps: inout [Double]
    ) {
        let da = da.span
        let weights = weights.span
        let slope = slope.span
        let residual = residual.span
        let right = right.span
        let slack = slack.span
        let dual = dual.span
        var dualSteps = dualSteps.mutableSpan
        var slackSteps = slackSteps.mutableSpan
        for t in 0..<da.count {
            let change = factor * weights[t] * (da[t] - slope[t] * step - residual[t] + right[t])
            dualSteps[t] = change
            slackSteps[t] = right[t] - slack[t] * change / dual[t]
        }
    }
}
