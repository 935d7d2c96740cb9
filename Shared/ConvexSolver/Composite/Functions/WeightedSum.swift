import LinearAlgebra

/// `f = sum_t cost_t a_t`: an average, such as that of the drawdowns.
final class WeightedSum: ScenarioFunction {
    let forcePerMultiplier: [Double]
    let weights: [Double]
    private(set) var force: [Double]
    /// The multiplier that the forces are of.
    private var forceMultiplier = 1.0

    init(cost: [Double]) {
        forcePerMultiplier = cost
        force = cost
        weights = [Double](repeating: 0, count: cost.count)
    }

    var constant: [Double] { weights }
    var needsCommonStep: Bool { false }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        if multiplier != forceMultiplier {
            for t in force.indices { force[t] = multiplier * forcePerMultiplier[t] }
            forceMultiplier = multiplier
        }
        return Vector.dot(forcePerMultiplier, a)
    }
}
