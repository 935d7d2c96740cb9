public import WireFormat

/// Drawdown at risk, uncompounded.
///
/// ```
/// VaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct DrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.drawdownAtRisk
    public static let title = "Drawdown at risk"
    public static let degree: Int? = 1
    public static let isCompounded = false

    public let tail: ValueAtRisk

    public init(_ parameters: RiskParameters) { tail = ValueAtRisk(parameters) }
}
