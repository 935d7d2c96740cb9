import LinearAlgebra

/// The Gerber statistics: concordant less discordant co-movements beyond a threshold of h standard deviations.
///
/// ```
/// s_ti = 1 if r_ti >= h sigma_i, -1 if r_ti <= -h sigma_i, else 0;   H = S'S
/// gerber1_ij = H_ij / (T - periods in which both are neutral)
/// gerber2_ij = H_ij / sqrt(H_ii H_jj)
/// ```
/// sigma has divisor T and returns are not demeaned, as in Riskfolio-Lib. One or two matrix products.
///
/// Source: S. Gerber, H. Markowitz, P. Ernst, Y. Miao, B. Javid, P. Sargen (2022), The Gerber Statistic, JPM 48(3).
enum GerberCorrelation {
    /// The N x N statistic of the columns of a T x N matrix, none of them constant.
    static func matrix(_ columns: Matrix, threshold: Double, isFirst: Bool) -> Matrix {
        let (count, n) = (columns.rows, columns.columns)
        var sign = Matrix(rows: count, columns: n)
        var neutral = Matrix(rows: count, columns: n)
        for j in 0..<n {
            let column = columns.column(j)
            let limit = threshold * SeriesMath.rootMeanSquare(SeriesMath.centred(column), divisor: Double(count))
            for t in 0..<count {
                let value = column[t]
                sign.storage[j * count + t] = value >= limit ? 1 : (value <= -limit ? -1 : 0)
                neutral.storage[j * count + t] = abs(value) < limit ? 1 : 0
            }
        }
        var statistic = sign.gram()
        if isFirst {
            let both = neutral.gram()
            for index in statistic.storage.indices {
                statistic.storage[index] /= Double(count) - both.storage[index]
            }
        } else {
            // A series has a return beyond any threshold below one standard deviation, so the roots are positive.
            let root = statistic.diagonal.map { $0.squareRoot() }
            statistic = statistic.scaled(rows: root.map { 1 / $0 }, columns: root.map { 1 / $0 })
        }
        for index in statistic.storage.indices {
            statistic.storage[index] = min(max(statistic.storage[index], -1), 1)
        }
        for i in 0..<n { statistic[i, i] = 1 }
        return statistic
    }
}
