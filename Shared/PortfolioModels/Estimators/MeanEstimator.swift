public import WireFormat

/// A way to estimate the expected return of each asset.
public protocol MeanEstimator: Sendable {
    /// N expected returns per period, in the order of the panel's assets; all finite.
    /// - Throws: a problem where the estimator is not defined for the panel, such as `DAT-002` or `OPT-202`.
    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double]
}

/// The mean estimators by the names that requests use, which are Riskfolio-Lib's where it has the estimator.
public enum MeanMethod: String, Sendable, CaseIterable {
    /// The sample mean.
    case hist
    /// Exponential weights, normalised.
    case ewma1
    /// Exponential smoothing, started at the first return.
    case ewma2
    /// James-Stein shrinkage.
    case jamesStein = "JS"
    /// Bayes-Stein shrinkage.
    case bayesStein = "BS"
    /// Bodnar-Okhrin-Parolya shrinkage.
    case bodnarOkhrinParolya = "BOP"
    /// The capital asset pricing model with the assets' own market portfolio.
    case capm = "CAPM"
    /// Reverse optimisation: the returns for which the market portfolio is optimal.
    case equilibrium
    /// Figures given by the caller.
    case custom
}

/// The registry of mean estimators.
public enum MeanEstimators {
    /// The estimator of a name.
    /// - Throws: `REQ-104` for a parameter outside its domain.
    public static func make(
        _ method: MeanMethod, _ parameters: EstimatorParameters
    ) throws(Problem) -> any MeanEstimator {
        let place = ["mean_estimator"]
        switch method {
        case .hist: return HistoricalMean()
        case .ewma1: return ExponentialMean(decay: try parameters.checkedDecay(place), isAdjusted: true)
        case .ewma2: return ExponentialMean(decay: try parameters.checkedDecay(place), isAdjusted: false)
        case .jamesStein: return JamesStein(target: parameters.target)
        case .bayesStein: return BayesStein(target: parameters.target)
        case .bodnarOkhrinParolya: return BodnarOkhrinParolya(target: parameters.target)
        case .capm: return MarketEquilibrium(parameters, isPriced: true)
        case .equilibrium: return MarketEquilibrium(parameters, isPriced: false)
        case .custom: return CustomMean(values: parameters.customMean)
        }
    }
}

/// Expected returns that the caller gives.
struct CustomMean: MeanEstimator {
    let values: [Double]?

    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] {
        let pointer = JSONPointer(["mean_estimator", "values"])
        guard let values else {
            throw Problem(pointer, .missing, "The method custom needs a value for each asset.")
        }
        guard values.count == panel.assets.count, values.allSatisfy({ $0.isFinite }) else {
            throw Problem(pointer, .outOfRange, "\(panel.assets.count) finite values are needed, one an asset.")
        }
        return values
    }
}
