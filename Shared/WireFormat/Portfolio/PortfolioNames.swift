/// Portfolio models by Riskfolio-Lib's names; the specification's long names are aliases.
public enum ModelName: String, Sendable, CaseIterable {
    case classic = "Classic"
    case blackLitterman = "BL"
    case factorModel = "FM"
    case blackLittermanFactors = "BL_FM"
    case entropyPooling = "EP"
    case riskParity = "RiskParity"
    case relaxedRiskParity = "RelaxedRiskParity"
    case factorRiskParity = "FactorRiskParity"
    case worstCase = "WorstCase"
    case orderedWeightedAverage = "OWA"
    case fourMoments = "MVSK"
    case hierarchicalRiskParity = "HRP"
    case hierarchicalEqualRisk = "HERC"
    case hierarchicalEqualRisk2 = "HERC2"
    case nestedClusters = "NCO"
    case schurComplement = "Schur"
    case equalWeight = "EqualWeight"
    case inverseVolatility = "InverseVolatility"
    case inverseVariance = "InverseVariance"
    case maximumDiversification = "MaxDiversification"
    case maximumDecorrelation = "MaxDecorrelation"
    case benchmarkTracking = "Tracking"
    case nearOptimal = "NearOptimal"
    case resampled = "Resampled"

    /// Whether the model splits the weights along a tree of clusters.
    public var isHierarchical: Bool {
        switch self {
        case .hierarchicalRiskParity, .hierarchicalEqualRisk, .hierarchicalEqualRisk2, .nestedClusters,
            .schurComplement:
            true
        default: false
        }
    }

    /// Whether the model shares the risk out by `risk_budget`.
    public var sharesOutRisk: Bool { [.riskParity, .factorRiskParity, .relaxedRiskParity].contains(self) }

    /// Whether the model reads `objective`: it maximises or minimises one under the constraints.
    public var hasObjective: Bool {
        switch self {
        case .classic, .blackLitterman, .factorModel, .blackLittermanFactors, .entropyPooling, .worstCase,
            .orderedWeightedAverage, .fourMoments, .nestedClusters, .nearOptimal, .resampled:
            true
        default: false
        }
    }

    /// A model by its code or by a long name, and the risk measure that the long name implies.
    public static func named(_ text: String) -> (model: ModelName, measure: RiskMeasureCode?)? {
        if let model = ModelName(rawValue: text) { return (model, nil) }
        let folded = String(text.lowercased().filter { $0.isLetter || $0.isNumber })
        return aliases[folded]
    }

    private static let aliases: [String: (model: ModelName, measure: RiskMeasureCode?)] = [
        "classicmeanvarianceoptimization": (.classic, .mv),
        "classicmeanvariance": (.classic, .mv),
        "meanvarianceoptimization": (.classic, .mv),
        "meanvariance": (.classic, .mv),
        "conditionalvalueatriskcvaroptimization": (.classic, .cvar),
        "conditionalvalueatriskoptimization": (.classic, .cvar),
        "cvaroptimization": (.classic, .cvar),
        "blacklittermanmodel": (.blackLitterman, nil),
        "blacklitterman": (.blackLitterman, nil),
        "entropypooling": (.entropyPooling, nil),
        "factormodel": (.factorModel, nil),
        "rp": (.riskParity, nil),
        "riskparity": (.riskParity, nil),
        "equalriskcontribution": (.riskParity, nil),
        "riskbudgeting": (.riskParity, nil),
        "rrp": (.relaxedRiskParity, nil),
        "relaxedriskparity": (.relaxedRiskParity, nil),
        "frp": (.factorRiskParity, nil),
        "factorriskparity": (.factorRiskParity, nil),
        "worstcase": (.worstCase, nil),
        "worstcasemeanvariance": (.worstCase, nil),
        "orderedweightedaverage": (.orderedWeightedAverage, nil),
        "hierarchicalriskparity": (.hierarchicalRiskParity, nil),
        "hierarchicalriskparityhrp": (.hierarchicalRiskParity, nil),
        "hierarchicalequalriskcontribution": (.hierarchicalEqualRisk, nil),
        "nestedclusteredoptimization": (.nestedClusters, nil),
        "nestedclustersoptimization": (.nestedClusters, nil),
        "schurcomplement": (.schurComplement, nil),
        "schurcomplementary": (.schurComplement, nil),
        "equalweighted": (.equalWeight, nil),
        "naive": (.equalWeight, nil),
        "maximumdiversification": (.maximumDiversification, nil),
        "mostdiversified": (.maximumDiversification, nil),
        "maximumdecorrelation": (.maximumDecorrelation, nil),
        "benchmarktracking": (.benchmarkTracking, nil),
        "benchmarktracker": (.benchmarkTracking, nil),
        "nearoptimaldiversified": (.nearOptimal, nil),
        "resampledefficiency": (.resampled, nil),
    ]
}

/// What a portfolio is asked to be best at.
public enum ObjectiveName: String, Sendable, CaseIterable {
    case minimumRisk = "MinRisk"
    case utility = "Utility"
    case sharpe = "Sharpe"
    case maximumReturn = "MaxRet"
}

/// Whose definitions the figures follow.
public enum Convention: String, Sendable, CaseIterable {
    case riskfolio, skfolio, pypfopt
}

/// Days on which the assets trade; decides the default number of periods a year.
public enum TradingCalendar: String, Sendable, CaseIterable {
    case weekday
    case sevenDay = "seven_day"

    /// Daily periods a year.
    public var periodsPerYear: Double { self == .weekday ? 252 : 365 }
}

/// What happens to a date on which an asset has no figure.
public enum MissingPolicy: String, Sendable, CaseIterable {
    /// The date is left out for all assets, and the answer says how many were.
    case drop
    /// The last price is carried over the gap, up to a week (one bar of an asset that trades around the clock), never before the first price nor after
    /// the last; what is longer is left out as by `drop`.
    case forwardFill = "forward_fill"
}

/// What log growth replaces the mean return.
public enum KellyMode: String, Sendable, CaseIterable {
    case none, approx, exact
}

/// The axis on which the points of a frontier are evenly spaced.
public enum FrontierAxis: String, Sendable, CaseIterable {
    case risk
    case expectedReturn = "return"
}

/// Methods of `mean_estimator`, by Riskfolio-Lib's names.
public enum MeanMethod: String, Sendable, CaseIterable {
    case hist, ewma1, ewma2
    case jamesStein = "JS"
    case bayesStein = "BS"
    case bodnarOkhrinParolya = "BOP"
    case capitalAssetPricing = "CAPM"
    case equilibrium, custom
}

/// Methods of `covariance_estimator`, by Riskfolio-Lib's names.
public enum CovarianceMethod: String, Sendable, CaseIterable {
    case hist, semi, ewma1, ewma2, ledoit, oas, shrunk, gl, jlogo, fixed, spectral, shrink, gerber0, gerber1,
        gerber2
    /// Pairs of assets by the dates that both have.
    case pairwise
    case custom
}

/// What shrinkage of the mean aims at: the grand mean, the mean of the least variance, tr(S)/T.
public enum MeanTarget: String, Sendable, CaseIterable {
    case grandMean = "b1"
    case minimumVariance = "b2"
    case volatility = "b3"
}

/// What Ledoit-Wolf shrinkage of the covariance aims at.
public enum ShrinkageTarget: String, Sendable, CaseIterable {
    case identity
    case singleFactor = "single_factor"
    case constantCorrelation = "constant_correlation"
}

/// How a covariance with negative eigenvalues is mended.
public enum PSDRepair: String, Sendable, CaseIterable {
    case clip, higham
}
