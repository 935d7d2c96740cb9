public import WireFormat

/// A way to estimate the expected return of each asset.
public protocol MeanEstimator: Sendable {
    /// N expected returns per period, in the order of the panel's assets; all finite.
    /// - Throws: a problem where the estimator is not defined for the panel, such as `DAT-002` or `OPT-202`.
    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double]
}

/// The registry of mean estimators: every name a request may use makes one.
public enum MeanEstimators {
    /// The estimator of a request.
    /// - Parameters:
    ///   - assets: the panel's, in their order; the request names values by asset.
    ///   - riskFreeRate: per period, of CAPM and equilibrium.
    public static func make(
        _ request: MeanEstimatorRequest, assets: [String], riskFreeRate: Double = 0
    ) -> any MeanEstimator {
        switch request.method {
        case .hist: HistoricalMean()
        case .ewma1: ExponentialMean(decay: request.decay, isAdjusted: true)
        case .ewma2: ExponentialMean(decay: request.decay, isAdjusted: false)
        case .jamesStein: JamesStein(target: request.target)
        case .bayesStein: BayesStein(target: request.target)
        case .bodnarOkhrinParolya: BodnarOkhrinParolya(target: request.target)
        case .capitalAssetPricing:
            MarketEquilibrium(
                weights: MarketWeights.ordered(request.marketWeights, assets), riskAversion: nil,
                riskFreeRate: riskFreeRate)
        case .equilibrium:
            MarketEquilibrium(
                weights: MarketWeights.ordered(request.marketWeights, assets), riskAversion: request.riskAversion,
                riskFreeRate: riskFreeRate)
        case .custom: CustomMean(values: request.values)
        }
    }
}

/// Expected returns that the caller gives.
struct CustomMean: MeanEstimator {
    let values: [ConstraintRequest.AssetValue]

    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] {
        let pointer = JSONPointer(["mean_estimator", "values"])
        var means: [Double] = []
        for asset in panel.assets {
            guard let value = values.last(where: { $0.asset == asset })?.value, value.isFinite else {
                throw Problem(
                    pointer.appending(asset), .missing, "The method custom needs a value for \(Problem.echo(asset)).")
            }
            means.append(value)
        }
        return means
    }
}
