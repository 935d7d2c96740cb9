import LinearAlgebra
import WireFormat

/// The moments of assets that a few factors drive.
///
/// ```
/// mu = a + B mu_f,   Sigma = B Sigma_f B' + diag(Var e)
/// ```
/// mu_f and Sigma_f come from the request's estimators on the factors themselves: the constant is no factor and does not enter
/// Sigma_f, which distorts the shrinkage estimators in Riskfolio-Lib. Var e has the divisor T - 1.
///
/// Source: S. Ross (1976), The Arbitrage Theory of Capital Asset Pricing; B. Rosenberg (1974), Extra-Market Components of
/// Covariance in Security Returns.
struct FactorModel {
    let loadings: FactorLoadings
    /// K.
    let factorMean: [Double]
    /// K x K.
    let factorCovariance: Matrix
    /// N.
    let mean: [Double]
    /// N x N.
    let covariance: Matrix
    /// N: Var e; zeros where the request leaves them out.
    let residualVariances: [Double]
    /// T x N: a + B f, the returns without residuals.
    let returns: Matrix
    /// Of the estimates of mu_f and Sigma_f, which is mended by itself where an estimator made no covariance of it.
    let warnings: [PortfolioWarning]

    init(_ request: FactorRequest, panel: ReturnPanel, factors: ReturnPanel, moments: Moments) throws(Problem) {
        let loadings = try FactorLoadings(request, panel: panel, factors: factors)
        self.loadings = loadings
        factorMean = moments.mean
        factorCovariance = moments.covariance
        warnings = moments.warnings.map { warning in
            PortfolioWarning(
                code: warning.code, pointer: JSONPointer(["factors"]), detail: "Of the factors: " + warning.detail)
        }
        mean = zip(loadings.constants, loadings.matrix.multiplied(by: moments.mean)).map { $0 + $1 }
        residualVariances = panel.assets.indices.map { asset in
            guard request.hasResiduals else { return 0 }
            let deviations = SeriesMath.centred(loadings.residuals.column(asset))
            return Vector.dot(deviations, deviations) / Double(max(panel.observations - 1, 1))
        }
        covariance = Self.systematic(loadings.matrix, moments.covariance, plus: residualVariances)
        var returns = panel.returns
        for index in returns.storage.indices { returns.storage[index] -= loadings.residuals.storage[index] }
        self.returns = returns
    }

    /// B S B' + diag(variances).
    static func systematic(_ loadings: Matrix, _ factors: Matrix, plus variances: [Double]) -> Matrix {
        var result = Matrix(rows: loadings.rows, columns: loadings.rows)
        result.gemm(loadings * factors, loadings, transposeSecond: true)
        result.addToDiagonal(variances)
        result.mirrorLowerTriangle()
        return result
    }
}
