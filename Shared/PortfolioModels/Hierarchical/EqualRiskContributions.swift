import LinearAlgebra
import WireFormat

/// Long-only weights whose contributions to the variance are equal.
///
/// ```
/// min_y  y'C y / 2 - (1/m) sum_i ln y_i,   C the correlation;   w_i proportional to y_i / sigma_i
/// ```
/// The function is strictly convex and self-concordant: Newton's method with the damped step 1 / (1 + decrement) until the
/// decrement is small cannot fail.
///
/// Source: F. Spinu (2013), An Algorithm for Computing Risk Parity Weights, SSRN 2297383.
enum EqualRiskContributions {
    private static let mostIterations = 200

    /// The m weights for a covariance, adding up to one.
    /// - Throws: `OPT-202` where a variance is not positive or the weights do not settle.
    static func weights(_ covariance: Matrix) throws(Problem) -> [Double] {
        let m = covariance.rows
        let deviation = covariance.diagonal.map { max($0, 0).squareRoot() }
        guard deviation.allSatisfy({ $0 > 0 && $0 < .infinity }) else {
            throw Problem(.unstable, "An asset or cluster has no variance: risk contributions cannot be equal.")
        }
        let inverse = deviation.map { 1 / $0 }
        let C = covariance.scaled(rows: inverse, columns: inverse)
        // The barrier's weight sets only the size of y: with one each, the function is self-concordant.
        let average = max(C.storage.reduce(0, +) / Double(m * m), 1e-6)
        var y = [Double](repeating: 1 / (average * Double(m)).squareRoot(), count: m)
        var decrement = Double.infinity
        for _ in 0..<mostIterations where decrement > 1e-13 {
            let Cy = C.symmetricMultiplied(by: y)
            let gradient = y.indices.map { Cy[$0] - 1 / y[$0] }
            var hessian = C
            hessian.addToDiagonal(y.map { 1 / ($0 * $0) })
            let step: [Double]
            do {
                step = try Cholesky(factorising: hessian).solve(gradient)
            } catch {
                throw Problem(.unstable, "The covariance admits no equal risk contributions: \(error).")
            }
            let last = decrement
            decrement = max(Vector.dot(gradient, step), 0).squareRoot()
            // Rounding: no better is possible.
            if decrement < 1e-8, decrement >= last { break }
            let damping = decrement > 0.25 ? 1 / (1 + decrement) : 1
            for i in y.indices { y[i] -= damping * step[i] }
        }
        guard decrement < 1e-7, y.allSatisfy({ $0 > 0 && $0 < .infinity }) else {
            throw Problem(.unstable, "Equal risk contributions were not reached (\(decrement)).")
        }
        let raw = zip(y, inverse).map { $0 * $1 }
        let total = raw.reduce(0, +)
        return raw.map { $0 / total }
    }
}
