import LinearAlgebra

/// Pearson's product-moment correlation of columns.
///
/// ```
/// rho_ij = sum_t (x_ti - m_i)(x_tj - m_j) / (|x_i - m_i| |x_j - m_j|)
/// ```
/// One symmetric rank-T update on centred columns of unit length: T N^2 flops.
///
/// Source: K. Pearson (1895), Note on Regression and Inheritance in the Case of Two Parents, Proc. Royal Society 58.
enum PearsonCorrelation {
    /// What rounding leaves of a perfect correlation counts as one, so that copies of an asset are at distance zero.
    private static let reach = 1e-14

    /// The N x N correlation of the columns of a T x N matrix, none of them constant: exactly one on the diagonal.
    static func matrix(_ columns: Matrix) -> Matrix {
        var unit = columns
        let (count, n) = (columns.rows, columns.columns)
        for j in 0..<n {
            let deviations = SeriesMath.centred(columns.column(j))
            let length = Vector.norm2(deviations)
            let scale = length > 0 ? 1 / length : 0
            for t in 0..<count { unit.storage[j * count + t] = deviations[t] * scale }
        }
        var rho = unit.gram()
        for index in rho.storage.indices {
            let value = rho.storage[index]
            if value >= 1 - reach { rho.storage[index] = 1 } else if value <= -1 + reach { rho.storage[index] = -1 }
        }
        for i in 0..<n { rho[i, i] = 1 }
        return rho
    }
}
