import LinearAlgebra
import WireFormat

/// The James-Stein mean: shrinks the sample means towards one figure.
///
/// ```
/// mu = (1 - a) m + a b,   a = (tr Sigma - 2 lambda_max) / (T |m - b|^2)
/// ```
/// `a` is not kept within [0, 1], as in Riskfolio-Lib. Where the means equal the target nothing is left to shrink.
///
/// Source: W. James, C. Stein (1961), Estimation with Quadratic Loss; in this form A. Meucci (2005), Risk and Asset Allocation,
/// section 4.2.2.
struct JamesStein: MeanEstimator {
    let target: MeanTarget

    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] {
        let moments = try ShrinkageMoments(panel, target: target, needsInverse: false, name: "JS")
        let distance = Vector.dot(moments.excess, moments.excess)
        let largest = try LargestEigenvalue.of(moments.covariance)
        let numerator = moments.covariance.diagonal.reduce(0, +) - 2 * largest
        let size = Vector.dot(moments.mean, moments.mean)
        // Rounding alone separates equal means: dividing by its square would make up any figure.
        guard distance > 1e-28 * size else { return moments.shrunk(by: 0) }
        return moments.shrunk(by: numerator / (Double(panel.observations) * distance))
    }
}

/// The largest eigenvalue of a covariance.
enum LargestEigenvalue {
    static func of(_ covariance: Matrix) throws(Problem) -> Double {
        do { return try SymmetricEigen(covariance).values.last ?? 0 } catch {
            throw Problem(.unstable, "The covariance has no spectral decomposition: \(error).")
        }
    }
}
