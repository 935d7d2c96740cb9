public import WireFormat

/// Conditional drawdown at risk of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// CVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct RelativeConditionalDrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.relativeCDaR
    public static let title = "Conditional drawdown at risk of compounded value"
    public static let degree: Int? = nil
    public static let isCompounded = true

    public let tail: ConditionalValueAtRisk

    public init(_ parameters: RiskParameters) { tail = ConditionalValueAtRisk(parameters) }
}
