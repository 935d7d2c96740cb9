/// The Bunch-Kaufman factorisation A = L D L' (with row exchanges) of a symmetric, possibly indefinite matrix.
public struct LDL: Sendable {
    private let factor: Matrix
    private let pivots: [Int32]

    /// Factorises the matrix whose lower triangle is given; throws `singular` where D has an exact zero.
    public init(factorising matrix: consuming Matrix) throws(FactorisationError) {
        precondition(matrix.rows == matrix.columns, "only a square matrix has an LDL' factorisation")
        pivots = try LAPACK.bunchKaufman(&matrix)
        factor = matrix
    }

    /// The order of the matrix.
    public var order: Int { factor.rows }

    /// A^-1 b.
    public func solve(_ b: [Double]) -> [Double] {
        var x = b
        LAPACK.bunchKaufmanSolve(factor, pivots, &x, columns: 1)
        return x
    }

    /// A^-1 B.
    public func solve(_ b: Matrix) -> Matrix {
        var x = b
        LAPACK.bunchKaufmanSolve(factor, pivots, &x.storage, columns: b.columns)
        return x
    }
}
