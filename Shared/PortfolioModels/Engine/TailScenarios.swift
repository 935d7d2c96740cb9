import LinearAlgebra
import WireFormat

/// The scenarios that decide a tail measure: those of its tails, and those that may enter them.
///
/// Scenarios beyond the quantile have no part in the measure. Without them it is less or equal for every portfolio, and equal for those
/// whose tails are among the kept ones: a solution whose tails are is that of the whole problem. Else its tails join, and the part is
/// solved again.
///
/// Source: D. Espinoza, E. Moreno (2014), A primal-dual aggregation algorithm for minimizing conditional value-at-risk in linear
/// programs, Computational Optimization and Applications 59.
struct TailScenarios: DecidingScenarios {
    static let needsSearch = false

    let whole: ScenarioModel
    /// How many of the largest losses and gains count.
    private let tails: (losses: Int, gains: Int)

    /// Nil where the measure is about all scenarios, or where leaving out would save nothing.
    init?(_ whole: ScenarioModel, measure: any ConvexRiskMeasure) {
        // What goes by rank has windows of its own.
        guard !type(of: measure).needsOrdering, let tails = measure.tails(count: whole.count) else { return nil }
        self.whole = whole
        self.tails = tails
        guard (tails.gains > 0 ? 2 : 1) * likelyTimes * largest < whole.count / 2 else { return nil }
    }

    private var largest: Int { max(tails.losses, tails.gains, 1) }
    /// Three tails, and a tenth of all scenarios where the tails are smaller: few enough to cost little.
    private var likelyTimes: Int { max(3, (whole.count / 10 + largest - 1) / largest) }

    func likely(at portfolios: [[Double]]) -> [Int] {
        var isKept = [Bool](repeating: false, count: whole.count)
        for weights in portfolios {
            for t in extremes(of: weights, times: likelyTimes) { isKept[t] = true }
        }
        return isKept.indices.filter { isKept[$0] }
    }

    func missing(at weights: [Double], kept: [Int]) -> [Int] {
        var isKnown = [Bool](repeating: false, count: whole.count)
        for t in kept { isKnown[t] = true }
        guard !extremes(of: weights, times: 1).allSatisfy({ isKnown[$0] }) else { return [] }
        return Set(extremes(of: weights, times: 2).filter { !isKnown[$0] }).sorted()
    }

    func part(_ kept: [Int]) -> ScenarioModel { whole.restricted(toScenarios: kept) }

    /// What is left out has no price.
    func spread(_ series: [Double], _ kept: [Int]) -> [Double] {
        var all = [Double](repeating: 0, count: whole.count)
        for (place, t) in kept.enumerated() { all[t] = series[place] }
        return all
    }

    /// The scenarios of tails so many times as large; one of both tails may come twice.
    private func extremes(of weights: [Double], times: Int) -> [Int] {
        let x = whole.series(weights)
        let places = OrderStatistics.lowPlaces(tails.losses * times, of: x)
        guard tails.gains > 0 else { return places }
        return places + OrderStatistics.lowPlaces(tails.gains * times, of: x.map { -$0 })
    }
}
