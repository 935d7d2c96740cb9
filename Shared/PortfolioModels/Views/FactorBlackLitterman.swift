import LinearAlgebra
import WireFormat

/// Black-Litterman with views of factors.
///
/// Bayesian: the factors' means are updated by the views, and the assets follow through their loadings,
/// ```
/// S^ = (S_f^-1 + P'Omega^-1 P)^-1,  m^ = S^ (S_f^-1 (mu_f - rf) + P'Omega^-1 Q),  Omega = diag(P tau S_f P')
/// mu = a + B m^ + rf,   Sigma = B (S_f + S^) B' + diag(Var e)
/// ```
/// Augmented: assets and factors are one system with covariance [S, B S_f; S_f B', S_f], and views of both update both; the
/// equilibrium prior is delta [S; S_f B'] w.
///
/// Source: P. Kolm, G. Ritter (2017), On the Bayesian Interpretation of Black-Litterman, European Journal of Operational
/// Research 258; W. Cheung (2013), The Augmented Black-Litterman Model, Quantitative Finance 13.
struct FactorBlackLitterman {
    /// N.
    let mean: [Double]
    /// N x N.
    let covariance: Matrix

    /// The Bayesian form. Every view speaks of factors.
    static func bayesian(
        _ model: FactorModel, views: ViewMatrix, tau: Double, riskFreeRate: Double
    ) throws(Problem) -> FactorBlackLitterman {
        let prior = model.factorMean.map { $0 - riskFreeRate }
        // With the prior covariance S_f in place of tau S_f the update is that of Black-Litterman; the views' errors keep tau.
        let update = try posterior(prior, model.factorCovariance, views, tau)
        let mean = zip(model.loadings.constants, model.loadings.matrix.multiplied(by: update.mean))
            .map { $0 + $1 + riskFreeRate }
        var spread = model.factorCovariance
        for index in spread.storage.indices { spread.storage[index] += update.covariance.storage[index] }
        return FactorBlackLitterman(
            mean: mean,
            covariance: FactorModel.systematic(model.loadings.matrix, spread, plus: model.residualVariances))
    }

    /// The mean and covariance of factors after views: S_f stands for the prior's spread, Omega = diag(P tau S_f P').
    private static func posterior(
        _ prior: [Double], _ spread: Matrix, _ views: ViewMatrix, _ tau: Double
    ) throws(Problem) -> (mean: [Double], covariance: Matrix) {
        guard views.count > 0 else { return (prior, spread) }
        let rows = views.rows
        let projected = rows * spread
        var total = Matrix(rows: rows.rows, columns: rows.rows)
        total.gemm(projected, rows, transposeSecond: true)
        let errors = zip(total.diagonal, views.confidences).map { variance, confidence in
            tau * variance * (confidence.map { (1 - $0) / $0 } ?? 1)
        }
        total.addToDiagonal(errors)
        let factor = try CovarianceFactor(
            total, for: "The views' system", observations: .max, place: ["views", "items"])
        let gap = zip(views.levels, rows.multiplied(by: prior)).map { $0 - $1 }
        let shift = projected.transposedMultiplied(by: factor.solve(gap))
        var covariance = spread
        covariance.gemm(projected, factor.inverse() * projected, transposeFirst: true, scale: -1, beta: 1)
        covariance.mirrorLowerTriangle()
        return (zip(prior, shift).map { $0 + $1 }, covariance)
    }

    /// The augmented form. Views are rows over assets, then factors.
    /// - Parameters:
    ///   - mean: estimated means of the assets.
    ///   - covariance: S, estimated of the assets.
    ///   - aversion: delta for the equilibrium prior; nil for the estimated means less the rate.
    ///   - weights: of the market portfolio.
    static func augmented(
        _ model: FactorModel, mean: [Double], covariance: Matrix, views: ViewMatrix, tau: Double, aversion: Double?,
        weights: [Double], riskFreeRate: Double
    ) throws(Problem) -> FactorBlackLitterman {
        let (n, k) = (mean.count, model.factorMean.count)
        let cross = model.loadings.matrix * model.factorCovariance
        var joint = Matrix(rows: n + k, columns: n + k)
        for j in 0..<n { for i in 0..<n { joint[i, j] = covariance[i, j] } }
        for j in 0..<k {
            for i in 0..<n {
                joint[i, n + j] = cross[i, j]
                joint[n + j, i] = cross[i, j]
            }
            for i in 0..<k { joint[n + i, n + j] = model.factorCovariance[i, j] }
        }
        let prior: [Double]
        if let aversion {
            let market = weights + [Double](repeating: 0, count: k)
            prior = joint.symmetricMultiplied(by: market).map { aversion * $0 }
        } else {
            prior = (mean + model.factorMean).map { $0 - riskFreeRate }
        }
        let found = try BlackLitterman(prior: prior, covariance: joint, tau: tau, views: views)
        let assets = Array(0..<n)
        return FactorBlackLitterman(
            mean: assets.map { found.mean[$0] + riskFreeRate + model.loadings.constants[$0] },
            covariance: found.covariance.submatrix(rows: assets, columns: assets))
    }
}
