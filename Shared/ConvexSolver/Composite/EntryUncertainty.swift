public import LinearAlgebra

/// V of `q(x) = vec(xx')' V vec(xx')`: how far the entries of a matrix are uncertain, where one entry's error says little of another's.
public enum EntryUncertainty: Sendable, Equatable {
    /// Entries on their own: their variances, n x n, symmetric.
    case independent(Matrix)
    /// n^2 x n^2, symmetric, the same under a change of i and j in both indices.
    case full(Matrix)

    /// `mat(V vec(xx'))`, n x n.
    public func image(_ x: [Double]) -> Matrix {
        var (outer, result) = (Matrix(rows: x.count, columns: x.count), Matrix(rows: x.count, columns: x.count))
        image(x, into: &result, outer: &outer)
        return result
    }

    /// The same into matrices that are there already; `outer` becomes xx'.
    func image(_ x: [Double], into result: inout Matrix, outer: inout Matrix) {
        let n = x.count
        for j in 0..<n { for i in 0..<n { outer.storage[i + j * n] = x[i] * x[j] } }
        switch self {
        case .independent(let variances):
            for i in result.storage.indices { result.storage[i] = outer.storage[i] * variances.storage[i] }
        case .full(let matrix): matrix.symmetricMultiplied(by: outer.storage, into: &result.storage)
        }
    }

    /// `K_ab = sum_cd x_c V_(ac),(bd) x_d`, which with the image makes the change of `image(x) x` with x: `image + 2 K`.
    func change(_ x: [Double], into K: inout Matrix) {
        let n = x.count
        for i in K.storage.indices { K.storage[i] = 0 }
        switch self {
        case .independent(let variances):
            // V is the mean of itself and of V with c and d changed: half of it is on the diagonal.
            for b in 0..<n {
                for a in 0..<n {
                    let variance = variances.storage[a + b * n]
                    K.storage[a + b * n] += x[a] * variance * x[b] / 2
                    K.storage[a + a * n] += variance * x[b] * x[b] / 2
                }
            }
        case .full(let matrix):
            let order = n * n
            for b in 0..<n {
                for d in 0..<n where x[d] != 0 {
                    let column = (b + d * n) * order
                    for c in 0..<n where x[c] != 0 {
                        let factor = x[c] * x[d]
                        let from = column + c * n
                        for a in 0..<n { K.storage[a + b * n] += factor * matrix.storage[from + a] }
                    }
                }
            }
        }
    }
}

/// `f = sqrt(q(x)) / v_scale` with x = v_columns, or 1 in the place of `v_scale`: what an ellipsoid of covariances adds to the variance.
///
/// Of degree two; convex wherever the worst covariance of the set is one. Its second derivatives are `(2 G + 4 K) / h - grad grad' / h`
/// with h the root, `G = image(x)`.
final class EllipsoidVariance: Block {
    private let uncertainty: EntryUncertainty
    private let columns: [Int]
    private let scale: Int?
    private var x: [Double]
    private var slope: [Double]
    private var slopeOfScale = 0.0
    private var size = 1.0
    private var root = 0.0
    private var image: Matrix
    private var K: Matrix
    private var outer: Matrix
    private var through: [Double]

    init(_ uncertainty: EntryUncertainty, columns: [Int], scale: Int?) {
        self.uncertainty = uncertainty
        self.columns = columns
        self.scale = scale
        x = [Double](repeating: 0, count: columns.count)
        (slope, through) = (x, x)
        image = Matrix(rows: x.count, columns: x.count)
        (K, outer) = (image, image)
    }

    var complementarity: (pairs: Int, sum: Double) { (0, 0) }
    var needsCommonStep: Bool { true }
    var ownResidual: Double { 0 }

    func start(_ v: [Double], multiplier: Double, mu: Double) {}

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        for (i, index) in columns.enumerated() { x[i] = v[index] }
        size = scale.map { v[$0] } ?? 1
        uncertainty.image(x, into: &image, outer: &outer)
        image.symmetricMultiplied(by: x, into: &through)
        root = max(Vector.dot(x, through), 0).squareRoot()
        for i in slope.indices { slope[i] = root > 0 ? 2 * through[i] / (root * size) : 0 }
        slopeOfScale = -root / (size * size)
        return root / size
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) {
        for (i, index) in columns.enumerated() { gradient[index] += multiplier * slope[i] }
        if let scale { gradient[scale] += multiplier * slopeOfScale }
    }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        guard root > 0 else { return }
        let n = columns.count
        uncertainty.change(x, into: &K)
        let factor = multiplier / (root * size)
        // slope = grad h / size
        for j in 0..<n {
            for i in j..<n {
                let second = 2 * image.storage[i + j * n] + 4 * K.storage[i + j * n]
                let own = factor * (second - slope[i] * slope[j] * size * size)
                core.add(own, columns[i], columns[j])
            }
        }
        guard let scale else { return }
        for i in 0..<n { core.add(-multiplier * slope[i] / size, columns[i], scale) }
        core.add(-2 * multiplier * slopeOfScale / size, scale, scale)
    }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double {
        for (i, index) in columns.enumerated() { column[index] += slope[i] }
        if let scale { column[scale] += slopeOfScale }
        return 0
    }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double { 0 }
    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {}
    func stepLimits() -> (primal: Double, dual: Double) { (.infinity, .infinity) }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double { 0 }
    func advance(primal: Double, dual: Double) {}
    func rescale(_ factor: Double) {}
    func writeDualSeries(into series: inout [Double]) { write(slope, into: &series) }
}
