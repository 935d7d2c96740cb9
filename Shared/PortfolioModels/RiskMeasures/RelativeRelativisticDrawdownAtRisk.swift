public import WireFormat

/// Relativistic drawdown at risk of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// RLVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: D. Cajas (2023), Portfolio Optimization of Relativistic Value at Risk, SSRN 4378498.
public struct RelativeRelativisticDrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.relativeRLDaR
    public static let title = "Relativistic drawdown at risk of compounded value"
    public static let degree: Int? = nil
    public static let isCompounded = true

    public let tail: RelativisticValueAtRisk

    public init(_ parameters: RiskParameters) { tail = RelativisticValueAtRisk(parameters) }
}
