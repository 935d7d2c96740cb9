import LinearAlgebra

/// T x N returns less their means.
enum CentredReturns {
    static func of(_ panel: ReturnPanel) -> Matrix { of(panel.returns) }

    /// Each column less its mean; a constant column becomes exact zeros.
    static func of(_ returns: Matrix) -> Matrix { returns.subtracting(fromColumns: returns.columnMeans) }

    /// X'X / T of centred returns, both triangles: the covariance with divisor T, which shrinkage starts from.
    static func covariance(_ centred: Matrix) -> Matrix {
        centred.gram().scaled(by: 1 / Double(centred.rows))
    }
}
