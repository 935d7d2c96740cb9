/// The factorisation P A = L U, with row exchanges, of a general square matrix.
public struct LU: Sendable {
    private let factor: Matrix
    private let pivots: [Int32]

    /// Factorises the matrix; throws `singular` where U has an exact zero on its diagonal.
    public init(factorising matrix: consuming Matrix) throws(FactorisationError) {
        precondition(matrix.rows == matrix.columns, "only a square matrix has an LU factorisation")
        pivots = try LAPACK.lu(&matrix)
        factor = matrix
    }

    /// The order of the matrix.
    public var order: Int { factor.rows }

    /// A^-1 B.
    public func solve(_ b: Matrix) -> Matrix {
        var x = b
        LAPACK.luSolve(factor, pivots, &x.storage, columns: b.columns)
        return x
    }
}
