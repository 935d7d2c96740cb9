public import LinearAlgebra
import WireFormat

/// Parameters of the estimators, with Riskfolio-Lib's defaults. Each estimator reads its own and ignores the rest.
public struct EstimatorParameters: Sendable, Equatable {
    /// What shrunk means are drawn to.
    public enum Target: String, Sendable, CaseIterable {
        /// The mean of all means.
        case grandMean = "b1"
        /// The mean of the portfolio of least variance.
        case minimumVariance = "b2"
        /// tr(Sigma) / T.
        case volatility = "b3"
    }

    /// `target` of JS, BS and BOP.
    public var target = Target.grandMean
    /// `d` of ewma1 and ewma2, between zero and one: what a weight keeps from one period to the next.
    public var decay = 0.94
    /// `alpha` of shrunk and shrink, from zero to one.
    public var shrinkage = 0.1
    /// `bandwidth` of the kernel that the Marchenko-Pastur fit smooths eigenvalues with.
    public var bandwidth = 0.01
    /// Whether denoising also takes the market out.
    public var detone = false
    /// How many leading components the market is.
    public var marketComponents = 1
    /// `threshold` of the Gerber statistics, in standard deviations, between zero and one.
    public var threshold = 0.5
    /// Market weights of CAPM and equilibrium; nil is equal weights.
    public var marketWeights: [Double]?
    /// Risk aversion of equilibrium; nil is that which the market implies.
    public var riskAversion: Double?
    /// Per period: of CAPM and equilibrium.
    public var riskFreeRate = 0.0
    /// Of the method custom, by asset.
    public var customMean: [Double]?
    /// Of the method custom, N x N.
    public var customCovariance: Matrix?

    /// The defaults.
    public init() {}

    func checkedDecay(_ place: [String]) throws(Problem) -> Double {
        guard decay > 0, decay < 1 else {
            throw Problem(JSONPointer(place + ["d"]), .outOfRange, "d is \(decay); it lies between 0 and 1.")
        }
        return decay
    }

    func checkedShrinkage() throws(Problem) -> Double {
        guard shrinkage >= 0, shrinkage <= 1 else {
            throw Problem(
                JSONPointer(["covariance_estimator", "alpha"]), .outOfRange,
                "alpha is \(shrinkage); it lies from 0 to 1.")
        }
        return shrinkage
    }

    func checkedThreshold() throws(Problem) -> Double {
        guard threshold > 0, threshold < 1 else {
            throw Problem(
                JSONPointer(["covariance_estimator", "threshold"]), .outOfRange,
                "threshold is \(threshold); it lies between 0 and 1.")
        }
        return threshold
    }
}

/// Exponential weights of T observations, oldest first, adding up to one.
enum ExponentialWeights {
    /// - Parameters:
    ///   - isAdjusted: true for d^age, normalised; false for the recursion m = d m + (1 - d) x from the first observation.
    static func weights(count: Int, decay: Double, isAdjusted: Bool) -> [Double] {
        var weights = [Double](repeating: 0, count: count)
        var power = 1.0
        for index in stride(from: count - 1, through: 0, by: -1) {
            weights[index] = index == 0 || isAdjusted ? power : (1 - decay) * power
            power *= decay
        }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }
}
