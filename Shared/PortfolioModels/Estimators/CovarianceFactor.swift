import LinearAlgebra
import WireFormat

/// The Cholesky factor of a covariance by way of its correlation, which refuses what is singular to working accuracy.
///
/// A pivot of the correlation matrix is the share of an asset's variance that the assets before it leave unexplained. Below
/// 1e-12 rounding has made it up, and every figure that its inverse enters is noise.
struct CovarianceFactor: Sendable {
    private let deviations: [Double]
    private let factor: Cholesky

    /// Smallest unexplained share of a variance.
    static let smallestPivot = 1e-12

    /// Factorises; nil where the matrix is singular, not positive definite or not finite.
    init?(_ covariance: Matrix) {
        let variances = covariance.diagonal
        guard covariance.isFinite, variances.allSatisfy({ $0 > 0 }) else { return nil }
        deviations = variances.map { $0.squareRoot() }
        let inverse = deviations.map { 1 / $0 }
        var correlation = covariance.scaled(rows: inverse, columns: inverse)
        for i in inverse.indices { correlation[i, i] = 1 }
        guard let factor = try? Cholesky(factorising: correlation) else { return nil }
        guard factor.factor.diagonal.allSatisfy({ $0 * $0 > Self.smallestPivot }) else { return nil }
        self.factor = factor
    }

    /// Factorises, or says why it cannot.
    /// - Parameters:
    ///   - what: what needs the inverse, as the start of a sentence.
    ///   - observations: T, for the reason.
    init(_ covariance: Matrix, for what: String, observations: Int, place: [String]) throws(Problem) {
        guard let factor = CovarianceFactor(covariance) else {
            let count = covariance.rows
            let pointer = JSONPointer(place)
            if observations <= count {
                let detail =
                    "\(what) needs an invertible covariance: \(observations) returns are too few for \(count) assets, \(count + 1) are the least."
                throw Problem(.tooLittleHistory, detail, errors: [Violation(pointer, .other("too_short"), detail)])
            }
            let detail =
                "\(what) needs an invertible covariance, and this one is singular: an asset is constant or a combination of others."
            throw Problem(.unstable, detail, errors: [Violation(pointer, .other("singular_covariance"), detail)])
        }
        self = factor
    }

    /// Sigma^-1 b.
    func solve(_ b: [Double]) -> [Double] {
        let scaled = zip(b, deviations).map { $0 / $1 }
        return zip(factor.solve(scaled), deviations).map { $0 / $1 }
    }

    /// Sigma^-1.
    func inverse() -> Matrix {
        let scale = deviations.map { 1 / $0 }
        var inverse = factor.solve(Matrix.identity(deviations.count)).scaled(rows: scale, columns: scale)
        inverse.mirrorLowerTriangle()
        return inverse
    }
}
