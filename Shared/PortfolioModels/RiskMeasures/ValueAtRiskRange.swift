public import WireFormat

/// Value at risk range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// VRG(x) = VaR(x) + VaR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct ValueAtRiskRange: RangeMeasure {
    public static let code = RiskMeasureCode.valueAtRiskRange
    public static let title = "Value at risk range"
    public static let degree: Int? = 1

    public let losses: ValueAtRisk
    public let gains: ValueAtRisk

    public init(_ parameters: RiskParameters) {
        losses = ValueAtRisk(parameters)
        gains = ValueAtRisk(parameters.gainSide)
    }
}
