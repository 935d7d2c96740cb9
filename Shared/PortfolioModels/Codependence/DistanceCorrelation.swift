import LinearAlgebra

/// Distance correlation: zero only for independent series.
///
/// ```
/// a_ts = |x_t - x_s|;  A = a less its row means and column means, plus its mean;  dCov^2(x, y) = (1/T^2) sum A_ts B_ts
/// dCor(x, y) = dCov(x, y) / sqrt(dCov(x, x) dCov(y, y))
/// ```
/// The sums of all pairs of assets are one matrix product over the T^2 entries, taken in blocks of rows, so that memory is
/// bounded; each entry off the diagonal stands for two. About T^2 N^2 flops.
///
/// Source: G. J. Szekely, M. L. Rizzo, N. K. Bakirov (2007), Measuring and Testing Dependence by Correlation of Distances,
/// Annals of Statistics 35(6).
enum DistanceCorrelation {
    /// Entries of a block that are in memory at a time.
    private static let mostEntries = 1 << 22

    /// The N x N distance correlation of the columns of a T x N matrix, none of them constant.
    static func matrix(_ columns: Matrix) -> Matrix {
        let (count, n) = (columns.rows, columns.columns)
        let series = (0..<n).map { Centred(columns.column($0)) }
        var sums = Matrix(rows: n, columns: n)
        var first = 0
        while first < count {
            // Row t has t + 1 entries.
            var last = first
            var entries = 0
            while last < count, entries == 0 || (entries + last + 1) * n <= mostEntries {
                entries += last + 1
                last += 1
            }
            var block = Matrix(rows: entries, columns: n)
            for j in 0..<n { series[j].write(rows: first..<last, into: &block, column: j) }
            sums.syrk(block, transposed: true, beta: 1)
            first = last
        }
        sums.mirrorLowerTriangle()
        var result = Matrix.identity(n)
        for j in 0..<n {
            for i in 0..<n where i != j {
                let variances = (max(sums[i, i], 0) * max(sums[j, j], 0)).squareRoot()
                let share = variances > 0 ? max(sums[i, j], 0) / variances : 0
                result[i, j] = min(share.squareRoot(), 1)
            }
        }
        return result
    }

    /// A series with the means of its distances.
    private struct Centred {
        let x: [Double]
        /// Mean distance of each period from all.
        let rowMeans: [Double]
        let mean: Double

        /// Row means by one sort: sum_s |x_t - x_s| = x_t (2 r - T) - prefix sums.
        init(_ values: [Double]) {
            let count = values.count
            // Distances do not depend on the origin nor, in a correlation, on the unit.
            let deviations = SeriesMath.centred(values)
            let unit = deviations.reduce(0) { max($0, abs($1)) }
            let x = deviations.map { unit > 0 ? $0 / unit : 0 }
            let order = x.indices.sorted { x[$0] < x[$1] }
            let total = x.reduce(0, +)
            var below = 0.0
            var means = [Double](repeating: 0, count: count)
            for (rank, period) in order.enumerated() {
                let value = x[period]
                let lower = value * Double(rank) - below
                let upper = (total - below - value) - value * Double(count - rank - 1)
                means[period] = (lower + upper) / Double(count)
                below += value
            }
            self.x = x
            rowMeans = means
            mean = means.reduce(0, +) / Double(count)
        }

        func write(rows: Range<Int>, into block: inout Matrix, column: Int) {
            let root2 = 2.0.squareRoot()
            let offset = column * block.rows
            var target = block.storage.mutableSpan
            let (x, means) = (x.span, rowMeans.span)
            var place = offset
            for t in rows {
                let (value, shift) = (x[t], mean - means[t])
                for s in 0..<t {
                    target[place] = root2 * (abs(value - x[s]) - means[s] + shift)
                    place += 1
                }
                target[place] = shift - means[t]
                place += 1
            }
        }
    }
}
