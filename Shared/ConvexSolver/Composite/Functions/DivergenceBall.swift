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
    private var plain: [Double]
    private var slope: [Double]
    private var curvature: [Double]
    private(set) var force: [Double]
    private(set) var weights: [Double]
    private(set) var constant: [Double]
    private(set) var columns: [RowMap.Border] = []
    private(set) var scale: ScaleTerms?

    init(_ divergence: Divergence, multiplicity: [Double], scale: Int) {
        self.divergence = divergence
        self.multiplicity = multiplicity
        index = scale
        pairs = ComplementaryPairs(count: multiplicity.count)
        let zeros = [Double](repeating: 0, count: multiplicity.count)
        (residual, right, plain, slope, curvature) = (zeros, zeros, zeros, zeros, zeros)
        (force, weights, constant) = (zeros, zeros, zeros)
    }

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
        var (value, sum) = (0.0, 0.0)
        for t in a.indices {
            let (q, m) = (pairs.dual[t], multiplicity[t])
            let terms = divergence.terms(q / m)
            slope[t] = terms.slope
            curvature[t] = terms.curvature / m
            residual[t] = size * terms.slope - a[t] - pairs.slack[t]
            force[t] = multiplier * q
            value += q * a[t]
            sum += m * terms.value
        }
        scale = ScaleTerms(index: index, slope: -sum, curvature: 0, constant: 0, perMultiplier: 0)
        columns = [RowMap.Border(index: index, values: slope)]
        for t in a.indices {
            plain[t] = 1 / (size * curvature[t] + pairs.slack[t] / pairs.dual[t])
            weights[t] = multiplier * plain[t]
        }
        return value - size * sum
    }

    func condense(target: Double, corrects: Bool, multiplier: Double) {
        var scaleConstant = 0.0
        for t in residual.indices {
            right[t] = pairs.right(t, target / multiplier, corrects)
            constant[t] = -weights[t] * (residual[t] - right[t] / pairs.dual[t])
            scaleConstant -= slope[t] * constant[t]
        }
        scale?.constant = scaleConstant
    }

    func recover(_ da: [Double], _ dv: [Double], multiplierStep: Double, multiplier: Double) {
        let step = dv[index]
        for t in da.indices {
            let change = plain[t] * (da[t] - slope[t] * step - residual[t] + right[t] / pairs.dual[t])
            pairs.dualStep[t] = change
            pairs.slackStep[t] = (right[t] - pairs.slack[t] * change) / pairs.dual[t]
        }
    }

    func stepLimits() -> (primal: Double, dual: Double) { pairs.stepLimits() }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        multiplierOfPairs * pairs.sum(afterPrimal: primal, dual: dual)
    }
    func advance(primal: Double, dual: Double) { pairs.advance(primal: primal, dual: dual) }

    func rescale(_ factor: Double) { pairs.rescale(factor) }
}
