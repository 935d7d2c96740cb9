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
}
