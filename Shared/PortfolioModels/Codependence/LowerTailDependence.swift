import LinearAlgebra

/// The empirical lower tail dependence index: the share of an asset's worst returns that fall on another's worst returns.
///
/// ```
/// lambda_ij = #{t : r_ti <= q_i and r_tj <= q_j} / k,  k = ceil(alpha T),  q the k-th smallest return
/// ```
/// Between 1e-8 and 1, to 8 decimals as in Riskfolio-Lib, so that -ln lambda is finite.
///
/// Source: R. Nelsen (2006), An Introduction to Copulas, section 5.4.
enum LowerTailDependence {
    /// The N x N index of the columns of a T x N matrix.
    static func matrix(_ columns: Matrix, probability: Double) -> Matrix {
        let (count, n) = (columns.rows, columns.columns)
        let k = TailCoefficients.rank(alpha: probability, count: count)
        var isWorst = Matrix(rows: count, columns: n)
        for j in 0..<n {
            let column = columns.column(j)
            let limit = column.sorted()[k - 1]
            for t in 0..<count where column[t] <= limit { isWorst.storage[j * count + t] = 1 }
        }
        var lambda = isWorst.gram()
        for index in lambda.storage.indices {
            let share = (lambda.storage[index] / Double(k) * 1e8).rounded(.toNearestOrEven) / 1e8
            lambda.storage[index] = min(max(share, 1e-8), 1)
        }
        return lambda
    }
}
