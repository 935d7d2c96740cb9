import LinearAlgebra
import RealModule

/// A linear regression of one series on others, with the figures by which models are compared.
///
/// ```
/// y = a + X b + e,   R2 = 1 - SSR / SST,   R2_A = 1 - (1 - R2)(T - k_c)/(T - k_c - k)
/// AIC = -2 logL + 2 p,   BIC = -2 logL + p ln T,   logL = -T/2 (ln(2 pi SSR/T) + 1),   p = k + k_c
/// ```
/// k_c is one with a constant and zero without, in which case SST is not centred. p-values are two-sided, of Student's t with
/// T - p degrees of freedom.
///
/// Source: W. H. Greene (2012), Econometric Analysis, chapters 3 to 5.
struct OrdinaryLeastSquares {
    /// a; zero without a constant.
    let constant: Double
    /// b, one a regressor.
    let coefficients: [Double]
    /// One a regressor, the constant left out; NaN where no degree of freedom is left.
    let pValues: [Double]
    let determination: Double
    let adjustedDetermination: Double
    let akaike: Double
    let schwarz: Double

    /// Nil where the regressors are linearly dependent or there are no more periods than coefficients.
    /// - Parameters:
    ///   - y: T.
    ///   - regressors: T x k.
    init?(_ y: [Double], on regressors: Matrix, hasConstant: Bool) {
        let count = y.count
        let k = regressors.columns
        let parameters = k + (hasConstant ? 1 : 0)
        guard regressors.rows == count, count > parameters else { return nil }
        let means = (0..<k).map { hasConstant ? SeriesMath.mean(regressors.column($0)) : 0 }
        let level = hasConstant ? SeriesMath.mean(y) : 0
        var centred = regressors
        for j in 0..<k {
            let column = hasConstant ? SeriesMath.centred(regressors.column(j)) : regressors.column(j)
            centred.storage.replaceSubrange((j * count)..<((j + 1) * count), with: column)
        }
        let target = hasConstant ? SeriesMath.centred(y) : y
        let total = Vector.dot(target, target)
        var solution = [Double](repeating: 0, count: k)
        var inverse = Matrix(rows: k, columns: k)
        if k > 0 {
            guard let factor = CovarianceFactor(centred.gram()) else { return nil }
            solution = factor.solve(centred.transposedMultiplied(by: target))
            // One step of refinement takes the squared condition of the normal equations back.
            let rest = zip(target, centred.multiplied(by: solution)).map { $0 - $1 }
            let correction = factor.solve(centred.transposedMultiplied(by: rest))
            solution = zip(solution, correction).map { $0 + $1 }
            inverse = factor.inverse()
        }
        let residuals = zip(target, centred.multiplied(by: solution)).map { $0 - $1 }
        let squares = Vector.dot(residuals, residuals)
        let freedom = Double(count - parameters)
        let variance = squares / freedom
        coefficients = solution
        constant = hasConstant ? level - Vector.dot(means, solution) : 0
        pValues = zip(solution, inverse.diagonal).map { coefficient, diagonal in
            let error = (variance * diagonal).squareRoot()
            guard error > 0 else { return coefficient == 0 ? 1 : 0 }
            return StudentT.twoSided(coefficient / error, degrees: freedom)
        }
        determination = total > 0 ? 1 - squares / total : 0
        adjustedDetermination =
            1 - (1 - determination) * Double(count - (hasConstant ? 1 : 0)) / freedom
        let periods = Double(count)
        let likelihood = -periods / 2 * (Double.log(2 * Double.pi * squares / periods) + 1)
        akaike = -2 * likelihood + 2 * Double(parameters)
        schwarz = -2 * likelihood + Double(parameters) * Double.log(periods)
    }
}
