import LinearAlgebra
import WireFormat

/// Weights whose contributions to the variance are given shares.
///
/// ```
/// min_y  y'C y / 2 - sum_i c_i ln y_i,   C the correlation, c proportional to the shares;   w_i proportional to y_i / sigma_i
/// ```
/// With every c at least one the function is self-concordant: Newton's method with the damped step 1 / (1 + decrement) until the
/// decrement is small cannot fail where a minimum exists. None does where some long portfolio has no variance.
///
/// Source: F. Spinu (2013), An Algorithm for Computing Risk Parity Weights, SSRN 2297383.
struct VarianceBudgets {
    let covariance: Matrix
    /// N numbers above zero.
    let budgets: [Double]
    /// N names, for problems.
    let assets: [String]

    /// Steps that halve a start twenty orders of magnitude off, and then some.
    private static let mostIterations = 400

    /// N positive weights that add up to one, the steps taken, and the largest relative error of a contribution.
    /// - Throws: `OPT-203` where an asset has no variance, or a long portfolio has none; `OPT-202` where rounding stops the method.
    func solve() throws(Problem) -> (weights: [Double], iterations: Int, residual: Double) {
        let n = covariance.rows
        if n == 1 { return ([1], 0, 0) }
        let deviation = covariance.diagonal.map { max($0, 0).squareRoot() }
        let largest = deviation.max() ?? 0
        for (asset, value) in deviation.enumerated() where !(value > 1e-12 * largest && value < .infinity) {
            throw RiskBudgeting.noShare(assets[asset], "Its variance is \(value * value).")
        }
        let inverse = deviation.map { 1 / $0 }
        let C = covariance.scaled(rows: inverse, columns: inverse)
        let least = budgets.min() ?? 1
        let c = budgets.map { $0 / least }
        // Where contributions are right on average: y'C y = sum c.
        var y = c.map { $0.squareRoot() }
        let size = max(Vector.dot(y, C.symmetricMultiplied(by: y)), 1e-6 * Vector.dot(y, y))
        let factor = (c.reduce(0, +) / size).squareRoot()
        for i in y.indices { y[i] *= factor }
        var (decrement, iterations) = (Double.infinity, 0)
        while iterations < Self.mostIterations, decrement > 1e-13 {
            iterations += 1
            let Cy = C.symmetricMultiplied(by: y)
            let gradient = y.indices.map { Cy[$0] - c[$0] / y[$0] }
            // In the metric of y, so that the matrix is one plus a multiple of the identity whatever the sizes.
            var hessian = C.scaled(rows: y, columns: y)
            hessian.addToDiagonal(c)
            let right = y.indices.map { y[$0] * gradient[$0] }
            guard let step = try? Cholesky(factorising: hessian).solve(right) else {
                throw Problem(.unstable, "Rounding stopped Newton's method at decrement \(decrement).")
            }
            let last = decrement
            decrement = max(Vector.dot(right, step), 0).squareRoot()
            // Rounding: no better is possible.
            if decrement < 1e-8, decrement >= last { break }
            let damping = decrement > 0.25 ? 1 / (1 + decrement) : 1
            for i in y.indices { y[i] *= 1 - damping * step[i] }
            // A portfolio without variance draws the weights to infinity.
            guard y.allSatisfy({ $0 > 0 && $0 < 1e9 * factor * c.reduce(0, +) }) else { throw Self.riskless }
        }
        let Cy = C.symmetricMultiplied(by: y)
        let residual = y.indices.reduce(0.0) { max($0, abs(y[$1] * Cy[$1] / c[$1] - 1)) }
        guard residual < 1e-8 else {
            let variance = Vector.dot(y, Cy) / Vector.dot(y, y)
            if variance < 1e-10 { throw Self.riskless }
            throw Problem(.unstable, "The contributions to the variance are off by \(residual).")
        }
        let raw = zip(y, inverse).map { $0 * $1 }
        let total = raw.reduce(0, +)
        return (raw.map { $0 / total }, iterations, residual)
    }

    /// The problem where assets cancel each other out.
    static let riskless = Problem(
        .ratioUndefined,
        "Some long portfolio of these assets has no risk by this measure, or less than none: there is nothing to share out. Leave out the assets that cancel each other, or take another measure."
    )
}
