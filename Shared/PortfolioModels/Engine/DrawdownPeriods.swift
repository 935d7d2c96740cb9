import LinearAlgebra

/// The periods that decide a tail of drawdowns: those whose drawdowns are the largest, and the peaks that these are measured from.
///
/// Periods between two that are kept become one, with the sum of their returns: a drawdown is then measured from the kept peaks only, and
/// drawdowns of other periods do not count, so no portfolio's measure is above its own. A price of such a longer period is one of each of its
/// parts, which makes a proof of the part a proof of the whole.
struct DrawdownPeriods: DecidingScenarios {
    static let needsSearch = true

    let whole: ScenarioModel
    /// How many of the largest drawdowns count.
    private let ranks: Int

    /// Nil where the measure is about all drawdowns, or about none, and where leaving out would save nothing.
    init?(_ whole: ScenarioModel, measure: any ConvexRiskMeasure) {
        guard let ranks = measure.drawdownRanks(count: whole.count) else { return nil }
        self.whole = whole
        self.ranks = ranks
        guard whole.count >= 100, 6 * ranks < whole.count else { return nil }
    }

    /// The tail of the portfolios, wider than the measure's, and the worst fall of each asset by itself.
    func likely(at portfolios: [[Double]]) -> [Int] {
        var places = portfolios.reduce(into: Set<Int>()) { $0.formUnion(extremes(of: $1, isWide: true)) }
        for asset in 0..<min(whole.assets, whole.count / 16) {
            let series = DrawdownSeries(whole.column(asset), compounded: false)
            guard let bottom = series.depth.indices.max(by: { series.depth[$0] < series.depth[$1] }) else { continue }
            places.insert(bottom)
            if let peak = series.peak(of: bottom) { places.insert(peak) }
        }
        return places.sorted()
    }

    func missing(at weights: [Double], kept: [Int]) -> [Int] {
        let known = Set(kept)
        guard !known.isSuperset(of: extremes(of: weights, isWide: false)) else { return [] }
        return extremes(of: weights, isWide: true).subtracting(known).sorted()
    }

    func part(_ kept: [Int]) -> ScenarioModel { whole.joined(endingAt: kept) }

    /// The price of a longer period is that of each of its parts; after the last there is none.
    func spread(_ series: [Double], _ kept: [Int]) -> [Double] {
        var all = [Double](repeating: 0, count: whole.count)
        var t = 0
        for (place, end) in kept.enumerated() {
            while t <= end {
                all[t] = series[place]
                t += 1
            }
        }
        return all
    }

    /// The periods of the largest drawdowns, and their peaks.
    private func extremes(of weights: [Double], isWide: Bool) -> Set<Int> {
        let series = DrawdownSeries(whole.series(weights), compounded: false)
        let depth = series.depth
        var places: [Int]
        if ranks > 1 {
            places = OrderStatistics.smallestPlaces(isWide ? 2 * ranks : ranks, of: series.asReturns)
        } else {
            // One drawdown counts, so of neighbours only the deepest may.
            let largest = depth.reduce(0, max)
            places = depth.indices.filter { t in
                depth[t] >= (isWide ? 0.6 : 1) * largest && (t == 0 || depth[t] >= depth[t - 1])
                    && (t + 1 == depth.count || depth[t] > depth[t + 1])
            }
            if places.count > 80 { places = Array(places.sorted { depth[$0] > depth[$1] }.prefix(80)) }
        }
        return Set(places).union(places.compactMap { series.peak(of: $0) })
    }
}
