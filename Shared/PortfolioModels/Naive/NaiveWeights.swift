import LinearAlgebra
import WireFormat

/// Weights that need no optimisation.
///
/// ```
/// equal               w_i = 1 / N
/// inverse volatility  w_i proportional to 1 / sigma_i
/// inverse variance    w_i proportional to 1 / sigma_i^2
/// ```
/// Within limits they are `clip(lambda v_i, lower_i, upper_i)` with the lambda at which they add up to the budget.
///
/// Source: V. DeMiguel, L. Garlappi, R. Uppal (2009), Optimal Versus Naive Diversification, Review of Financial Studies 22(5).
enum NaiveWeights {
    /// Which rule.
    enum Rule: Sendable {
        case equal, inverseVolatility, inverseVariance
    }

    /// The N weights.
    /// - Throws: `OPT-203` where an asset has no variance, so that it has no inverse.
    static func weights(
        _ rule: Rule, assets: [String], covariance: Matrix, limits: WeightLimits
    ) throws(Problem) -> [Double] {
        let all = Array(assets.indices)
        var values = [Double](repeating: 1, count: assets.count)
        if rule != .equal, assets.count > 1 {
            let least = covariance.diagonal.filter { $0 > 0 }.min() ?? 0
            for (asset, variance) in covariance.diagonal.enumerated() {
                guard variance > 0, variance < .infinity else {
                    let name = Problem.echo(assets[asset])
                    throw Problem(
                        .ratioUndefined,
                        "The variance of \(name) is \(variance): weights inverse to it need one above zero. Leave it out.",
                        errors: [
                            Violation(
                                JSONPointer(["assets", String(asset)]), .other("no_positive_risk"),
                                "The variance of \(name) is \(variance).", limit: 0, value: variance)
                        ])
                }
                let share = least / variance
                values[asset] = rule == .inverseVariance ? share : share.squareRoot()
            }
        }
        return LimitedAllocation.proportional(values, all, limits, total: limits.budget)
    }
}
