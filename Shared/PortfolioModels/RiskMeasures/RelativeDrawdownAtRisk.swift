public import WireFormat

/// Drawdown at risk of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// VaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct RelativeDrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.relativeDrawdownAtRisk
    public static let title = "Drawdown at risk of compounded value"
    public static let degree: Int? = nil
    public static let isCompounded = true

    public let tail: ValueAtRisk

    public init(_ parameters: RiskParameters) { tail = ValueAtRisk(parameters) }
}
