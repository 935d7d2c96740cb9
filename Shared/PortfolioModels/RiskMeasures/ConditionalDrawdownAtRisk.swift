public import WireFormat

/// Conditional drawdown at risk, uncompounded.
///
/// ```
/// CVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct ConditionalDrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.cdar
    public static let title = "Conditional drawdown at risk"
    public static let degree: Int? = 1
    public static let isCompounded = false

    public let tail: ConditionalValueAtRisk

    public init(_ parameters: RiskParameters) { tail = ConditionalValueAtRisk(parameters) }
}

extension ConditionalDrawdownAtRisk: ConvexRiskMeasure {}
