import LinearAlgebra
import WireFormat

/// The posterior of expected returns after views: a prior N(pi, tau Sigma) updated with P x = Q + N(0, Omega).
///
/// ```
/// A  = P tau Sigma P' + Omega
/// mu = pi + tau Sigma P' A^-1 (Q - P pi)
/// S  = Sigma + tau Sigma - tau Sigma P' A^-1 P tau Sigma
/// Omega = diag(P tau Sigma P') (1 - c) / c
/// ```
/// A view without a confidence c has Omega = diag(P tau Sigma P'), the same as c = 1/2; c = 1 holds exactly. Neither Sigma nor
/// Omega is inverted, so a singular covariance and certain views are no obstacle. Without views mu = pi and S = (1 + tau) Sigma.
///
/// Source: F. Black, R. Litterman (1992), Global Portfolio Optimization, Financial Analysts Journal 48; G. He, R. Litterman
/// (1999), The Intuition Behind Black-Litterman Model Portfolios; T. Idzorek (2005), A Step-by-Step Guide to the
/// Black-Litterman Model, in the closed form of J. Walters (2014).
struct BlackLitterman {
    /// N, in excess of the risk-free rate.
    let mean: [Double]
    /// N x N.
    let covariance: Matrix
    /// K: the variances of the views' errors.
    let omega: [Double]

    /// - Parameters:
    ///   - prior: pi, N.
    ///   - covariance: Sigma, N x N.
    /// - Throws: `OPT-202` where A is singular: views that are certain and depend on each other, or speak of assets without risk.
    init(prior: [Double], covariance sigma: Matrix, tau: Double, views: ViewMatrix) throws(Problem) {
        let spread = sigma.scaled(by: tau)
        guard views.count > 0 else {
            mean = prior
            covariance = sigma.scaled(by: 1 + tau)
            omega = []
            return
        }
        let rows = views.rows
        var projected = Matrix(rows: rows.rows, columns: sigma.columns)  // P tau Sigma
        projected.gemm(rows, spread)
        var total = Matrix(rows: rows.rows, columns: rows.rows)
        total.gemm(projected, rows, transposeSecond: true)
        omega = zip(total.diagonal, views.confidences).map { variance, confidence in
            guard let confidence else { return variance }
            return variance * (1 - confidence) / confidence
        }
        total.addToDiagonal(omega)
        let factor = try CovarianceFactor(
            total, for: "The views' system", observations: .max, place: ["views", "items"])
        let gap = zip(views.levels, rows.multiplied(by: prior)).map { $0 - $1 }
        let shift = projected.transposedMultiplied(by: factor.solve(gap))
        mean = zip(prior, shift).map { $0 + $1 }
        var learned = Matrix(rows: sigma.rows, columns: sigma.columns)
        learned.gemm(projected, factor.inverse() * projected, transposeFirst: true)
        var posterior = sigma
        for index in posterior.storage.indices {
            posterior.storage[index] += spread.storage[index] - learned.storage[index]
        }
        posterior.mirrorLowerTriangle()
        covariance = posterior
    }

    /// The prior's mean: the market's equilibrium delta Sigma w, or the estimate less the rate.
    /// - Parameters:
    ///   - mean: the estimated means, N.
    ///   - riskFreeRate: per period.
    static func prior(
        _ views: ViewsRequest, mean: [Double], covariance: Matrix, assets: [String], riskFreeRate: Double,
        warnings: inout [PortfolioWarning]
    ) throws(Problem) -> [Double] {
        guard views.isEquilibrium else { return mean.map { $0 - riskFreeRate } }
        let weights = marketWeights(views, assets: assets)
        let delta = try aversion(
            views, mean: mean, covariance: covariance, weights: weights, riskFreeRate: riskFreeRate,
            warnings: &warnings)
        return covariance.symmetricMultiplied(by: weights).map { delta * $0 }
    }

    /// The market portfolio of the request; equal weights where it has none.
    static func marketWeights(_ views: ViewsRequest, assets: [String]) -> [Double] {
        MarketWeights.ordered(views.priorWeights, assets)
            ?? [Double](repeating: 1 / Double(assets.count), count: assets.count)
    }

    /// delta: the request's, or what the market portfolio implies.
    static func aversion(
        _ views: ViewsRequest, mean: [Double], covariance: Matrix, weights: [Double], riskFreeRate: Double,
        warnings: inout [PortfolioWarning]
    ) throws(Problem) -> Double {
        if let given = views.riskAversion { return given }
        let delta = try MarketWeights.impliedRiskAversion(
            mean: mean, covariance: covariance, weights: weights, riskFreeRate: riskFreeRate)
        if delta <= 0 {
            warnings.append(
                PortfolioWarning(
                    code: "negative_risk_aversion", pointer: JSONPointer(["views", "risk_aversion"]),
                    detail:
                        "The prior portfolio earned less than the risk-free rate, so the implied risk aversion is \(delta): more risk means less equilibrium return. Give risk_aversion."
                ))
        }
        return delta
    }
}
