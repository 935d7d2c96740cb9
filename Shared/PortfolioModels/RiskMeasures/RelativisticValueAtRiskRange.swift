public import WireFormat

/// Relativistic value at risk range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// RVRG(x) = RLVaR(x) + RLVaR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct RelativisticValueAtRiskRange: RangeMeasure {
    public static let code = RiskMeasureCode.rlvarRange
    public static let title = "Relativistic value at risk range"
    public static let degree: Int? = 1

    public let losses: RelativisticValueAtRisk
    public let gains: RelativisticValueAtRisk

    public init(_ parameters: RiskParameters) {
        losses = RelativisticValueAtRisk(parameters)
        gains = RelativisticValueAtRisk(parameters.gainSide)
    }
}

extension RelativisticValueAtRiskRange: ConvexRiskMeasure {}
