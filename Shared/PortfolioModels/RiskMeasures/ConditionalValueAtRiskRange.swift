public import WireFormat

/// Conditional value at risk range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// CVRG(x) = CVaR(x) + CVaR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct ConditionalValueAtRiskRange: RangeMeasure {
    public static let code = RiskMeasureCode.cvarRange
    public static let title = "Conditional value at risk range"
    public static let degree: Int? = 1

    public let losses: ConditionalValueAtRisk
    public let gains: ConditionalValueAtRisk

    public init(_ parameters: RiskParameters) {
        losses = ConditionalValueAtRisk(parameters)
        gains = ConditionalValueAtRisk(parameters.gainSide)
    }
}

extension ConditionalValueAtRiskRange: ConvexRiskMeasure {}
