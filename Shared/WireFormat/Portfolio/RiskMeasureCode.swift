/// The codes of risk measures, those of Riskfolio-Lib: the words of `risk_measure`, of `max_risk` and of metrics by name.
///
/// A measure is one file in `PortfolioModels/RiskMeasures`, one case here and one line in its registry.
public enum RiskMeasureCode: String, Sendable, CaseIterable, Hashable {
    case mv = "MV"
    case kt = "KT"
    case em = "EM"
    case mad = "MAD"
    case gmd = "GMD"
    case msv = "MSV"
    case skt = "SKT"
    case esm = "ESM"
    case flpm = "FLPM"
    case slpm = "SLPM"
    case valueAtRisk = "VaR"
    case cvar = "CVaR"
    case tailGini = "TG"
    case evar = "EVaR"
    case rlvar = "RLVaR"
    case worstRealisation = "WR"
    case valueAtRiskRange = "VRG"
    case cvarRange = "CVRG"
    case tailGiniRange = "TGRG"
    case evarRange = "EVRG"
    case rlvarRange = "RVRG"
    case range = "RG"
    case maximumDrawdown = "MDD"
    case averageDrawdown = "ADD"
    case drawdownAtRisk = "DaR"
    case cdar = "CDaR"
    case edar = "EDaR"
    case rldar = "RLDaR"
    case ulcerIndex = "UCI"
    case relativeMaximumDrawdown = "MDD_Rel"
    case relativeAverageDrawdown = "ADD_Rel"
    case relativeDrawdownAtRisk = "DaR_Rel"
    case relativeCDaR = "CDaR_Rel"
    case relativeEDaR = "EDaR_Rel"
    case relativeRLDaR = "RLDaR_Rel"
    case relativeUlcerIndex = "UCI_Rel"
}

extension RiskMeasureCode {
    /// Whether a convex program minimises the measure: all but the quantiles and the drawdowns of compounded value, which
    /// are not convex in the weights and serve for evaluation and for hierarchical splits only.
    public var isOptimisable: Bool {
        switch self {
        case .valueAtRisk, .valueAtRiskRange, .drawdownAtRisk, .relativeMaximumDrawdown, .relativeAverageDrawdown,
            .relativeDrawdownAtRisk, .relativeCDaR, .relativeEDaR, .relativeRLDaR, .relativeUlcerIndex:
            false
        default: true
        }
    }

    /// The measures that can be an objective or a ceiling, in the order of the registry.
    public static let optimisable = allCases.filter { $0.isOptimisable }
}
