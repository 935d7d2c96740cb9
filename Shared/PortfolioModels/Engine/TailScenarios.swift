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
        guard let tails = measure.tails(count: whole.count) else { return nil }
        self.whole = whole
        self.tails = tails
        guard (tails.gains > 0 ? 2 : 1) * likelyTimes * largest < whole.count / 2 else { return nil }
    }

    private var largest: Int { max(tails.losses, tails.gains, 1) }
    /// Three tails, and a tenth of all scenarios where the tails are smaller: few enough to cost little.
    private var likelyTimes: Int { max(3, (whole.count / 10 + largest - 1) / largest) }

    func likely(at portfolios: [[Double]]) -> [Int] {
        portfolios.reduce(into: Set<Int>()) { $0.formUnion(extremes(of: $1, times: likelyTimes)) }.sorted()
    }

    func missing(at weights: [Double], kept: [Int]) -> [Int] {
        let known = Set(kept)
        guard !known.isSuperset(of: extremes(of: weights, times: 1)) else { return [] }
        return extremes(of: weights, times: 2).subtracting(known).sorted()
    }

    func part(_ kept: [Int]) -> ScenarioModel { whole.restricted(toScenarios: kept) }

    /// What is left out has no price.
    func spread(_ series: [Double], _ kept: [Int]) -> [Double] {
        var all = [Double](repeating: 0, count: whole.count)
        for (place, t) in kept.enumerated() { all[t] = series[place] }
        return all
    }

    /// The scenarios of tails so many times as large.
    private func extremes(of weights: [Double], times: Int) -> Set<Int> {
        let x = whole.returns.multiplied(by: weights)
        var places = Set(OrderStatistics.smallestPlaces(tails.losses * times, of: x))
        if tails.gains > 0 {
            places.formUnion(OrderStatistics.smallestPlaces(tails.gains * times, of: x.map { -$0 }))
        }
        return places
    }
}
