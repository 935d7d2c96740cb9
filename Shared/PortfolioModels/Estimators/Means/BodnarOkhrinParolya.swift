import LinearAlgebra
import WireFormat

/// The Bodnar-Okhrin-Parolya mean: optimal shrinkage of a high-dimensional mean, a combination of the sample means and the
/// target with two coefficients of its own.
///
/// ```
/// mu = a m + c b,  a = ((u - N/(T-N)) s - v^2) / (u s - v^2),  c = (1 - a) v / u
/// u = m'Sigma^-1 m,  v = m'Sigma^-1 b,  s = b'Sigma^-1 b
/// ```
/// c divides by u, as Riskfolio-Lib does. Where m is a multiple of b the two cannot be told apart and m is the answer.
///
/// Source: T. Bodnar, O. Okhrin, N. Parolya (2019), Optimal Shrinkage Estimator for High-Dimensional Mean Vector, Journal of
/// Multivariate Analysis 170.
struct BodnarOkhrinParolya: MeanEstimator {
    let target: MeanTarget

    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] {
        let moments = try ShrinkageMoments(panel, target: target, needsInverse: true, name: "BOP")
        let (assets, count) = (Double(panel.assets.count), Double(panel.observations))
        let b = [Double](repeating: moments.target, count: panel.assets.count)
        let u = moments.product(moments.mean, moments.mean)
        let v = moments.product(moments.mean, b)
        let s = moments.product(b, b)
        let determinant = u * s - v * v
        guard determinant > 1e-12 * u * s else { return moments.mean }
        let a = ((u - assets / (count - assets)) * s - v * v) / determinant
        let c = (1 - a) * v / u
        return moments.mean.map { a * $0 + c * moments.target }
    }
}
