import LinearAlgebra

/// The core system of a linear program whose variables all have a bound: H is diagonal plus the inequality rows.
///
/// The rows stay outside of H, with their own variables v = W G dx, so that only a matrix of the order of the number of rows is
/// factorised:  [A; G] D^-1 [A; G]' + diag(0, 1/w).
struct DiagonalSystem {
    private let rows: Matrix
    private var inverse: [Double]
    /// The rows, each column times the root of its inverse.
    private var scaledRows: Matrix
    private var complement: Matrix
    private var schurScale: [Double]
    private var schur: Cholesky
    private var both: [Double]

    /// - Parameter rows: [A; G].
    init(rows: Matrix) {
        self.rows = rows
        inverse = [Double](repeating: 0, count: rows.columns)
        scaledRows = rows
        complement = Matrix(rows: rows.rows, columns: rows.rows)
        schurScale = [Double](repeating: 0, count: rows.rows)
        schur = Cholesky(order: rows.rows)
        both = schurScale
    }

    /// False where a variable has no curvature from a bound, or the complement is not definite.
    mutating func factorise(_ form: StandardForm, weights: [Double]) -> Bool {
        form.boundWeights(weights, into: &inverse)
        for j in inverse.indices {
            guard inverse[j] > 0, inverse[j].isFinite else { return false }
            inverse[j] = 1 / inverse[j]
            let root = inverse[j].squareRoot()
            for i in 0..<rows.rows {
                scaledRows.storage[i + j * rows.rows] = rows.storage[i + j * rows.rows] * root
            }
        }
        complement.syrk(scaledRows)
        for i in 0..<form.rows { complement[form.equalities + i, form.equalities + i] += 1 / weights[i] }
        return NormalEquations.readScale(complement, &schurScale)
            && NormalEquations.factorise(complement, schurScale, regularisation: (1e-15, 1000, 1e-9), &schur)
    }

    /// Eliminates dx = D^-1 (r1 - A'dy - G'v).
    mutating func solve(_ r1: [Double], _ r2: [Double], dx: inout [Double], dy: inout [Double]) {
        for j in dx.indices { dx[j] = r1[j] * inverse[j] }
        rows.gemv(dx, into: &both)
        for i in both.indices { both[i] = (both[i] - (i < r2.count ? r2[i] : 0)) * schurScale[i] }
        schur.solve(inPlace: &both)
        for i in both.indices { both[i] *= schurScale[i] }
        Vector.copy(r1, into: &dx)
        rows.gemv(both, transposed: true, scale: -1, beta: 1, into: &dx)
        for j in dx.indices { dx[j] *= inverse[j] }
        for i in dy.indices { dy[i] = both[i] }
    }
}
