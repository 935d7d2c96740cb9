/// The spectral decomposition A = V diag(values) V' of a symmetric matrix.
public struct SymmetricEigen: Sendable {
    /// Eigenvalues, ascending.
    public let values: [Double]
    /// Orthonormal eigenvectors, one a column, in the order of `values`.
    public let vectors: Matrix

    /// Decomposes the matrix whose lower triangle is given.
    public init(_ matrix: Matrix) throws(FactorisationError) {
        precondition(matrix.rows == matrix.columns, "only a symmetric matrix has this decomposition")
        guard matrix.isFinite else { throw .notFinite }
        (values, vectors) = try LAPACK.eigen(matrix)
    }

    /// Rows R of which R'R is the part of the matrix that its positive eigenvalues make up, or minus that of the negative ones.
    public func root(ofSign sign: FloatingPointSign) -> Matrix {
        let largest = values.reduce(0) { max($0, abs($1)) }
        let kept = values.indices.filter { values[$0].sign == sign && abs(values[$0]) > 1e-14 * largest }
        var rows = Matrix(rows: kept.count, columns: vectors.rows)
        for (row, k) in kept.enumerated() {
            let root = abs(values[k]).squareRoot()
            for i in 0..<vectors.rows { rows[row, i] = root * vectors[i, k] }
        }
        return rows
    }
}
