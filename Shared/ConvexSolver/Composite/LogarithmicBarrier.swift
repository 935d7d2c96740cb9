import RealModule

/// `f = -sum_i weight_i log v_i` over single core variables: what keeps them positive and shares something out by the weights.
///
/// Each variable has a price s_i of its own with `v_i s_i = l weight_i`, which Newton's method follows like a complementary pair that
/// goes to its weight rather than to zero. That converges from far away where the logarithm's own Newton steps crawl.
final class LogarithmicBarrier: Block {
    private let columns: [Int]
    private let weights: [Double]
    private var pairs: ComplementaryPairs
    private var right: [Double]

    /// - Parameter weights: positive, one a column.
    init(weights: [Double], columns: [Int]) {
        precondition(weights.count == columns.count)
        self.columns = columns
        self.weights = weights
        pairs = ComplementaryPairs(count: columns.count)
        right = [Double](repeating: 0, count: columns.count)
    }

    /// None that go to zero.
    var complementarity: (pairs: Int, sum: Double) { (0, 0) }
    var needsCommonStep: Bool { false }
    private(set) var ownResidual = 0.0
    var balancingForce: Double { pairs.dual.max() ?? 0 }

    func start(_ v: [Double], multiplier: Double, mu: Double) {
        for (i, index) in columns.enumerated() {
            pairs.slack[i] = v[index]
            pairs.dual[i] = multiplier * weights[i] / v[index]
        }
    }

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        var value = 0.0
        ownResidual = 0
        for (i, index) in columns.enumerated() {
            pairs.slack[i] = v[index]
            value -= weights[i] * Double.log(max(v[index], .leastNormalMagnitude))
            let target = multiplier * weights[i]
            ownResidual = max(ownResidual, abs(pairs.slack[i] * pairs.dual[i] - target) / target)
        }
        return value
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) {
        for (i, index) in columns.enumerated() { gradient[index] -= pairs.dual[i] }
    }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        for (i, index) in columns.enumerated() { core.add(pairs.dual[i] / pairs.slack[i], index, index) }
    }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double {
        for (i, index) in columns.enumerated() { column[index] -= weights[i] / pairs.slack[i] }
        return 0
    }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double {
        for (i, index) in columns.enumerated() {
            right[i] = pairs.right(i, multiplier * weights[i], corrects)
            rest[index] -= right[i] / pairs.slack[i]
        }
        return 0
    }

    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {
        for (i, index) in columns.enumerated() {
            pairs.slackStep[i] = dv[index]
            let change = right[i] + multiplierStep * weights[i] - pairs.dual[i] * dv[index]
            pairs.dualStep[i] = change / pairs.slack[i]
        }
    }

    func stepLimits() -> (primal: Double, dual: Double) { pairs.stepLimits() }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double { 0 }
    func advance(primal: Double, dual: Double) { pairs.advance(primal: primal, dual: dual) }
    func rescale(_ factor: Double) { pairs.rescale(factor) }
    func writeDualSeries(into series: inout [Double]) { write(pairs.dual, times: -1, into: &series) }
}
