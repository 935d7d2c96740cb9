public import WireFormat

/// Entropic drawdown at risk of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// EVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: D. Cajas (2021), Entropic Portfolio Optimization: a Disciplined Convex Programming Framework, SSRN 3792520.
public struct RelativeEntropicDrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.relativeEDaR
    public static let title = "Entropic drawdown at risk of compounded value"
    public static let degree: Int? = nil
    public static let isCompounded = true

    public let tail: EntropicValueAtRisk

    public init(_ parameters: RiskParameters) { tail = EntropicValueAtRisk(parameters) }
}
