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
struct TailScenarios {
    private let whole: ScenarioModel
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

    /// Solves on the scenarios that are worst for some portfolios until none is missing.
    /// - Parameters:
    ///   - portfolios: near the solution.
    ///   - nearby: where the first solve starts.
    ///   - solve: solves the problem of some scenarios; nil ends the search.
    /// - Returns: nil where the search did not end, or a part had no solution: that says nothing of the whole.
    /// - Throws: `SYS-201` if the deadline passes.
    func decide<Found>(
        from portfolios: [[Double]], nearby: [Double]?,
        _ solve: (_ part: ScenarioModel, _ nearby: [Double]?) throws(Problem) -> (found: Found, weights: [Double])?
    ) throws(Problem) -> (found: Found, scenarios: [Int])? {
        var kept = likely(at: portfolios)
        var nearby = nearby
        do throws(Problem) {
            for _ in 0..<6 where 2 * kept.count < whole.count {
                guard let (found, weights) = try solve(whole.restricted(toScenarios: kept), nearby) else { return nil }
                let missing = missing(at: weights, kept: kept)
                if missing.isEmpty { return (found, kept) }
                kept = (kept + missing).sorted()
                nearby = weights
            }
            return nil
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// Ascending: the worst scenarios of some portfolios.
    func likely(at portfolios: [[Double]]) -> [Int] {
        var isKept = [Bool](repeating: false, count: whole.count)
        for weights in portfolios {
            for t in extremes(of: weights, times: likelyTimes) { isKept[t] = true }
        }
        return isKept.indices.filter { isKept[$0] }
    }

    /// Where scenarios of the tails were left out: they, and those that come next; ascending.
    func missing(at weights: [Double], kept: [Int]) -> [Int] {
        var isKnown = [Bool](repeating: false, count: whole.count)
        for t in kept { isKnown[t] = true }
        guard !extremes(of: weights, times: 1).allSatisfy({ isKnown[$0] }) else { return [] }
        return Set(extremes(of: weights, times: 2).filter { !isKnown[$0] }).sorted()
    }

    /// The scenarios of tails so many times as large; one of both tails may come twice.
    private func extremes(of weights: [Double], times: Int) -> [Int] {
        let x = whole.returns.multiplied(by: weights)
        let places = OrderStatistics.lowPlaces(tails.losses * times, of: x)
        guard tails.gains > 0 else { return places }
        return places + OrderStatistics.lowPlaces(tails.gains * times, of: x.map { -$0 })
    }
}

extension RiskEvidence {
    /// What a program over some scenarios of a model found, as evidence over all: those left out have no price.
    func expanded(scenarios kept: [Int], of whole: ScenarioModel) -> RiskEvidence {
        let probabilities = whole.probabilities
        func spread(_ series: [Double], _ rest: (Int) -> Double) -> [Double] {
            var all = probabilities.indices.map(rest)
            for (place, t) in kept.enumerated() { all[t] = series[place] }
            return all
        }
        // A cap is in proportion to its scenario's probability.
        let likeliest = kept.indices.max { probabilities[kept[$0]] < probabilities[kept[$1]] }
        var result = self
        result.duals = duals.map { spread($0) { _ in 0 } }
        for i in pieces.indices {
            guard case .capped(let caps, let total) = pieces[i].envelope, let likeliest else { continue }
            let share = caps[likeliest] / probabilities[kept[likeliest]]
            result.pieces[i].envelope = .capped(spread(caps) { probabilities[$0] * share }, total: total)
        }
        return result
    }
}
