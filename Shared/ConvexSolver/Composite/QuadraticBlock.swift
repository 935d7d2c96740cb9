import LinearAlgebra

/// `f = x'P x / v_scale` with `x_i = v_columns_i - reference_i v_scale`, or 1 in the place of `v_scale`: variances, tracking error,
/// effective number of assets.
final class QuadraticBlock: Block {
    private let matrix: Matrix
    private let map: CoordinateMap
    private let scale: Int?
    private var x: [Double]
    private var slope: [Double]
    /// How x moves along the scaling variable, and the matrix times that.
    private var column: [Double]
    private var image: [Double]
    private var slopeOfScale = 0.0
    private var size = 1.0

    /// - Parameter matrix: symmetric, positive semidefinite, both triangles.
    init(_ matrix: Matrix, _ map: CoordinateMap, scale: Int?) {
        self.matrix = matrix
        self.map = map
        self.scale = scale
        x = [Double](repeating: 0, count: matrix.rows)
        (slope, column, image) = (x, x, x)
    }

    var complementarity: (pairs: Int, sum: Double) { (0, 0) }
    var needsCommonStep: Bool { true }
    var ownResidual: Double { 0 }

    func start(_ v: [Double], multiplier: Double, mu: Double) {}

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        map.argument(v, into: &x)
        size = scale.map { v[$0] } ?? 1
        matrix.symmetricMultiplied(by: x, into: &slope)
        let value = Vector.dot(slope, x) / size
        for i in slope.indices { slope[i] *= 2 / size }
        slopeOfScale = -value / size
        return value
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) {
        map.addAdjoint(slope, times: multiplier, to: &gradient)
        if let scale { gradient[scale] += multiplier * slopeOfScale }
    }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        let factor = 2 * multiplier / size
        let n = x.count
        for j in 0..<n {
            for i in j..<n {
                core.add(factor * matrix.storage[i + j * n], map.columns[i], map.columns[j])
            }
        }
        // Along the scaling variable x moves by -(reference + x / v) (the perspective's column, and the map's own).
        let indexOfScale = scale ?? map.scale
        guard let indexOfScale else { return }
        for i in 0..<n {
            column[i] = -(map.scale == nil ? 0 : map.reference[i]) - (scale == nil ? 0 : x[i] / size)
        }
        matrix.symmetricMultiplied(by: column, into: &image)
        for i in 0..<n { core.add(factor * image[i], map.columns[i], indexOfScale) }
        core.add(factor * Vector.dot(image, column), indexOfScale, indexOfScale)
    }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double {
        map.addAdjoint(slope, to: &column)
        if let scale { column[scale] += slopeOfScale }
        return 0
    }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double { 0 }
    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {}
    func stepLimits() -> (primal: Double, dual: Double) { (.infinity, .infinity) }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double { 0 }
    func advance(primal: Double, dual: Double) {}
    func rescale(_ factor: Double) {}
    func writeDualSeries(into series: inout [Double]) {}
}
