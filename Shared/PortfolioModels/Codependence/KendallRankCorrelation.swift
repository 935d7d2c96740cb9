import LinearAlgebra

/// Kendall's rank correlation tau-b.
///
/// ```
/// tau_b = (concordant - discordant) / sqrt((n0 - n1)(n0 - n2)),  n0 = T (T - 1) / 2
/// ```
/// n1 and n2 are the pairs tied in either series. A pair costs O(T log T): the second series, in the order of the first, is
/// sorted by merging, and the exchanges that this takes are the discordant pairs.
///
/// Source: M. G. Kendall (1945), The Treatment of Ties in Ranking Problems, Biometrika 33; W. R. Knight (1966), A Computer
/// Method for Calculating Kendall's Tau with Ungrouped Data, JASA 61.
enum KendallRankCorrelation {
    /// The N x N tau-b of the columns of a T x N matrix, none of them constant.
    static func matrix(_ columns: Matrix) -> Matrix {
        let n = columns.columns
        let ranked = (0..<n).map { Ranked(columns.column($0)) }
        var tau = Matrix.identity(n)
        var counter = ExchangeCounter(count: columns.rows)
        for i in 0..<n {
            for j in (i + 1)..<max(n, i + 1) {
                let value = correlation(ranked[i], ranked[j], &counter)
                tau[i, j] = value
                tau[j, i] = value
            }
        }
        return tau
    }

    private static func correlation(_ x: Ranked, _ y: Ranked, _ counter: inout ExchangeCounter) -> Double {
        let count = x.order.count
        let all = count * (count - 1) / 2
        counter.load(y.ranks, in: x.order)
        var bothTied = 0
        for run in x.tiedRuns { bothTied += counter.sortRun(run) }
        let discordant = counter.exchanges()
        let difference = Double(all - x.tiedPairs - y.tiedPairs + bothTied - 2 * discordant)
        let tau = difference / Double(all - x.tiedPairs).squareRoot() / Double(all - y.tiedPairs).squareRoot()
        return min(max(tau, -1), 1)
    }

    /// A series by rank: which period holds which place, and which places are tied.
    private struct Ranked {
        /// Periods in ascending order of value.
        let order: [Int]
        /// By period: the number of distinct values below.
        let ranks: [Int32]
        /// Runs of equal values in `order`, at least two long.
        let tiedRuns: [Range<Int>]
        let tiedPairs: Int

        init(_ x: [Double]) {
            order = x.indices.sorted { x[$0] < x[$1] }
            var ranks = [Int32](repeating: 0, count: x.count)
            var runs: [Range<Int>] = []
            var pairs = 0
            var start = 0
            var rank: Int32 = 0
            while start < order.count {
                var end = start
                while end < order.count, x[order[end]] == x[order[start]] {
                    ranks[order[end]] = rank
                    end += 1
                }
                if end - start > 1 {
                    runs.append(start..<end)
                    pairs += (end - start) * (end - start - 1) / 2
                }
                rank += 1
                start = end
            }
            self.ranks = ranks
            tiedRuns = runs
            tiedPairs = pairs
        }
    }
}

/// Counts the exchanges of neighbours that sorting a series of ranks takes, in two buffers that are used again and again.
private struct ExchangeCounter {
    private var values: [Int32]
    private var buffer: [Int32]
    private static let block = 8

    init(count: Int) {
        values = [Int32](repeating: 0, count: count)
        buffer = values
    }

    mutating func load(_ ranks: [Int32], in order: [Int]) {
        for (place, period) in order.enumerated() { values[place] = ranks[period] }
    }

    /// Sorts a run that is tied in the first series, so that it adds no exchange; returns the pairs tied in both.
    mutating func sortRun(_ run: Range<Int>) -> Int {
        values[run].sort()
        var pairs = 0
        var equal = 1
        for place in run.dropFirst() {
            equal = values[place] == values[place - 1] ? equal + 1 : 1
            pairs += equal - 1
        }
        return pairs
    }

    /// Sorts the values and returns the number of pairs that were out of order.
    mutating func exchanges() -> Int {
        let count = values.count
        var total = insertions(count)
        var width = Self.block
        while width < count {
            total += Self.merge(&values, into: &buffer, width)
            swap(&values, &buffer)
            width *= 2
        }
        return total
    }

    private mutating func insertions(_ count: Int) -> Int {
        var total = 0
        var span = values.mutableSpan
        var start = 0
        while start < count {
            let end = min(start + Self.block, count)
            for place in (start + 1)..<max(end, start + 1) {
                let value = span[place]
                var hole = place
                while hole > start, span[hole - 1] > value {
                    span[hole] = span[hole - 1]
                    hole -= 1
                }
                span[hole] = value
                total += place - hole
            }
            start = end
        }
        return total
    }

    private static func merge(_ source: inout [Int32], into target: inout [Int32], _ width: Int) -> Int {
        let from = source.span
        let count = from.count
        var total = 0
        var to = target.mutableSpan
        var start = 0
        while start < count {
            let middle = min(start + width, count)
            let end = min(start + 2 * width, count)
            var (left, right, place) = (start, middle, start)
            while left < middle, right < end {
                let (a, b) = (from[left], from[right])
                if b < a {
                    to[place] = b
                    right += 1
                    total += middle - left
                } else {
                    to[place] = a
                    left += 1
                }
                place += 1
            }
            while left < middle {
                to[place] = from[left]
                left += 1
                place += 1
            }
            while right < end {
                to[place] = from[right]
                right += 1
                place += 1
            }
            start = end
        }
        return total
    }
}
