import ConvexSolver
import LinearAlgebra
import WireFormat

/// The most diversified portfolio, under any linear constraints.
///
/// ```
/// max  sum_i w_i sigma_i / sqrt(w'Sigma w)
/// ```
/// This is the ratio of mean-variance with the standard deviations in place of the means and a rate of zero: one convex quadratic
/// program.
///
/// Source: Y. Choueifaty, Y. Coignard (2008), Toward Maximum Diversification, JPM 35(1).
struct MaximumDiversification {
    let covariance: Matrix
    let constraints: ConstraintSet
    let deadline: SolverDeadline

    /// The optimum.
    /// - Throws: `OPT-101`, `OPT-203` where no asset has a variance, `OPT-201/202`, `SYS-201`.
    func solve() throws(Problem) -> ModelSolution {
        try MeanVariance(
            mean: covariance.diagonal.map { max($0, 0).squareRoot() }, covariance: covariance, constraints: constraints,
            deadline: deadline
        ).solve(.sharpe, riskFreeRate: 0, riskAversion: 0)
    }
}

/// The least correlated portfolio, under any linear constraints.
///
/// ```
/// min  w'C w,   C the correlation of Sigma
/// ```
/// Source: P. Christoffersen, V. Errunza, K. Jacobs, H. Langlois (2012), Is the Potential for International Diversification
/// Disappearing?, Review of Financial Studies 25(12).
struct MaximumDecorrelation {
    let covariance: Matrix
    let constraints: ConstraintSet
    let deadline: SolverDeadline

    /// The optimum.
    /// - Throws: `OPT-101`, `OPT-203` where an asset has no variance, `OPT-201/202`, `SYS-201`.
    func solve() throws(Problem) -> ModelSolution {
        for (asset, variance) in covariance.diagonal.enumerated() {
            guard variance > 0, variance < .infinity else {
                throw Problem(
                    .ratioUndefined,
                    "The variance of \(Problem.echo(constraints.assets[asset])) is \(variance): it has no correlations. Leave it out."
                )
            }
        }
        let inverse = covariance.diagonal.map { 1 / $0.squareRoot() }
        var correlation = covariance.scaled(rows: inverse, columns: inverse)
        for i in 0..<correlation.rows { correlation[i, i] = 1 }
        return try MeanVariance(
            mean: inverse.map { _ in 0 }, covariance: correlation, constraints: constraints, deadline: deadline
        ).minimumRisk()
    }
}
