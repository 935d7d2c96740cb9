/// Rows that hold: `a_t <= 0`. The function is zero where they do and infinite elsewhere; the dual series are their prices.
///
/// Slack s = -a, price q: `d = q/s`.
final class HardRows: ScenarioFunction {
    private var pairs: ComplementaryPairs
    private var residual: [Double]
    private(set) var weights: [Double]
    private(set) var constant: [Double]
    let forcePerMultiplier: [Double]

    init(count: Int) {
        pairs = ComplementaryPairs(count: count)
        residual = [Double](repeating: 0, count: count)
        weights = residual
        constant = residual
        forcePerMultiplier = residual
    }

    var force: [Double] { pairs.dual }
    var complementarity: (pairs: Int, sum: Double) { (pairs.slack.count, pairs.sum) }
    var needsCommonStep: Bool { false }

    func start(_ a: [Double], _ v: [Double], multiplier: Double, mu: Double) {
        let size = a.reduce(0) { $0 + abs($1) } / Double(max(a.count, 1))
        for t in a.indices {
            pairs.slack[t] = max(-a[t], 0.1 * size, 1e-3)
            pairs.dual[t] = mu / pairs.slack[t]
        }
    }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        for t in a.indices { residual[t] = pairs.slack[t] + a[t] }
        return 0
    }

    func linearise(multiplier: Double) {
        for t in weights.indices { weights[t] = pairs.dual[t] / pairs.slack[t] }
    }

    func condense(target: Double, corrects: Bool, multiplier: Double) {
        for t in weights.indices {
            constant[t] = pairs.right(t, target, corrects) / pairs.slack[t] + weights[t] * residual[t]
        }
    }

    func recover(_ da: [Double], _ dv: [Double], multiplierStep: Double, multiplier: Double) {
        for t in da.indices {
            pairs.slackStep[t] = -da[t] - residual[t]
            pairs.dualStep[t] = constant[t] + weights[t] * da[t]
        }
    }

    func stepLimits() -> (primal: Double, dual: Double) { pairs.stepLimits() }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        pairs.sum(afterPrimal: primal, dual: dual)
    }
    func advance(primal: Double, dual: Double) { pairs.advance(primal: primal, dual: dual) }

    func rescale(_ factor: Double) { pairs.rescale(factor) }
}
