/// The Cholesky factorisation A = L L' of a symmetric positive definite matrix.
public struct Cholesky: Sendable {
    /// L in the lower triangle; what is above the diagonal is not used.
    public private(set) var factor: Matrix

    /// Factorises the matrix whose lower triangle is given.
    ///
    /// Throws `notPositiveDefinite` with the order of the first minor that is not positive, which is also what a NaN
    /// in the matrix leads to.
    public init(factorising matrix: consuming Matrix) throws(FactorisationError) {
        precondition(matrix.rows == matrix.columns, "only a square matrix has a Cholesky factorisation")
        try LAPACK.cholesky(&matrix)
        factor = matrix
    }

    /// Room for the factorisations of matrices of one order.
    public init(order: Int) { factor = .identity(order) }

    /// Factorises another matrix, whose lower triangle `fill` writes, in the memory of the last one.
    ///
    /// Throws as `init(factorising:)`; the factor is then that of no matrix.
    public mutating func refactorise(_ fill: (inout Matrix) -> Void) throws(FactorisationError) {
        fill(&factor)
        try LAPACK.cholesky(&factor)
    }

    /// The order of the matrix.
    public var order: Int { factor.rows }

    /// A^-1 b.
    public func solve(_ b: [Double]) -> [Double] {
        var x = b
        LAPACK.choleskySolve(factor, &x, columns: 1)
        return x
    }

    /// x = A^-1 x.
    public func solve(inPlace x: inout [Double]) { LAPACK.choleskySolve(factor, &x, columns: 1) }

    /// A^-1 B.
    public func solve(_ b: Matrix) -> Matrix {
        var x = b
        LAPACK.choleskySolve(factor, &x.storage, columns: b.columns)
        return x
    }

    /// L^-1 B.
    public func forwardSubstitute(_ b: Matrix) -> Matrix {
        var x = b
        forwardSubstitute(inPlace: &x)
        return x
    }

    /// X = L^-1 X.
    public func forwardSubstitute(inPlace x: inout Matrix) {
        LAPACK.triangularSolve(factor, transposed: false, &x.storage, columns: x.columns)
    }

    /// Natural logarithm of the determinant of A.
    public var logDeterminant: Double { 2 * factor.diagonal.reduce(0) { $0 + naturalLogarithm($1) } }
}
