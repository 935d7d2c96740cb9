import RealModule

/// `f = (sum_t c_t |a_t|^p)^(2/p) / v_scale`, of degree two in a, or with 1 in the place of `v_scale`; one-sided if asked: only a < 0.
///
/// Gradient and Hessian are those of the power; the Hessian is diagonal plus one outer product. As a perspective it moves with
/// `da - (a/v) dv`.
final class PowerMean: ScenarioFunction {
    private let cost: [Double]
    private let power: Double
    private let isOneSided: Bool
    private let index: Int?
    private(set) var force: [Double]
    private(set) var weights: [Double]
    let constant: [Double]
    private(set) var forcePerMultiplier: [Double]
    private(set) var columns: [RowMap.Border]
    /// Of the sum by each argument over `largest`, over p; and the outer product's scale, where there is one.
    private var slope: [Double]
    private var outerScale: Double?
    private(set) var scale: ScaleTerms?

    init(cost: [Double], power: Double, isOneSided: Bool, scale: Int?) {
        self.cost = cost
        self.power = power
        self.isOneSided = isOneSided
        index = scale
        let zeros = [Double](repeating: 0, count: cost.count)
        (force, weights, constant, forcePerMultiplier, slope) = (zeros, zeros, zeros, zeros, zeros)
        columns = scale.map { [RowMap.Border(index: $0, values: zeros)] } ?? []
    }

    var needsCommonStep: Bool { true }
    var outer: (scale: Double, vector: [Double])? { outerScale.map { ($0, slope) } }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        let size = index.map { v[$0] } ?? 1
        var largest = 0.0
        for value in a where !isOneSided || value < 0 { largest = max(largest, value.magnitude) }
        guard largest > 0 else {
            for t in a.indices { (force[t], forcePerMultiplier[t], weights[t]) = (0, 0, 0) }
            outerScale = nil
            if index != nil { for t in a.indices { columns[0].values[t] = 0 } }
            scale = index.map { ScaleTerms(index: $0, slope: 0, curvature: 0, constant: 0, perMultiplier: 0) }
            return 0
        }
        // Powers of a / largest: nothing overflows or vanishes as a whole.
        var sum = 0.0
        for t in a.indices {
            let ratio = isOneSided && a[t] >= 0 ? 0 : a[t].magnitude / largest
            let lower = power == 4 ? ratio * ratio : power == 2 ? 1 : (ratio > 0 ? Double.pow(ratio, power - 2) : 0)
            let isIn = ratio > 0 || (power == 2 && !isOneSided)
            weights[t] = isIn ? cost[t] * lower : 0
            slope[t] = weights[t] * (a[t] / largest)
            sum += slope[t] * (a[t] / largest)
        }
        let root = Double.pow(sum, 2 / power)
        let value = root * largest * largest / size
        // f = largest^2 S^r / size with S the sum above, r = 2/p.
        let factor = 2 * root / (sum * size)
        for t in a.indices {
            forcePerMultiplier[t] = factor * largest * slope[t]
            force[t] = multiplier * forcePerMultiplier[t]
            weights[t] *= multiplier * factor * (power - 1)
        }
        outerScale = power == 2 ? nil : multiplier * factor * (2 - power) / sum
        if let index {
            for t in a.indices { columns[0].values[t] = a[t] / size }
            scale = ScaleTerms(index: index, slope: -value / size, curvature: 0, constant: 0, perMultiplier: 0)
        }
        return value
    }
}
