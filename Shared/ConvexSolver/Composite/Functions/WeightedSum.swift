/// `f = sum_t cost_t a_t`: an average, such as that of the drawdowns.
final class WeightedSum: ScenarioFunction {
    let forcePerMultiplier: [Double]
    let weights: [Double]
    private(set) var force: [Double]

    init(cost: [Double]) {
        forcePerMultiplier = cost
        force = cost
        weights = [Double](repeating: 0, count: cost.count)
    }

    var constant: [Double] { weights }
    var needsCommonStep: Bool { false }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        var value = 0.0
        for t in a.indices {
            force[t] = multiplier * forcePerMultiplier[t]
            value += forcePerMultiplier[t] * a[t]
        }
        return value
    }
}
