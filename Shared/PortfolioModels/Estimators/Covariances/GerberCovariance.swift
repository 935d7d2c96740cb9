import LinearAlgebra
import WireFormat

/// The Gerber covariance: counts joint movements beyond a threshold instead of multiplying them, so that neither noise nor
/// outliers carry weight.
///
/// ```
/// H = concordant - discordant movements, h = the number of movements counted
/// gerber0   g_ij = H_ij / (concordant + discordant)
/// gerber1   g_ij = H_ij / (T - periods in which neither moves)
/// gerber2   g_ij = H_ij / sqrt(H_ii H_jj)
/// Sigma_ij = g_ij s_i s_j
/// ```
/// A movement is a return (not its deviation) of at least `threshold` standard deviations s, which have the divisor T. Pairs
/// without a movement are uncorrelated, where Riskfolio-Lib divides zero by zero. Only gerber2 is always positive
/// semidefinite.
///
/// Source: S. Gerber, H. Markowitz, P. Ernst, Y. Miao, B. Javid, P. Sargen (2022), The Gerber Statistic: A Robust Co-Movement
/// Measure for Portfolio Optimization, Journal of Portfolio Management 48.
struct GerberCovariance: CovarianceEstimator {
    /// What joint movements are divided by.
    enum Variant: Sendable {
        /// gerber0.
        case participants
        /// gerber1.
        case allButNeutral
        /// gerber2.
        case scaled
    }

    let variant: Variant
    let threshold: Double

    init(_ variant: Variant, threshold: Double) {
        self.variant = variant
        self.threshold = threshold
    }

    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let deviations = panel.assets.indices.map { asset in
            SeriesMath.rootMeanSquare(
                SeriesMath.centred(panel.column(asset)), divisor: Double(panel.observations))
        }
        var result = correlation(panel.returns, deviations)
        for j in deviations.indices { for i in deviations.indices { result[i, j] *= deviations[i] * deviations[j] } }
        return CovarianceEstimate(result)
    }

    /// g, N x N, with ones on the diagonal of all assets that move beyond the threshold at all.
    func correlation(_ returns: Matrix, _ deviations: [Double]) -> Matrix {
        let (periods, n) = (returns.rows, returns.columns)
        var signs = Matrix(rows: periods, columns: n)
        for asset in 0..<n where deviations[asset] > 0 {
            let level = threshold * deviations[asset]
            for t in (asset * periods)..<((asset + 1) * periods) {
                let value = returns.storage[t]
                signs.storage[t] = value >= level ? 1 : value <= -level ? -1 : 0
            }
        }
        var moves = signs
        for index in moves.storage.indices { moves.storage[index] = abs(moves.storage[index]) }
        let balance = signs.gram()
        let joint = moves.gram()
        var result = Matrix(rows: n, columns: n)
        for j in 0..<n {
            for i in 0..<n {
                let counted: Double =
                    switch variant {
                    case .participants: joint[i, j]
                    // T less the periods in which neither moves = those in which at least one does.
                    case .allButNeutral: joint[i, i] + joint[j, j] - joint[i, j]
                    case .scaled: (balance[i, i] * balance[j, j]).squareRoot()
                    }
                result[i, j] = i == j ? 1 : counted > 0 ? balance[i, j] / counted : 0
            }
        }
        return result
    }
}
