/// `f = sum_t c_t a_t^2 / (2 v_scale)`: half a root of a weighted sum of squares, once `v_scale / 2` is added and minimised over.
///
/// As a perspective it is curved only across the rays of (a, v_scale): weight `l c / v`, column `a / v`.
final class RootOfSquares: ScenarioFunction {
    private let cost: [Double]
    private let index: Int
    private(set) var force: [Double]
    private(set) var weights: [Double]
    let constant: [Double]
    private(set) var forcePerMultiplier: [Double]
    private(set) var columns: [RowMap.Border]
    private(set) var scale: ScaleTerms?

    init(cost: [Double], scale: Int) {
        self.cost = cost
        index = scale
        let zeros = [Double](repeating: 0, count: cost.count)
        columns = [RowMap.Border(index: scale, values: zeros)]
        (force, weights, constant, forcePerMultiplier) = (zeros, zeros, zeros, zeros)
    }

    var needsCommonStep: Bool { true }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        let size = v[index]
        var value = 0.0
        var column: [Double] = []
        swap(&column, &columns[0].values)
        for t in a.indices {
            column[t] = a[t] / size
            forcePerMultiplier[t] = cost[t] * column[t]
            force[t] = multiplier * forcePerMultiplier[t]
            weights[t] = multiplier * cost[t] / size
            value += forcePerMultiplier[t] * a[t] / 2
        }
        swap(&column, &columns[0].values)
        scale = ScaleTerms(index: index, slope: -value / size, curvature: 0, constant: 0, perMultiplier: 0)
        return value
    }
}
