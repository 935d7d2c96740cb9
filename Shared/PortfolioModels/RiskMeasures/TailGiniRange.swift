public import WireFormat

/// Tail Gini range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// TGRG(x) = TG(x) + TG(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct TailGiniRange: RangeMeasure {
    public static let code = RiskMeasureCode.tailGiniRange
    public static let title = "Tail Gini range"
    public static let degree: Int? = 1

    public let losses: TailGini
    public let gains: TailGini

    public init(_ parameters: RiskParameters) {
        losses = TailGini(parameters)
        gains = TailGini(parameters.gainSide)
    }
}
