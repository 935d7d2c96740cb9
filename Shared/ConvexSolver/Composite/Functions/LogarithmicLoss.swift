import RealModule

/// `f = -sum_t c_t v_scale log(1 + a_t / v_scale)`, or with 1 in the place of `v_scale`: the growth that is lost (Kelly).
final class LogarithmicLoss: ScenarioFunction {
    private let cost: [Double]
    private let index: Int?
    /// v_scale + a in units of return: what the logarithm is of, times v_scale. Affine, and positive.
    private var room: [Double]
    private var roomStep: [Double]
    private(set) var force: [Double]
    private(set) var weights: [Double]
    let constant: [Double]
    private(set) var forcePerMultiplier: [Double]
    private(set) var columns: [RowMap.Border]
    private(set) var scale: ScaleTerms?
    private let unit: Double

    /// - Parameter unit: what one unit of `a` is as a return.
    init(cost: [Double], unit: Double, scale: Int?) {
        self.cost = cost
        self.unit = unit
        index = scale
        let zeros = [Double](repeating: 0, count: cost.count)
        columns = scale.map { [RowMap.Border(index: $0, values: zeros)] } ?? []
        (room, roomStep) = (zeros, zeros)
        (force, weights, constant, forcePerMultiplier) = (zeros, zeros, zeros, zeros)
    }

    var needsCommonStep: Bool { true }

    func evaluate(_ a: [Double], _ v: [Double], multiplier: Double) -> Double {
        let size = index.map { v[$0] } ?? 1
        var (value, slopeOfScale) = (0.0, 0.0)
        var column: [Double] = []
        if index != nil { swap(&column, &columns[0].values) }
        for t in a.indices {
            let change = unit * a[t] / size
            let factor = 1 + change
            room[t] = size * factor
            let growth = Double.log(onePlus: max(change, -1 + 1e-300))
            value -= cost[t] * growth
            slopeOfScale -= cost[t] * (growth - change / factor)
            forcePerMultiplier[t] = -cost[t] * unit / factor
            force[t] = multiplier * forcePerMultiplier[t]
            weights[t] = multiplier * cost[t] * unit * unit / (size * factor * factor)
            if index != nil { column[t] = a[t] / size }
        }
        if let index {
            swap(&column, &columns[0].values)
            scale = ScaleTerms(index: index, slope: slopeOfScale, curvature: 0, constant: 0, perMultiplier: 0)
        }
        return value * size
    }

    func recover(_ da: [Double], _ dv: [Double], multiplierStep: Double, multiplier: Double) {
        let step = index.map { dv[$0] } ?? 0
        for t in da.indices { roomStep[t] = step + unit * da[t] }
    }

    func stepLimits() -> (primal: Double, dual: Double) {
        (ComplementaryPairs.limit(room, roomStep), .infinity)
    }
}
