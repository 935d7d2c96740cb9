import LinearAlgebra
import WireFormat

/// The sample moments that the shrinkage estimators share, and their target b 1.
struct ShrinkageMoments {
    let observations: Int
    let mean: [Double]
    let covariance: Matrix
    /// b.
    let target: Double
    private let factor: CovarianceFactor?

    /// - Parameter needsInverse: whether the estimator itself inverts the covariance; the target b2 always does.
    init(
        _ panel: ReturnPanel, target: MeanTarget, needsInverse: Bool, name: String
    ) throws(Problem) {
        observations = panel.observations
        mean = HistoricalMean.estimate(panel)
        covariance = SampleCovariance.estimate(panel)
        if needsInverse || target == .minimumVariance {
            factor = try CovarianceFactor(
                covariance, for: "\(name) with target \(target.rawValue)", observations: panel.observations,
                place: ["mean_estimator"])
        } else {
            factor = nil
        }
        let count = Double(mean.count)
        switch target {
        case .grandMean: self.target = mean.reduce(0, +) / count
        case .minimumVariance:
            let weights = factor?.solve([Double](repeating: 1, count: mean.count)) ?? []
            self.target = Vector.dot(weights, mean) / weights.reduce(0, +)
        case .volatility: self.target = covariance.diagonal.reduce(0, +) / Double(panel.observations)
        }
    }

    /// a' Sigma^-1 b.
    func product(_ a: [Double], _ b: [Double]) -> Double {
        factor.map { Vector.dot(a, $0.solve(b)) } ?? .nan
    }

    /// mu - b.
    var excess: [Double] { mean.map { $0 - target } }

    /// (1 - a) mu + a b.
    func shrunk(by a: Double) -> [Double] { mean.map { (1 - a) * $0 + a * target } }
}
