public import WireFormat

/// Maximum drawdown of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// max_t DD_t
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct RelativeMaximumDrawdown: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.relativeMaximumDrawdown
    public static let title = "Maximum drawdown of compounded value"
    public static let degree: Int? = nil
    public static let isCompounded = true

    public let tail: WorstRealisation

    public init(_ parameters: RiskParameters) { tail = WorstRealisation(parameters) }
}
