/// The QR factorisation with column pivoting, A P = Q R: shows which columns are linearly independent.
public struct PivotedQR: Sendable {
    /// R in the upper triangle (the reflectors are below it).
    public let factor: Matrix
    /// The original index of each column of R.
    public let columnOrder: [Int]

    /// Factorises `matrix`.
    public init(_ matrix: consuming Matrix) throws(FactorisationError) {
        guard matrix.isFinite else { throw .notFinite }
        columnOrder = try LAPACK.pivotedQR(&matrix)
        factor = matrix
    }

    /// How many diagonal elements of R exceed `tolerance` times the largest one.
    public func rank(tolerance: Double = 1e-11) -> Int {
        let diagonal = factor.diagonal
        guard let largest = diagonal.first?.magnitude, largest > 0 else { return 0 }
        return diagonal.prefix { $0.magnitude > tolerance * largest }.count
    }

    /// For each column beyond `rank`, its coefficients on the first `rank` ones: R11^-1 R12, of size rank x (columns - rank).
    public func dependence(rank: Int) -> Matrix {
        let rest = factor.columns - rank
        var result = Matrix(rows: rank, columns: rest)
        for k in 0..<rest {
            for i in stride(from: rank - 1, through: 0, by: -1) {
                var value = factor[i, rank + k]
                for j in (i + 1)..<max(rank, i + 1) { value -= factor[i, j] * result[j, k] }
                result[i, k] = value / factor[i, i]
            }
        }
        return result
    }
}
