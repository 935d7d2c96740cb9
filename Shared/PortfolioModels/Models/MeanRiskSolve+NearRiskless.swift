import LinearAlgebra
import WireFormat

/// Ratios of growth next to a portfolio without risk that earns the rate.
///
/// Beside such a portfolio b, held in part, any other one w adds a share of its mean and of its risk, and takes from the growth what goes
/// with the square of the share: `(growth - rate) / risk` of `b + s (w - b)` rises as s falls, to the ratio of w's mean. So no portfolio has
/// the largest ratio, and one with a small enough share of the portfolio whose mean has the largest is within any distance of it.
extension MeanRiskSolve {
    /// A ratio of growth that is nowhere the largest, where no portfolio near enough is proven.
    static let unreachedRatio = Problem(
        .ratioUndefined,
        "No portfolio has the largest ratio of growth: it rises as ever less is held beside the portfolio without risk that earns the rate."
    )

    /// Sums of what is held beside the riskless portfolio: small ones cost digits, large ones growth.
    private static let shares = [1e-8, 1e-7, 1e-6, 1e-5]

    /// The answer; nil where there is no such portfolio, or where that is not proven.
    /// - Throws: `SYS-201` if the deadline passes.
    func nearRiskless(_ model: MeanRisk) throws(Problem) -> Solved? {
        guard request.objective == .sharpe, request.kelly != .none, given == nil, model.reward.costs == nil,
            model.constraints.soft.isEmpty
        else { return nil }
        var plain = model
        plain.reward = Reward(kelly: .none)
        // Next to no risk limits of it are kept.
        plain.constraints.removeConvex()
        var riskless = RisklessPortfolio(model: plain, target: parameters.target)
        riskless.isStill = true
        guard let base = try riskless.best() else { return nil }
        let size = moments.mean.reduce(abs(riskFreeRate)) { max($0, abs($1)) }
        guard abs(Vector.dot(moments.mean, base) - riskFreeRate) <= 1e-12 * size else { return nil }
        do throws(Problem) {
            let ratio =
                try hasOrder
                ? orderedRatio(plain)
                : plain.solve(
                    .sharpe, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
            let whole = model.riskTangent(at: ratio.weights).value
            let distance = zip(base, ratio.weights).reduce(0) { $0 + abs($1.1 - $1.0) }
            guard distance > 0 else { return nil }
            var best: Solved?
            for share in Self.shares {
                var found = ratio
                found.weights = zip(base, ratio.weights).map { $0 + min(share / distance, 1) * ($1 - $0) }
                WeightCleanup.balance(&found.weights, model.constraints)
                // By constraint of the whole set; a ratio's prices go with its risk.
                let factor = whole / model.riskTangent(at: found.weights).value
                var own = ratio.prices.makeIterator()
                found.prices = model.constraints.constraints.map { constraint in
                    if case .convex = constraint.kind { 0 } else { factor * (own.next() ?? 0) }
                }
                chargeBudget(&found.prices, so: base, earnsNothingBeside: found.weights, model)
                let solved = try certified(found, model)
                if solved.error < best?.error ?? .infinity { best = solved }
            }
            return best
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// Sets the budget's price to what leaves nothing to gain along the riskless portfolio, which is known exactly: next to it rounding in that
    /// price counts for as much as the shares are small.
    private func chargeBudget(
        _ prices: inout [Double], so base: [Double], earnsNothingBeside weights: [Double], _ model: MeanRisk
    ) {
        let set = model.constraints
        guard set.budget.min == set.budget.max, set.budget.max != 0,
            let budget = set.constraints.firstIndex(where: { $0.name == "budget" })
        else { return }
        prices[budget] = 0
        let risk = model.riskTangent(at: weights).value
        let rest = BindingConstraints.reducedGradient(moments.mean.map { $0 / risk }, prices, set, base)
        prices[budget] = Vector.dot(rest, base) / set.budget.max
    }

    /// The ratio of means of an ordered average, whose solution is found in rounds.
    private func orderedRatio(_ plain: MeanRisk) throws(Problem) -> MeanRisk.Solution {
        var part = self
        part.request.kelly = .none
        part.constraints = plain.constraints
        var nearest: [Double]?
        let found = try part.ordered(plain, nearest: &nearest)
        let prices = Dictionary(found.prices.map { ($0.constraint, $0.dual) }, uniquingKeysWith: { first, _ in first })
        return MeanRisk.Solution(
            weights: found.weights, prices: plain.constraints.constraints.map { prices[$0.name] ?? 0 },
            evidence: found.evidence.objective.map { [(nil, $0)] } ?? [], costKinks: found.weights.map { _ in 0 },
            iterations: found.solution.iterations, primalResidual: 0, dualResidual: 0)
    }
}
