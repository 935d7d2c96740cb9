import LinearAlgebra

/// What soft constraints cost at given weights, and an affine function below that cost.
///
/// A penalty p max(f(w) - level, 0) is at least y (f(w) - level) for every price y between zero and p, and f is at least its
/// linearisation: the solution's prices make the function that touches.
struct SoftPenalty {
    /// In units of the objective.
    private(set) var value = 0.0
    private(set) var slope: [Double]
    /// How far the affine function is below the value at the weights.
    private(set) var miss = 0.0

    init(_ model: MeanRisk, evidence: SolutionEvidence, weights w: [Double]) {
        slope = [Double](repeating: 0, count: w.count)
        let soft = model.constraints.soft
        for (item, found) in zip(soft, evidence.soft) {
            let constraint = item.constraint
            let beyond = -constraint.slack(at: w) / constraint.perLevel
            let size = max(1e-3, abs(constraint.level) / constraint.perLevel)
            let price = item.weight * Self.settled(found.share, beyond: beyond / size)
            value += item.weight * max(beyond, 0)
            miss += item.weight * max(beyond, 0) - price * beyond
            let gradient: [Double]
            switch constraint.kind {
            case .atMost(let a): gradient = a
            case .atLeast(let a): gradient = a.map { -$0 }
            case .hinge(let hinge):
                // Each max(reference - w, 0) by a slope of its own, which need not be that of the side on which w is.
                gradient = w.indices.map { i in
                    let below = hinge.reference[i] - w[i]
                    let kink = found.kinks.isEmpty ? 0 : found.kinks[i] / hinge.weight
                    let share = below == 0 || abs(below) < 1e-6 ? Self.settled(kink) : below > 0 ? 1 : 0
                    miss += price * hinge.weight * (max(below, 0) - share * below)
                    return hinge.linear - hinge.weight * share
                }
            case .convex(let limit):
                let minorant = LimitMinorants.minorant(limit, named: constraint.name, evidence, model, w)
                miss += price * max(limit.value(w) - minorant.value(at: w), 0) / constraint.perLevel
                gradient = minorant.slope.map { $0 / constraint.perLevel }
            case .equal, .bounds: continue  // never: `SoftConstraint.parts`
            }
            Vector.axpy(price, gradient, &slope)
        }
    }

    /// Well within its level a constraint has no price, well beyond it all of the penalty; on it what was found, however little that is.
    private static func settled(_ share: Double, beyond: Double) -> Double {
        beyond < -1e-6 ? 0 : beyond > 1e-6 ? 1 : min(max(share, 0), 1)
    }

    /// A share that differs from all or nothing by less than what a solve leaves is that.
    private static func settled(_ share: Double) -> Double { share > 1 - 1e-6 ? 1 : share > 1e-6 ? share : 0 }
}
