/// The ladder of resistors of `DrawdownLadder`, factorised at one point: what its recurrences and sweeps read, reciprocals taken once.
struct ResistorLadder {
    /// e_t, b_t and 1 / a_t.
    private(set) var ground: [Double]
    private var thevenin: [Double]
    private var perNode: [Double]
    /// 1 / (1 + e_t b_t): what of a current goes on past node t; `carries` holds that of the node before.
    private var share: [Double]
    private(set) var carries: [Double]
    /// 1 / sqrt(G_t)
    private(set) var roots: [Double]

    init(count: Int) {
        let zeros = [Double](repeating: 0, count: count)
        (ground, thevenin, perNode, share, carries, roots) = (zeros, zeros, zeros, zeros, zeros, zeros)
    }

    /// - Parameter weights: the tail's conductances to ground.
    mutating func set(_ rungs: ComplementaryPairs, _ floor: ComplementaryPairs, _ weights: [Double]) {
        Self.factorise(rungs, floor, weights, &ground, &thevenin, &perNode, &share, &carries, &roots)
    }

    private static func factorise(
        _ rungs: ComplementaryPairs, _ floor: ComplementaryPairs, _ weights: [Double], _ ground: inout [Double],
        _ thevenin: inout [Double], _ perNode: inout [Double], _ share: inout [Double], _ carries: inout [Double],
        _ roots: inout [Double]
    ) {
        let slack = rungs.slack.span
        let dual = rungs.dual.span
        let depth = floor.slack.span
        let price = floor.dual.span
        let weight = weights.span
        var grounds = ground.mutableSpan
        var sources = thevenin.mutableSpan
        var nodes = perNode.mutableSpan
        var shares = share.mutableSpan
        var carried = carries.mutableSpan
        var root = roots.mutableSpan
        // 1 / a_(t-1); the first node hangs on a fixed one.
        var (before, carry) = (0.0, 0.0)
        for t in 0..<weight.count {
            let e = price[t] / depth[t] + weight[t]
            let b = slack[t] / dual[t] + before
            grounds[t] = e
            sources[t] = b
            carried[t] = carry
            carry = 1 / (1 + e * b)
            shares[t] = carry
            // 1 / (e + 1/b) and 1 / sqrt(b + 1/e), without the inner quotients.
            before = b * carry
            nodes[t] = before
            root[t] = (e * carry).squareRoot()
        }
    }

    /// Changes of drawdowns and rung prices for voltage sources in the rungs and currents into the nodes.
    func sweep(_ source: [Double], _ into: [Double], _ drop: inout [Double], _ current: inout [Double]) {
        let source = source.span
        let into = into.span
        let ground = ground.span
        let thevenin = thevenin.span
        let perNode = perNode.span
        let share = share.span
        var drops = drop.mutableSpan
        var currents = current.mutableSpan
        var before = 0.0
        for t in 0..<source.count {
            let open = before - source[t]
            drops[t] = open
            before = (open + thevenin[t] * into[t]) * share[t]
            currents[t] = before
        }
        var next = 0.0
        var t = source.count - 1
        while t >= 0 {
            let open = drops[t]
            drops[t] = currents[t] - next * perNode[t]
            next = (ground[t] * open - into[t] + next) * share[t]
            currents[t] = next
            t -= 1
        }
    }
}
