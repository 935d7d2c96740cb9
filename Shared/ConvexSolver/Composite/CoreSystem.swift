import LinearAlgebra

/// The Newton system of the core: a positive definite matrix H with a few rows on its side.
///
///     [ H   K ] [dv]   [r1]
///     [ K' -C ] [dy] = [r2]
///
/// K holds the equality rows A (C = 0) and one column a ceiling (C > 0). H is taken with `A'PA` added, P diagonal, and r1 with `A'P r2`: the
/// same solution, and a matrix that is definite along rays on which a homogeneous risk has no curvature. It is scaled by its diagonal before
/// the factorisation, and each solve is refined once against the matrix itself. Everything is kept from one system to the next of its order.
final class CoreSystem {
    /// K: written by the caller before `factorise`.
    var sides: Matrix
    /// The diagonal of C, likewise.
    var corners: [Double]
    /// The diagonal of P.
    private var rowWeights: [Double]
    /// H with what the rows add, and the shift of the factorisation.
    private var matrix: Matrix
    private var scaled: Matrix
    private var roots: [Double]
    private var factor: Cholesky
    private var solvedSides: Matrix
    private var complement: Matrix
    private var schur: Cholesky
    // What is in hand: of the order of H, and of the rows on its side.
    private var side: [Double]
    private var right: [Double]
    private var residual: [Double]
    private var correction: [Double]
    private var sideResidual: [Double]
    private var sideCorrection: [Double]

    /// - Parameters:
    ///   - order: of H.
    ///   - rows: on its side.
    init(order: Int, rows: Int) {
        let none = [Double](repeating: 0, count: order)
        sides = Matrix(rows: order, columns: rows)
        corners = [Double](repeating: 0, count: rows)
        rowWeights = corners
        matrix = Matrix(rows: order, columns: order)
        scaled = matrix
        roots = none
        factor = Cholesky(order: order)
        solvedSides = sides
        complement = Matrix(rows: rows, columns: rows)
        schur = Cholesky(order: rows)
        (side, right, residual, correction) = (none, none, none, none)
        (sideResidual, sideCorrection) = (corners, corners)
    }

    /// Takes in H; `sides` and `corners` are those of the caller.
    /// - Throws: `notPositiveDefinite` where even a raised diagonal does not help.
    func factorise(_ core: CoreMatrix, regularisation: Double) throws(FactorisationError) {
        let n = roots.count
        Vector.copy(core.matrix.storage, into: &matrix.storage)
        addRows()
        Vector.copy(matrix.storage, into: &scaled.storage)
        var largest = 0.0
        for i in 0..<n { largest = max(largest, matrix.storage[i + i * n]) }
        let floor = 1e-30 * (n > 0 ? largest : 1)
        for i in 0..<n { roots[i] = 1 / max(matrix.storage[i + i * n], floor).squareRoot() }
        scaled.scaleLowerTriangle(by: roots)
        // A shift far below what matters to a step bounds the inverse: without one the rows on the side lose all digits to
        // directions in which H is nothing but rounding.
        var shift = regularisation
        while true {
            do throws(FactorisationError) {
                try factor.refactorise { target in
                    Vector.copy(scaled.storage, into: &target.storage)
                    for i in 0..<n { target.storage[i + i * n] += shift }
                }
                break
            } catch {
                shift *= 100
                if shift > 1e-6 { throw error }
            }
        }
        for i in 0..<n { matrix.storage[i + i * n] += shift / (roots[i] * roots[i]) }
        try factoriseSides()
    }

    /// Chooses P by the curvature at v of an H that has no barriers in it yet.
    func weighRows(_ core: CoreMatrix, at v: [Double]) {
        let n = roots.count
        for j in corners.indices where corners[j] == 0 {
            var (curvature, reach) = (0.0, 0.0)
            for i in 0..<n where sides.storage[i + j * n] != 0 {
                let part = sides.storage[i + j * n] * v[i]
                curvature += core.matrix.storage[i + i * n] * v[i] * v[i]
                reach += part * part
            }
            rowWeights[j] = reach > 0 ? curvature / reach : 0
        }
    }

