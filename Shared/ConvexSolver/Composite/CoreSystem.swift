import LinearAlgebra

/// The Newton system of the core: a positive definite matrix H with a few rows on its side.
///
///     [ H   K ] [dv]   [r1]
///     [ K' -C ] [dy] = [r2]
///
/// K holds the equality rows (C = 0) and one column a ceiling (C > 0). H is scaled by its diagonal before the factorisation, and
/// each solve is refined once against the matrix itself.
struct CoreSystem {
    private let matrix: Matrix
    private let roots: [Double]
    private let factor: Cholesky
    private let sides: Matrix
    private let solvedSides: Matrix
    private let corners: [Double]
    private let schur: Cholesky?

    /// - Throws: `notPositiveDefinite` where even a raised diagonal does not help.
    init(_ core: CoreMatrix, sides: Matrix, corners: [Double], regularisation: Double) throws(FactorisationError) {
        let n = core.matrix.rows
        var scaled = core.matrix
        let diagonal = core.matrix.diagonal
        let floor = 1e-30 * (diagonal.max() ?? 1)
        let roots = diagonal.map { 1 / max($0, floor).squareRoot() }
        scaled.scaleLowerTriangle(by: roots)
        // A shift far below what matters to a step bounds the inverse: without one the rows on the side lose all digits to
        // directions in which H is nothing but rounding.
        var shift = regularisation
        while true {
            var candidate = scaled
            for i in 0..<n { candidate.storage[i + i * n] += shift }
            do {
                factor = try Cholesky(factorising: candidate)
                scaled = candidate
                break
            } catch {
                shift *= 100
                if shift > 1e-6 { throw error }
            }
        }
        self.roots = roots
        var shifted = core.matrix
        for i in 0..<n { shifted.storage[i + i * n] += shift / (roots[i] * roots[i]) }
        matrix = shifted
        self.sides = sides
        self.corners = corners
        guard sides.columns > 0 else {
            solvedSides = sides
            schur = nil
            return
        }
        var solved = Matrix(rows: n, columns: sides.columns)
        for j in 0..<sides.columns {
            let column = Self.solve(sides.column(j), scaled: factor, roots, shifted)
            for i in 0..<n { solved.storage[i + j * n] = column[i] }
        }
        solvedSides = solved
        var complement = Matrix(rows: sides.columns, columns: sides.columns)
        complement.gemm(sides, solved, transposeFirst: true)
        for j in corners.indices { complement.storage[j + j * corners.count] += corners[j] }
        let size = complement.diagonal
        var ridge = 1e-14
        while true {
            var candidate = complement
            for j in corners.indices { candidate.storage[j + j * corners.count] += ridge * size[j].magnitude }
            do {
                schur = try Cholesky(factorising: candidate)
                return
            } catch {
                ridge *= 100
                if ridge > 1e-3 { throw error }
            }
        }
    }

    private static func solve(
        _ right: [Double], scaled factor: Cholesky, _ roots: [Double], _ matrix: Matrix
    ) -> [Double] {
        var x = factor.solve(zip(right, roots).map { $0 * $1 })
        for i in x.indices { x[i] *= roots[i] }
        var residual = matrix.symmetricMultiplied(by: x)
        for i in x.indices { residual[i] = (right[i] - residual[i]) * roots[i] }
        let correction = factor.solve(residual)
        for i in x.indices { x[i] += correction[i] * roots[i] }
        return x
    }

    func solve(_ r1: [Double], _ r2: [Double]) -> (dv: [Double], dy: [Double]) {
        guard schur != nil else { return (Self.solve(r1, scaled: factor, roots, matrix), []) }
        var (dv, dy) = eliminate(r1, r2)
        // Rows of the side lose digits to the spread of H; the whole system is refined until they are back.
        for _ in 0..<2 {
            var first = matrix.symmetricMultiplied(by: dv)
            sides.gemv(dy, beta: 1, into: &first)
            var second = sides.transposedMultiplied(by: dv)
            for i in first.indices { first[i] = r1[i] - first[i] }
            for j in second.indices { second[j] = r2[j] - second[j] + corners[j] * dy[j] }
            let correction = eliminate(first, second)
            Vector.axpy(1, correction.dv, &dv)
            Vector.axpy(1, correction.dy, &dy)
        }
        return (dv, dy)
    }

    private func eliminate(_ r1: [Double], _ r2: [Double]) -> (dv: [Double], dy: [Double]) {
        guard let schur else { return (r1, r2) }
        var dv = factor.solve(zip(r1, roots).map { $0 * $1 })
        for i in dv.indices { dv[i] *= roots[i] }
        var right = sides.transposedMultiplied(by: dv)
        for j in right.indices { right[j] -= r2[j] }
        let dy = schur.solve(right)
        solvedSides.gemv(dy, scale: -1, beta: 1, into: &dv)
        return (dv, dy)
    }
}
