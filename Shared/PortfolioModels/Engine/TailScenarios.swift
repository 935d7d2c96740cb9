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

    /// What a program over `kept` found about the measure, as evidence over all scenarios: those left out have no price.
    func expanded(_ evidence: RiskEvidence, kept: [Int]) -> RiskEvidence {
        func spread(_ series: [Double], _ rest: (Int) -> Double) -> [Double] {
            var all = whole.probabilities.indices.map(rest)
            for (place, t) in kept.enumerated() { all[t] = series[place] }
            return all
        }
        var result = evidence
        result.duals = evidence.duals.map { spread($0) { _ in 0 } }
        result.pieces = evidence.pieces.map { piece in
            var piece = piece
            if case .capped(let caps, let total) = piece.envelope {
                piece.envelope = .capped(spread(caps) { whole.probabilities[$0] / alpha }, total: total)
            }
            return piece
        }
        return result
    }
}

/// Solves a mean-risk problem of the conditional value at risk on the scenarios that decide it.
struct ScenarioReduction {
    let whole: MeanRisk
    let objective: ObjectiveName
    /// Per period.
    let riskFreeRate: Double
    let riskAversion: Double

    /// The solution of the whole problem; nil where it does not reduce.
    /// - Throws: `SYS-201` if the deadline passes.
    func solve() throws(Problem) -> MeanRisk.Solution? {
        guard whole.isWhole, objective != .maximumReturn, whole.reward.kelly != .exact,
            whole.constraints.convex.isEmpty,
            whole.constraints.soft.isEmpty, let tail = TailScenarios(whole.model, measure: whole.measure)
        else { return nil }
        var portfolios = whole.nearby.map { [$0] } ?? likely()
        guard !portfolios.isEmpty else { return nil }
        var kept = tail.likely(at: portfolios)
        var part = whole
        part.isWhole = false
        // A portfolio of little variance is nearer than equal weights, where the constraints allow it.
        if part.nearby == nil, portfolios.count == 1, objective == .minimumRisk,
            NearestAllowed(weights: portfolios[0], constraints: whole.constraints, deadline: whole.deadline).isAllowed
        {
            part.nearby = portfolios[0]
        }
        var iterations = 0
        for _ in 0..<6 {
            guard Double(kept.count) < 0.6 * Double(whole.model.count) else { return nil }
            part.model = whole.model.restricted(toScenarios: kept)
            var found: MeanRisk.Solution
            do {
                found = try part.solveWhole(objective, riskFreeRate: riskFreeRate, riskAversion: riskAversion)
            } catch {
                // Few scenarios may have no risk where all have some: a part without an answer says nothing of the whole.
                guard error.code != ProblemCode.deadline.rawValue else { throw error }
                return nil
            }
            iterations += found.iterations
            let missing = tail.missing(at: found.weights, kept: kept)
            if missing.isEmpty {
                found.iterations = iterations
                found.evidence = found.evidence.map { item in
                    (item.constraint, item.constraint == nil ? tail.expanded(item.evidence, kept: kept) : item.evidence)
                }
                return found
            }
            kept = Array(Set(kept).union(missing)).sorted()
            portfolios = [found.weights]
            part.nearby = found.weights
        }
        return nil
    }

    /// Mean-variance portfolios with whose worst scenarios the search begins.
    private func likely() -> [[Double]] {
        let rate = riskFreeRate / whole.model.unit
        var targets: [[Double]] = []
        if objective != .sharpe { targets.append(whole.model.mean.map { _ in 1 }) }
        if objective != .minimumRisk { targets.append(whole.model.mean.map { $0 - rate }) }
        return targets.compactMap { LikelySupport.portfolio(covariance: whole.covariance, target: $0) }
    }
}
