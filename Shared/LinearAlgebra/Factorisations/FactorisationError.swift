/// Why a matrix could not be factorised.
public enum FactorisationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The leading minor of this order (from one) is not positive: the matrix is not positive definite.
    case notPositiveDefinite(order: Int)
    /// The pivot of this index (from one) is exactly zero.
    case singular(pivot: Int)
    /// The eigenvalue iteration did not converge.
    case noConvergence(code: Int)
    /// The matrix holds a NaN or an infinity.
    case notFinite
    /// LAPACK refused an argument: a defect of the caller.
    case invalidArgument(position: Int)

    /// A sentence for logs.
    public var description: String {
        switch self {
        case .notPositiveDefinite(let order): "the leading minor of order \(order) is not positive"
        case .singular(let pivot): "pivot \(pivot) is zero"
        case .noConvergence(let code): "the eigenvalue iteration did not converge (code \(code))"
        case .notFinite: "the matrix holds a NaN or an infinity"
        case .invalidArgument(let position): "LAPACK refused argument \(position)"
        }
    }
}
