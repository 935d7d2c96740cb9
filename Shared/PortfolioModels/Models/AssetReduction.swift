import LinearAlgebra
import WireFormat

extension MeanRisk {
    /// The problem on some of its assets, the others being at zero, within bounds that may be narrower.
    /// - Parameters:
    ///   - kept: ascending; holds all that `ConstraintSet.needed` and the costs name.
    ///   - lower: of all assets.
    ///   - upper: of all assets.
    func restricted(to kept: [Int], lower: [Double], upper: [Double]) -> MeanRisk {
        var reward = reward
        if let costs = reward.costs {
            reward.costs = Reward.Costs(
                reference: kept.map { costs.reference[$0] }, linear: kept.map { costs.linear[$0] },
                impact: kept.map { costs.impact[$0] })
        }
        var part = MeanRisk(
            model: model.restricted(to: kept), measure: measure,
            covariance: covariance.submatrix(rows: kept, columns: kept),
            constraints: constraints.restricted(to: kept, lower: lower, upper: upper) {
                self.model.panel.portfolioReturns($0)
            }, parameters: parameters, reward: reward, deadline: deadline)
        part.regularisation = regularisation
        part.ordering = ordering
        part.accuracy = accuracy
        part.penaltyCap = penaltyCap
        part.nearby = nearby.map { point in kept.map { point[$0] } }
        return part
    }

    /// Assets that have to take part whatever their weights.
    var needed: [Bool] {
        var needed = constraints.needed
        if let costs = reward.costs {
            for i in needed.indices where costs.reference[i] != 0 { needed[i] = true }
        }
        return needed
    }
}

extension MeanRisk.Solution {
    /// The solution with the assets that were left out.
    func expanded(_ kept: [Int], count: Int) -> MeanRisk.Solution {
        var whole = self
        whole.weights = [Double](repeating: 0, count: count)
        whole.costKinks = whole.weights
        for (place, asset) in kept.enumerated() {
            whole.weights[asset] = weights[place]
            whole.costKinks[asset] = costKinks[place]
        }
        whole.soft = soft.map { evidence in
            guard !evidence.kinks.isEmpty else { return evidence }
            var kinks = [Double](repeating: 0, count: count)
            for (place, asset) in kept.enumerated() { kinks[asset] = evidence.kinks[place] }
            return SoftEvidence(share: evidence.share, kinks: kinks)
        }
        return whole
    }
}

/// Solves a long-only problem of many assets on the few that it is likely to hold, and prices the rest: an asset that is left out
/// belongs in where the objective improves along it by more than the constraints' prices take.
struct AssetReduction {
    let whole: MeanRisk
    let objective: ObjectiveName
    /// Per period.
    let riskFreeRate: Double
    let riskAversion: Double

    /// Solves a part of the problem; weights of the part's assets.
    let solvePart: (MeanRisk) throws(Problem) -> MeanRisk.Solution

    /// Below this many assets leaving out saves nothing.
    private static let fewest = 30

    /// The solution of the whole problem; nil where it does not reduce.
    /// - Throws: `SYS-201` if the deadline passes.
    func solve() throws(Problem) -> MeanRisk.Solution? {
        let set = whole.constraints
        let n = set.assets.count
        guard n > Self.fewest, set.lower.allSatisfy({ $0 >= 0 }), objective != .maximumReturn,
            whole.reward.costs == nil,
            !(set.constraints + set.soft.map { $0.constraint }).contains(where: { $0.isConcentration })
        else { return nil }
        let needed = whole.needed
        var kept = Set(likely()).union(needed.indices.filter { needed[$0] })
        if let nearby = whole.nearby { kept.formUnion(nearby.indices.filter { nearby[$0] > 1e-6 }) }
        var iterations = 0
        var latest: MeanRisk.Solution?
        // Where the scenarios that decide have to be searched for too, both searches are rough until they end.
        var isRough = whole.deciding.map { type(of: $0).needsSearch } ?? false
        for _ in 0..<10 {
            guard Double(kept.count) < 0.7 * Double(n) else { return nil }
            let order = kept.sorted()
            var part = whole.restricted(to: order, lower: set.lower, upper: set.upper)
            // What decides at the solution of fewer assets is the best guess of what does with more.
            if let found = latest, whole.deciding != nil {
                part.nearby = order.map { found.weights[$0] }
                part.deciders = found.deciders
            }
            if isRough { part.accuracy = MeanRisk.roughly }
            var found: MeanRisk.Solution
            do {
                found = try solvePart(part).expanded(order, count: n)
            } catch {
                // The few allow less than all: a part without a point, or without a ratio, says nothing of the whole.
                guard error.code != ProblemCode.deadline.rawValue else { throw error }
                return nil
            }
            iterations += found.iterations
            found.iterations = iterations
            let entering = improving(found, outside: kept, beyond: isRough ? 1e-2 : 1e-10)
            if entering.isEmpty, !isRough { return found }
            // A few that enter don't move the solution far: what comes next may be it.
            if 10 * entering.count < order.count { isRough = false }
            latest = found
            kept.formUnion(entering.prefix(max(10, order.count / 2)))
        }
        return nil
    }

    private func likely() -> [Int] {
        let mean = whole.model.mean
        let rate = riskFreeRate / whole.model.unit
        let (ones, excess) = (mean.map { _ in 1.0 }, mean.map { $0 - rate })
        let isDemanding = whole.constraints.constraints.contains { constraint in
            if case .atLeast = constraint.kind { true } else { false }
        }
        var targets: [[Double]] = []
        if objective != .sharpe { targets.append(ones) }
        if objective != .minimumRisk || isDemanding { targets.append(excess) }
        let best = mean.indices.sorted { mean[$0] > mean[$1] }.prefix(3)
        return LikelySupport(covariance: whole.covariance, targets: targets).assets
            + (targets.count > 1 || objective == .sharpe ? Array(best) : [])
    }

    /// Assets left out along which the objective still improves, the most promising first.
    private func improving(_ found: MeanRisk.Solution, outside kept: Set<Int>, beyond tolerance: Double) -> [Int] {
        let set = whole.constraints
        let evidence = SolutionEvidence(found, set)
        let point = MeanRiskPoint(
            objective: objective, model: whole, weights: found.weights, riskFreeRate: riskFreeRate,
            riskAversion: riskAversion, evidence: evidence)
        let limits = LimitMinorants(set: set, evidence: evidence, model: whole, weights: found.weights)
        let rest = BindingConstraints.reducedGradient(
            limits.reduced(point.direction, found.prices), found.prices, set, found.weights)
        let size = point.direction.reduce(0) { max($0, abs($1)) }
        return rest.indices.filter { !kept.contains($0) && rest[$0] > tolerance * size }.sorted { rest[$0] > rest[$1] }
    }
}
