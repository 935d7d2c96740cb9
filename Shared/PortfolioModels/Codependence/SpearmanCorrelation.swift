import LinearAlgebra

/// Spearman's rank correlation: Pearson's of the ranks, tied values sharing the mean of their ranks.
///
/// Source: C. Spearman (1904), The Proof and Measurement of Association between Two Things, Am. J. Psychology 15.
enum SpearmanCorrelation {
    /// The N x N correlation of the columns of a T x N matrix, none of them constant.
    static func matrix(_ columns: Matrix) -> Matrix {
        var ranks = columns
        let count = columns.rows
        for j in 0..<columns.columns {
            let average = averageRanks(columns.column(j))
            for t in 0..<count { ranks.storage[j * count + t] = average[t] }
        }
        return PearsonCorrelation.matrix(ranks)
    }

    /// Ranks from one; a run of equal values gets the mean of its ranks.
    static func averageRanks(_ x: [Double]) -> [Double] {
        let order = x.indices.sorted { x[$0] < x[$1] }
        var ranks = [Double](repeating: 0, count: x.count)
        var start = 0
        while start < order.count {
            var end = start
            while end < order.count, x[order[end]] == x[order[start]] { end += 1 }
            let rank = Double(start + end + 1) / 2
            for position in start..<end { ranks[order[position]] = rank }
            start = end
        }
        return ranks
    }
}
