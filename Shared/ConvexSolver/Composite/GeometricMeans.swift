import LinearAlgebra

/// Rows `v_level - sqrt(u_i z_i) / root_i <= 0` with `u_i = v_columns_i`, `z = M v_columns`: a level below every scaled geometric mean.
///
/// Each row is convex where u and z are positive: its curvature is `sqrt(uz) / (4 root) e e'` with `e = (1/u, -1/z)`. Slack s, price q.
final class GeometricMeans: Block {
    private let level: Int
    private let roots: [Double]
    private let columns: [Int]
    private let matrix: Matrix
    private var pairs: ComplementaryPairs
    private var residual: [Double]
    private var constant: [Double]
    private var change: [Double]
    private var u: ComplementaryPairs
    private var z: ComplementaryPairs
    private var mean: [Double]
    private var image: [Double]
    /// Gradients of the rows, and the directions of their curvature, with their weights.
    private var rows: RowMap
    private var weights: [Double]

    /// - Parameter matrix: M, one row a mean and one column a variable.
    init(level: Int, roots: [Double], columns: [Int], matrix: Matrix) {
        precondition(matrix.columns == columns.count && matrix.rows == columns.count && roots.count == columns.count)
        self.level = level
        self.roots = roots
        self.columns = columns
        self.matrix = matrix
        pairs = ComplementaryPairs(count: roots.count)
        // Only their slacks are used: what has to stay positive.
        u = pairs
        z = pairs
        residual = [Double](repeating: 0, count: roots.count)
        (constant, change, mean, image) = (residual, residual, residual, residual)
        weights = [Double](repeating: 0, count: 2 * roots.count)
        let ofLevel = weights.indices.map { $0 < roots.count ? 1.0 : 0 }
        rows = RowMap(
            Matrix(rows: weights.count, columns: columns.count), columns: columns,
            borders: [RowMap.Border(index: level, values: ofLevel)])
    }

    var complementarity: (pairs: Int, sum: Double) { (roots.count, pairs.sum) }
    var needsCommonStep: Bool { true }
    var ownResidual: Double { 0 }

    private func place(_ v: [Double]) {
        for i in roots.indices { u.slack[i] = v[columns[i]] }
        matrix.gemv(u.slack, into: &z.slack)
        for i in roots.indices { mean[i] = max(u.slack[i] * z.slack[i], 0).squareRoot() / roots[i] }
    }

    func start(_ v: [Double], multiplier: Double, mu: Double) {
        place(v)
        for i in roots.indices {
            pairs.slack[i] = max(mean[i] - v[level], 0.1 * abs(v[level]), 1e-3)
            pairs.dual[i] = mu / pairs.slack[i]
        }
    }

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        place(v)
        for i in roots.indices { residual[i] = pairs.slack[i] + v[level] - mean[i] }
        return 0
    }

    /// core += sum_i force_i (gradient of row i).
    private func addRows(_ force: [Double], to core: inout [Double]) {
        for i in roots.indices {
            core[level] += force[i]
            core[columns[i]] -= force[i] * mean[i] / (2 * u.slack[i])
            change[i] = -force[i] * mean[i] / (2 * z.slack[i])
        }
        matrix.gemv(change, transposed: true, into: &image)
        for (j, value) in image.enumerated() { core[columns[j]] += value }
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) { addRows(pairs.dual, to: &gradient) }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        let n = roots.count
        for i in 0..<n {
            let (a, b, half) = (1 / u.slack[i], 1 / z.slack[i], -mean[i] / 2)
            weights[i] = pairs.dual[i] / pairs.slack[i]
            weights[n + i] = pairs.dual[i] * mean[i] / 4
            for j in 0..<n {
                let slope = matrix[i, j]
                rows.matrix[i, j] = half * ((i == j ? a : 0) + b * slope)
                rows.matrix[n + i, j] = (i == j ? a : 0) - b * slope
            }
        }
        workspace.addWeighted(rows, own: [], weights: weights, to: &core)
    }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double { 0 }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double {
        for i in roots.indices {
            let weight = pairs.dual[i] / pairs.slack[i]
            constant[i] = pairs.right(i, target, corrects) / pairs.slack[i] + weight * residual[i]
        }
        addRows(constant, to: &rest)
        return 0
    }

    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {
        for i in roots.indices { u.slackStep[i] = dv[columns[i]] }
        matrix.gemv(u.slackStep, into: &z.slackStep)
        for i in roots.indices {
            let of = mean[i] / 2 * (u.slackStep[i] / u.slack[i] + z.slackStep[i] / z.slack[i])
            change[i] = dv[level] - of
            let weight = pairs.dual[i] / pairs.slack[i]
            pairs.slackStep[i] = -change[i] - residual[i]
            pairs.dualStep[i] = constant[i] + weight * change[i]
        }
    }

    func stepLimits() -> (primal: Double, dual: Double) {
        let (primal, dual) = pairs.stepLimits()
        return (min(primal, u.stepLimits().primal, z.stepLimits().primal), dual)
    }

    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        pairs.sum(afterPrimal: primal, dual: dual)
    }
    func advance(primal: Double, dual: Double) { pairs.advance(primal: primal, dual: dual) }
    func rescale(_ factor: Double) { pairs.rescale(factor) }
    func writeDualSeries(into series: inout [Double]) { write(pairs.dual, into: &series) }
}
