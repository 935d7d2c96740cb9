/// The Bunch-Kaufman factorisation A = L D L' (with row exchanges) of a symmetric, possibly indefinite matrix.
public struct LDL: Sendable {
    private var factor: Matrix
    private var pivots: [Int32]
    private var work: [Double]

    /// Factorises the matrix whose lower triangle is given; throws `singular` where D has an exact zero.
    public init(factorising matrix: consuming Matrix) throws(FactorisationError) {
        precondition(matrix.rows == matrix.columns, "only a square matrix has an LDL' factorisation")
        pivots = [Int32](repeating: 0, count: matrix.rows)
        work = [Double](repeating: 0, count: LAPACK.bunchKaufmanRoom(order: matrix.rows))
        try LAPACK.bunchKaufman(&matrix, &pivots, &work)
        factor = matrix
    }

    /// Room for the factorisations of matrices of one order.
    public init(order: Int) {
        factor = .identity(order)
        pivots = (0..<order).map { Int32($0 + 1) }
        work = [Double](repeating: 0, count: LAPACK.bunchKaufmanRoom(order: order))
    }

    /// Factorises another matrix, whose lower triangle `fill` writes, in the memory of the last one.
    ///
    /// Throws as `init(factorising:)`; the factor is then that of no matrix.
    public mutating func refactorise(_ fill: (inout Matrix) -> Void) throws(FactorisationError) {
        fill(&factor)
        try LAPACK.bunchKaufman(&factor, &pivots, &work)
    }

    /// The order of the matrix.
    public var order: Int { factor.rows }

    /// A^-1 b.
    public func solve(_ b: [Double]) -> [Double] {
        var x = b
        LAPACK.bunchKaufmanSolve(factor, pivots, &x, columns: 1)
        return x
    }

    /// x = A^-1 x.
    public func solve(inPlace x: inout [Double]) { LAPACK.bunchKaufmanSolve(factor, pivots, &x, columns: 1) }

    /// A^-1 B.
    public func solve(_ b: Matrix) -> Matrix {
        var x = b
        LAPACK.bunchKaufmanSolve(factor, pivots, &x.storage, columns: b.columns)
        return x
    }
}
