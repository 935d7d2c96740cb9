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
        "riskparity": (.riskParity, nil),
        "hierarchicalriskparity": (.hierarchicalRiskParity, nil),
        "hierarchicalriskparityhrp": (.hierarchicalRiskParity, nil),
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
}

/// Methods of `covariance_estimator`, by Riskfolio-Lib's names.
public enum CovarianceMethod: String, Sendable, CaseIterable {
    case hist, semi, ewma1, ewma2, ledoit, oas, shrunk, gl, jlogo, fixed, spectral, shrink, gerber1, gerber2
}
