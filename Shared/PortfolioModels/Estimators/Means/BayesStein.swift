import LinearAlgebra
import WireFormat

/// The Bayes-Stein mean: shrinks the sample means towards one figure by the precision of the sample.
///
/// ```
/// mu = (1 - a) m + a b,   a = (N + 2) / (N + 2 + T (m - b)' Sigma^-1 (m - b))
/// ```
/// Source: P. Jorion (1986), Bayes-Stein Estimation for Portfolio Analysis, Journal of Financial and Quantitative Analysis 21.
struct BayesStein: MeanEstimator {
    let target: MeanTarget

    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] {
        let moments = try ShrinkageMoments(panel, target: target, needsInverse: true, name: "BS")
        let excess = moments.excess
        let count = Double(panel.assets.count + 2)
        let distance = Double(panel.observations) * moments.product(excess, excess)
        return moments.shrunk(by: count / (count + distance))
    }
}
