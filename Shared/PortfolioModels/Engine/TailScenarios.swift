import LinearAlgebra
import WireFormat

/// The scenarios that decide a conditional value at risk: those of its tail, and those that may enter it.
///
/// A scenario whose loss is below the quantile has no part in `zeta + sum max(loss - zeta, 0) / (alpha T)`. A program over some scenarios
/// only is a relaxation of the whole, and its solution is that of the whole once no other scenario loses more than its quantile.
///
/// Source: D. Espinoza, E. Moreno (2014), A primal-dual aggregation algorithm for minimizing conditional value-at-risk in linear
/// programs, Computational Optimization and Applications 59.
struct TailScenarios {
    private let whole: ScenarioModel
    private let alpha: Double

    /// Nil where the measure is another one, or where leaving out would save nothing.
    init?(_ whole: ScenarioModel, measure: any ConvexRiskMeasure) {
        guard let tail = measure as? ConditionalValueAtRisk, tail.alpha < 0.2, whole.count >= 100 else { return nil }
        self.whole = whole
        alpha = tail.alpha
    }

    private func losses(_ weights: [Double]) -> [Double] {
        whole.returns.multiplied(by: weights).map { -$0 }
    }

    /// Ascending: the worst scenarios of some portfolios, three times as many as the tail holds, and some more that cost little.
    func likely(at portfolios: [[Double]]) -> [Int] {
        let most = min(whole.count, Int((3 * alpha * Double(whole.count)).rounded(.up)) + 60)
        var isKept = [Bool](repeating: false, count: whole.count)
        for weights in portfolios {
            let losses = losses(weights)
            let least = losses.sorted()[whole.count - most]
            for t in losses.indices where losses[t] >= least { isKept[t] = true }
        }
        return isKept.indices.filter { isKept[$0] }
    }

    /// Scenarios left out that lose more than the quantile of those kept, and those that come close.
    func missing(at weights: [Double], kept: [Int]) -> [Int] {
        let losses = losses(weights)
        let known = kept.map { (loss: losses[$0], probability: whole.probabilities[$0]) }.sorted { $0.loss > $1.loss }
        var mass = 0.0
        var quantile = known.last?.loss ?? 0
        for item in known {
            mass += item.probability
            if mass >= alpha * (1 - 1e-12) {
                quantile = item.loss
                break
            }
        }
        var isKept = [Bool](repeating: false, count: whole.count)
        for t in kept { isKept[t] = true }
        let rounding = 1e-13 * max(abs(quantile), 1)
        let isShort = losses.indices.contains { !isKept[$0] && losses[$0] > quantile + rounding }
        guard isShort else { return [] }
        let worst = known.first?.loss ?? quantile
        let near = quantile - 0.15 * (worst - quantile)
        return losses.indices.filter { !isKept[$0] && losses[$0] > near }
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
