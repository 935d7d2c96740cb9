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
    private static let shares = [1e-8, 1e-7, 1e-6]

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
            let ratio = try plain.solve(.sharpe, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
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
                let solved = try certified(found, model)
                if solved.error < best?.error ?? .infinity { best = solved }
            }
            return best
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }
}