    /// Adds `A'PA` to the lower triangle.
    private func addRows() {
        let n = roots.count
        for j in corners.indices where corners[j] == 0 && rowWeights[j] > 0 {
            for k in 0..<n where sides.storage[k + j * n] != 0 {
                let factor = rowWeights[j] * sides.storage[k + j * n]
                for i in k..<n { matrix.storage[i + k * n] += factor * sides.storage[i + j * n] }
            }
        }
    }

    private func factoriseSides() throws(FactorisationError) {
        let (n, rows) = (roots.count, corners.count)
        guard rows > 0 else { return }
        for j in 0..<rows {
            for i in 0..<n { side[i] = sides.storage[i + j * n] }
            solve(&side)
            for i in 0..<n { solvedSides.storage[i + j * n] = side[i] }
        }
        complement.gemm(sides, solvedSides, transposeFirst: true)
        for j in 0..<rows { complement.storage[j + j * rows] += corners[j] }
        var ridge = 1e-14
        while true {
            do throws(FactorisationError) {
                try schur.refactorise { target in
                    Vector.copy(complement.storage, into: &target.storage)
                    for j in 0..<rows {
                        target.storage[j + j * rows] += ridge * complement.storage[j + j * rows].magnitude
                    }
                }
                return
            } catch {
                ridge *= 100
                if ridge > 1e-3 { throw error }
            }
        }
    }

    /// x = H^-1 x, refined once.
    private func solve(_ x: inout [Double]) {
        Vector.copy(x, into: &correction)
        for i in x.indices { x[i] *= roots[i] }
        factor.solve(inPlace: &x)
        for i in x.indices { x[i] *= roots[i] }
        matrix.symmetricMultiplied(by: x, into: &residual)
        for i in x.indices { correction[i] = (correction[i] - residual[i]) * roots[i] }
        factor.solve(inPlace: &correction)
        for i in x.indices { x[i] += correction[i] * roots[i] }
    }

    /// - Parameters:
    ///   - r1: of the order of H.
    ///   - r2: one number a row on the side.
    func solve(_ r1: [Double], _ r2: [Double], dv: inout [Double], dy: inout [Double]) {
        Vector.copy(r1, into: &dv)
        guard !corners.isEmpty else {
            solve(&dv)
            return
        }
        for j in corners.indices where corners[j] == 0 {
            for i in dv.indices { dv[i] += rowWeights[j] * r2[j] * sides.storage[i + j * dv.count] }
        }
        Vector.copy(dv, into: &right)
        eliminate(&dv, r2, &dy)
        // Rows of the side lose digits to the spread of H; the whole system is refined until they are back.
        for _ in 0..<2 {
            matrix.symmetricMultiplied(by: dv, into: &residual)
            sides.gemv(dy, beta: 1, into: &residual)
            sides.gemv(dv, transposed: true, into: &sideResidual)
            for i in residual.indices { residual[i] = right[i] - residual[i] }
            for j in corners.indices { sideResidual[j] = r2[j] - sideResidual[j] + corners[j] * dy[j] }
            eliminate(&residual, sideResidual, &sideCorrection)
            Vector.axpy(1, residual, &dv)
            Vector.axpy(1, sideCorrection, &dy)
        }
    }

    /// dv from r1 in its place, and dy.
    private func eliminate(_ dv: inout [Double], _ r2: [Double], _ dy: inout [Double]) {
        for i in dv.indices { dv[i] *= roots[i] }
        factor.solve(inPlace: &dv)
        for i in dv.indices { dv[i] *= roots[i] }
        sides.gemv(dv, transposed: true, into: &dy)
        for j in dy.indices { dy[j] -= r2[j] }
        schur.solve(inPlace: &dy)
        solvedSides.gemv(dy, scale: -1, beta: 1, into: &dv)
    }
}
