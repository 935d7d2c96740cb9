/// `f = sum_t cost_t (second u^2 - third u^3 + fourth u^4) v_scale` with `u = a / v_scale`, or 1 in the place of `v_scale`.
///
/// Convex where `third^2 <= 8/3 second fourth`, and for smaller |u| than `second / (3 third)` in any case. The caller sees to it.
final class QuarticLoss: ScenarioFunction {
    private let cost: [Double]
    private let second: Double
    private let third: Double
    private let fourth: Double
    private let index: Int?
    private(set) var force: [Double]
    private(set) var weights: [Double]
    let constant: [Double]
    private(set) var forcePerMultiplier: [Double]
    private(set) var columns: [RowMap.Border]
    private(set) var scale: ScaleTerms?

    init(cost: [Double], second: Double, third: Double, fourth: Double, scale: Int?) {
        self.cost = cost
        self.second = second
        self.third = third
        self.fourth = fourth
        index = scale
        let zeros = [Double](repeating: 0, count: cost.count)
        columns = scale.map { [RowMap.Border(index: $0, values: zeros)] } ?? []
        (force, weights, constant, forcePerMultiplier) = (zeros, zeros, zeros, zeros)
    }

    var needsCommonStep: Bool { true }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        let size = index.map { v[$0] } ?? 1
        var (value, slopeOfScale) = (0.0, 0.0)
        var column: [Double] = []
        if index != nil { swap(&column, &columns[0].values) }
        for t in a.indices {
            let u = a[t] / size
            let phi = u * u * (second + u * (fourth * u - third))
            let slope = u * (2 * second + u * (4 * fourth * u - 3 * third))
            value += cost[t] * phi
            slopeOfScale += cost[t] * (phi - slope * u)
            forcePerMultiplier[t] = cost[t] * slope
            force[t] = multiplier * forcePerMultiplier[t]
            let curvature = 2 * second + u * (12 * fourth * u - 6 * third)
            weights[t] = multiplier * cost[t] * max(curvature, 0) / size
            if index != nil { column[t] = u }
        }
        if let index {
            swap(&column, &columns[0].values)
            scale = ScaleTerms(index: index, slope: slopeOfScale, curvature: 0, constant: 0, perMultiplier: 0)
        }
        return value * size
    }
}
