import LinearAlgebra

/// The core system of a linear program whose variables all have a bound: H is diagonal plus the inequality rows.
///
/// The rows stay outside of H, with their own variables v = W G dx, so that only a matrix of the order of the number of rows is
/// factorised:  [A; G] D^-1 [A; G]' + diag(0, 1/w).
struct DiagonalSystem {
    private let inverse: [Double]
    private let rows: Matrix
    private let schurScale: [Double]
    private let schur: Cholesky
    private let equalities: Int

    /// Nil where a variable has no curvature from a bound, or the complement is not definite.
    init?(_ form: StandardForm, weights: [Double], rows: Matrix) {
        var inverse = form.boundWeights(weights)
        guard inverse.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
        for j in inverse.indices { inverse[j] = 1 / inverse[j] }
        var complement = Matrix(rows: rows.rows, columns: rows.rows)
        complement.syrk(
            rows.scaled(rows: [Double](repeating: 1, count: rows.rows), columns: inverse.map { $0.squareRoot() }))
        for i in 0..<form.rows { complement[form.equalities + i, form.equalities + i] += 1 / weights[i] }
        var scale = complement.diagonal
        guard scale.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
        for i in scale.indices { scale[i] = 1 / scale[i].squareRoot() }
        guard let schur = NormalEquations.factorise(complement, scale, regularisation: [1e-15, 1e-12, 1e-9]) else {
            return nil
        }
        self.inverse = inverse
        self.rows = rows
        schurScale = scale
        self.schur = schur
        equalities = form.equalities
    }

    func solve(_ r1: [Double], _ r2: [Double]) -> ([Double], [Double]) {
        // Eliminate dx = D^-1 (r1 - A'dy - G'v).
        var right = rows.multiplied(by: zip(r1, inverse).map { $0 * $1 })
        for i in right.indices { right[i] = (right[i] - (i < equalities ? r2[i] : 0)) * schurScale[i] }
        var both = schur.solve(right)
        for i in both.indices { both[i] *= schurScale[i] }
        var dx = r1
        rows.gemv(both, transposed: true, scale: -1, beta: 1, into: &dx)
        for j in dx.indices { dx[j] *= inverse[j] }
        return (dx, Array(both[0..<equalities]))
    }
}
