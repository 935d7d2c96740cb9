import LinearAlgebra
import WireFormat

/// What each factor adds to a portfolio's risk, and what no factor explains.
///
/// ```
/// c_k = (B'w)_k (B^+ g)_k,   g = d risk / d w (divided by the degree);   residual = w'g - sum c_k
/// ```
/// The assets' marginal risks are split into what the loadings span and the rest. Source: L. Meucci (2007), Risk Contributions from
/// Generic User-Defined Factors, Risk 20(6); Riskfolio-Lib's Factors_Risk_Contribution, whose residual is the same number.
struct FactorContributions {
    /// N x K.
    let loadings: Matrix
    /// K x N, the pseudo-inverse.
    private let inverse: Matrix

    /// - Throws: `OPT-202` where the loadings cannot be decomposed.
    init(loadings: Matrix) throws(Problem) {
        self.loadings = loadings
        let k = loadings.columns
        let gram = loadings.gram()
        let eigen: SymmetricEigen
        do { eigen = try SymmetricEigen(gram) } catch {
            throw Problem(.unstable, "The factors' loadings cannot be decomposed: \(error).")
        }
        let largest = eigen.values.reduce(0) { max($0, abs($1)) }
        var middle = Matrix(rows: k, columns: k)
        for j in 0..<k where eigen.values[j] > 1e-13 * largest {
            for a in 0..<k {
                for b in 0..<k {
                    middle[a, b] += eigen.vectors[a, j] * eigen.vectors[b, j] / eigen.values[j]
                }
            }
        }
        inverse = middle * loadings.transposed()
    }

    /// K factors' contributions, then the residual; they add up to w'g.
    /// - Parameter margins: N: w_i d risk / d w_i is `weights[i] * margins[i]`.
    func contributions(weights: [Double], margins: [Double]) -> (factors: [Double], residual: Double) {
        let exposures = loadings.transposedMultiplied(by: weights)
        let prices = inverse.multiplied(by: margins)
        let factors = zip(exposures, prices).map { $0 * $1 }
        return (factors, Vector.dot(weights, margins) - factors.reduce(0, +))
    }
}
