/// Weighted sums of order statistics `sum_i c_i x_(i)`, `x_(1) <= ... <= x_(T)`: the form of VaR, CVaR, Tail Gini, GMD, WR and RG.
struct OrderStatistics {
    /// Indices of the series in ascending order of value; ties keep their order in time.
    let order: [Int]
    let x: [Double]

    init(_ x: [Double]) {
        self.x = x
        order = x.indices.sorted { x[$0] != x[$1] ? x[$0] < x[$1] : $0 < $1 }
    }

    /// The `count` smallest values, ascending: what the value of a tail measure needs, in far less time than a whole sort.
    static func smallest(_ count: Int, of x: [Double]) -> [Double] {
        guard count > 0 else { return [] }
        guard count < x.count else { return x.sorted() }
        var values = x
        gather(count, &values)
        return values.prefix(count).sorted()
    }

    /// Moves the `count` smallest values to the front, in any order.
    ///
    /// Source: C. Hoare (1961), Algorithm 65: Find, Communications of the ACM 4(7).
    private static func gather(_ count: Int, _ values: inout [Double]) {
        var (low, high, rounds) = (0, values.count - 1, 0)
        while low < high {
            rounds += 1
            // Twice what halving takes: the order is one that the pivots do not suit.
            guard rounds <= 64 else { return values.sort() }
            var span = values.mutableSpan
            let (a, b, c) = (span[low], span[(low + high) / 2], span[high])
            let pivot = max(min(a, b), min(max(a, b), c))
            var (i, j) = (low, high)
            while i <= j {
                while span[i] < pivot { i += 1 }
                while span[j] > pivot { j -= 1 }
                guard i <= j else { break }
                let held = span[i]
                span[i] = span[j]
                span[j] = held
                i += 1
                j -= 1
            }
            if count - 1 <= j { high = j } else if count - 1 >= i { low = i } else { return }
        }
    }

    /// The places of the `count` smallest values, ascending; ties keep their order in time.
    static func smallestPlaces(_ count: Int, of x: [Double]) -> [Int] {
        lowPlaces(count, of: x).sorted { x[$0] != x[$1] ? x[$0] < x[$1] : $0 < $1 }
    }

    /// The same places in the order of time; of equal values the first.
    static func lowPlaces(_ count: Int, of x: [Double]) -> [Int] {
        guard count < x.count else { return Array(x.indices) }
        guard count > 0 else { return [] }
        var values = x
        gather(count, &values)
        guard let end = values.prefix(count).max() else { return [] }
        var room = count
        for value in x where value < end { room -= 1 }
        var found: [Int] = []
        found.reserveCapacity(count)
        for (t, value) in x.enumerated() where value <= end {
            if value == end {
                guard room > 0 else { continue }
                room -= 1
            }
            found.append(t)
        }
        return found
    }

    /// `sum_i coefficients[i] x_(i)`, from the worst on.
    func sum(_ coefficients: [Double]) -> Double {
        var total = 0.0
        for (rank, c) in coefficients.enumerated() { total += c * x[order[rank]] }
        return total
    }

    /// The derivative of that sum: each coefficient at the period that holds its rank.
    func spread(_ coefficients: [Double]) -> [Double] {
        var slope = [Double](repeating: 0, count: x.count)
        for (rank, c) in coefficients.enumerated() { slope[order[rank]] = c }
        return slope
    }
}

/// Coefficients of order statistics for the tail measures.
enum TailCoefficients {
    /// k = ceil(alpha T), between 1 and T; products that miss an integer by rounding count as that integer.
    static func rank(alpha: Double, count: Int) -> Int {
        let exact = alpha * Double(count)
        let nearest = exact.rounded()
        let k = abs(exact - nearest) < 1e-9 * max(1, exact) ? nearest : exact.rounded(.up)
        return min(max(Int(k), 1), count)
    }

    /// VaR = -x_(k).
    static func valueAtRisk(alpha: Double, count: Int) -> [Double] {
        guard count > 0 else { return [] }
        let k = rank(alpha: alpha, count: count)
        return [Double](repeating: 0, count: k - 1) + [-1]
    }

    /// CVaR = -x_(k) + sum_{i<=k} (x_(k) - x_(i)) / (alpha T).
    static func conditional(alpha: Double, count: Int) -> [Double] {
        guard count > 0 else { return [] }
        let k = rank(alpha: alpha, count: count)
        let share = 1 / (alpha * Double(count))
        var coefficients = [Double](repeating: -share, count: k)
        coefficients[k - 1] = -(1 - share * Double(k - 1))
        return coefficients
    }

    /// Tail Gini's CVaR levels, evenly spaced from 0.0001 to alpha, and what each counts.
    static func tailGiniMixture(alpha: Double, levels: Int) -> [(alpha: Double, weight: Double)] {
        let lowest = 0.0001
        guard levels >= 2, alpha > lowest else { return [(alpha, 1)] }
        let step = (alpha - lowest) / Double(levels - 1)
        let level = (0..<levels).map { $0 == levels - 1 ? alpha : lowest + step * Double($0) }
        return level.indices.map { i in
            guard i < levels - 1 else { return (level[i], (level[i] - level[i - 1]) / alpha) }
            return (level[i], (level[i + 1] - (i == 0 ? 0 : level[i - 1])) * level[i] / (alpha * alpha))
        }
    }

    /// Tail Gini: the mixture of CVaR levels.
    static func tailGini(alpha: Double, levels: Int, count: Int) -> [Double] {
        guard count > 0 else { return [] }
        let mixture = tailGiniMixture(alpha: alpha, levels: levels)
        guard mixture.count > 1 else { return conditional(alpha: alpha, count: count) }
        // Each level's coefficients are one number up to its rank and a remainder there: sums from the end make them all.
        var coefficients = [Double](repeating: 0, count: rank(alpha: alpha, count: count))
        var remainders = coefficients
        for (level, weight) in mixture {
            let last = rank(alpha: level, count: count) - 1
            let share = 1 / (level * Double(count))
            if last > 0 { coefficients[last - 1] -= weight * share }
            remainders[last] -= weight * (1 - share * Double(last))
        }
        for i in coefficients.indices.dropLast().reversed() { coefficients[i] += coefficients[i + 1] }
        return zip(coefficients, remainders).map { $0 + $1 }
    }
}
