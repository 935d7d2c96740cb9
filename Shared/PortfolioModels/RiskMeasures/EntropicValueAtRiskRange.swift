public import WireFormat

/// Entropic value at risk range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// EVRG(x) = EVaR(x) + EVaR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct EntropicValueAtRiskRange: RangeMeasure {
    public static let code = RiskMeasureCode.evarRange
    public static let title = "Entropic value at risk range"
    public static let degree: Int? = 1

    public let losses: EntropicValueAtRisk
    public let gains: EntropicValueAtRisk

    public init(_ parameters: RiskParameters) {
        losses = EntropicValueAtRisk(parameters)
        gains = EntropicValueAtRisk(parameters.gainSide)
    }
}

extension EntropicValueAtRiskRange: ConvexRiskMeasure {}
