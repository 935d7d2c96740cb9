import LinearAlgebra

/// Passes over the rows of a drawdown ladder.
extension DrawdownLadder {
    /// What the rungs' rows miss: slack - (x + depth - the depth before).
    static func rungResiduals(
        _ slack: [Double], _ x: [Double], _ depth: [Double], _ residual: inout [Double]
    ) {
        let slack = slack.span
        let x = x.span
        let depth = depth.span
        var out = residual.mutableSpan
        guard slack.count > 0 else { return }
        out[0] = slack[0] - (x[0] + depth[0])
        for t in 1..<slack.count { out[t] = slack[t] - (x[t] + depth[t] - depth[t - 1]) }
    }

    /// What the nodes' forces leave: the next rung's price - its own - the floor's + the tail's.
    static func nodeResiduals(
        _ rung: [Double], _ floor: [Double], _ force: [Double], _ residual: inout [Double]
    ) {
        let rung = rung.span
        let floor = floor.span
        let force = force.span
        var out = residual.mutableSpan
        guard let last = rung.indices.last else { return }
        for t in 0..<last { out[t] = rung[t + 1] - rung[t] - floor[t] + force[t] }
        out[last] = -rung[last] - floor[last] + force[last]
    }

    /// The rungs' voltage sources at rest.
    static func voltages(
        _ residual: [Double], _ right: [Double], _ dual: [Double], _ voltage: inout [Double]
    ) {
        let residual = residual.span
        let right = right.span
        let dual = dual.span
        var out = voltage.mutableSpan
        for t in 0..<residual.count { out[t] = -residual[t] - right[t] / dual[t] }
    }

    /// The currents into the nodes at rest.
    static func inflows(
        _ right: [Double], _ slack: [Double], _ constant: [Double], _ stationarity: [Double], _ inflow: inout [Double]
    ) {
        let right = right.span
        let slack = slack.span
        let constant = constant.span
        let stationarity = stationarity.span
        var out = inflow.mutableSpan
        for t in 0..<right.count { out[t] = right[t] / slack[t] - constant[t] - stationarity[t] }
    }

    /// The tail's share of each node's conductance, and what is left of it beside the floor's.
    static func split(
        _ weights: [Double], _ ground: [Double], _ dual: [Double], _ slack: [Double], _ shares: inout [Double],
        _ leftover: inout [Double]
    ) {
        let weights = weights.span
        let ground = ground.span
        let dual = dual.span
        let slack = slack.span
        var share = shares.mutableSpan
        var rest = leftover.mutableSpan
        for t in 0..<weights.count {
            let part = weights[t] / ground[t]
            share[t] = part
            rest[t] = dual[t] / slack[t] * part
        }
    }

    /// B diag(shares) values: differences of neighbours.
    static func difference(_ shares: [Double], _ values: [Double], _ result: inout [Double]) {
        let shares = shares.span
        let values = values.span
        var out = result.mutableSpan
        var previous = 0.0
        for t in 0..<shares.count {
            let value = shares[t] * values[t]
            out[t] = value - previous
            previous = value
        }
    }

    /// The same of one value everywhere.
    static func difference(_ shares: [Double], _ value: Double, _ result: inout [Double]) {
        let shares = shares.span
        var out = result.mutableSpan
        var previous = 0.0
        for t in 0..<shares.count {
            out[t] = value * (shares[t] - previous)
            previous = shares[t]
        }
    }

    static func sum(_ a: [Double], _ b: [Double]?, _ result: inout [Double]) {
        let a = a.span
        var out = result.mutableSpan
        guard let b else {
            for t in 0..<a.count { out[t] = a[t] }
            return
        }
        let other = b.span
        for t in 0..<a.count { out[t] = a[t] + other[t] }
    }

    static func shifted(_ a: [Double], _ offset: Double, _ result: inout [Double]) {
        let a = a.span
        var out = result.mutableSpan
        for t in 0..<a.count { out[t] = a[t] + offset }
    }

    static func addProduct(_ a: [Double], _ b: [Double], _ factor: Double, to sum: inout [Double]) {
        let a = a.span
        let b = b.span
        var out = sum.mutableSpan
        for t in 0..<a.count { out[t] += a[t] * b[t] * factor }
    }

    static func rungSteps(_ x: [Double], _ drop: [Double], _ residual: [Double], _ steps: inout [Double]) {
        let x = x.span
        let drop = drop.span
        let residual = residual.span
        var out = steps.mutableSpan
        var previous = 0.0
        for t in 0..<x.count {
            out[t] = x[t] + drop[t] - previous - residual[t]
            previous = drop[t]
        }
    }

    static func floorSteps(
        _ right: [Double], _ dual: [Double], _ slack: [Double], _ drop: [Double], _ steps: inout [Double]
    ) {
        let right = right.span
        let dual = dual.span
        let slack = slack.span
        let drop = drop.span
        var out = steps.mutableSpan
        for t in 0..<right.count { out[t] = (right[t] - dual[t] * drop[t]) / slack[t] }
    }
}
