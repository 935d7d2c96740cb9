public import WireFormat

/// Range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// RG(x) = WR(x) + WR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct ReturnRange: RangeMeasure {
    public static let code = RiskMeasureCode.range
    public static let title = "Range"
    public static let degree: Int? = 1

    public let losses: WorstRealisation
    public let gains: WorstRealisation

    public init(_ parameters: RiskParameters) {
        losses = WorstRealisation(parameters)
        gains = WorstRealisation(parameters.gainSide)
    }
}

extension ReturnRange: ConvexRiskMeasure {}
