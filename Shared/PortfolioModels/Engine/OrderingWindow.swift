/// What an ordered weighted average takes as known about the order of the scenarios at the optimum.
enum OrderingWindow: Sendable {
    /// Nothing: a few merged levels over all scenarios stand for the measure.
    case unknown
    /// Nothing but that the start is near: a tail is among the scenarios that are worst for some portfolios (their returns; the start's where
    /// there are none), and a mean difference has its corners rounded. Not every problem is that kind.
    case expected(tails: [[Double]])
    /// Scenarios farther apart than `width` (in standard deviations of the series) at these returns keep their order.
    /// `merged` neighbouring levels stand for themselves as one.
    case near(returns: [Double], width: Double, merged: Int = 1)

    /// Rounds of windows after a first solve that knows nothing: a rough one where many levels merge, then all of them in narrow windows.
    /// - Parameter isSmooth: whether that solve rounded corners, and so came nearer than merged levels do.
    static func quick(isSmooth: Bool, count: Int) -> [(width: Double, isRough: Bool)] {
        // The more scenarios there are the closer are those whose order is in doubt.
        let near = isSmooth ? min(0.003, 0.9 / Double(max(count, 1))) : 0.008
        return [(0.1, true), (near, false), (isSmooth ? min(0.02, 10 * near) : 0.02, false), (0.05, false)]
    }
    /// Where those prove nothing: ever wider windows from the start.
    static let careful: [(width: Double, isRough: Bool)] = [0.05, 0.02, 0.02, 0.05, 0.1, 0.3].map { ($0, false) }

    /// How many of many levels merge.
    static func merged(_ observations: Int) -> Int { max(observations / 128, 1) }

    /// How many of the worst scenarios of a portfolio near it stand for a tail of so many ranks; nil where the measure is of all scenarios.
    static func tail(ranks: Int, count: Int) -> Int? {
        let window = ranks * 5 / 2 + 20
        return window < count / 2 ? window : nil
    }

    /// The scenarios that are worst for some of the series, `window` each, in the order of time.
    static func worst(_ window: Int, of series: [[Double]]) -> [Int] {
        var isIn = [Bool](repeating: false, count: series.first?.count ?? 0)
        for x in series { for t in OrderStatistics.lowPlaces(window, of: x) { isIn[t] = true } }
        return isIn.indices.filter { isIn[$0] }
    }

    /// Whether a measure's tails of a series are among those of others.
    static func knows(_ others: [[Double]], _ measure: any ConvexRiskMeasure, tailsOf x: [Double]) -> Bool {
        guard let tails = measure.tails(count: x.count) else { return true }
        for (ranks, sign) in [(tails.losses, 1.0), (tails.gains, -1.0)] where ranks > 0 {
            guard let window = tail(ranks: ranks, count: x.count) else { continue }
            let known = Set(worst(window, of: others.map { $0.map { sign * $0 } }))
            guard known.isSuperset(of: OrderStatistics.lowPlaces(ranks, of: x.map { sign * $0 })) else { return false }
        }
        return true
    }
}
