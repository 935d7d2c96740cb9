public import WireFormat

/// Relativistic drawdown at risk, uncompounded.
///
/// ```
/// RLVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: D. Cajas (2023), Portfolio Optimization of Relativistic Value at Risk, SSRN 4378498.
public struct RelativisticDrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.rldar
    public static let title = "Relativistic drawdown at risk"
    public static let degree: Int? = 1
    public static let isCompounded = false

    public let tail: RelativisticValueAtRisk

    public init(_ parameters: RiskParameters) { tail = RelativisticValueAtRisk(parameters) }
}

extension RelativisticDrawdownAtRisk: ConvexRiskMeasure {
    static let startsNearVariance: Set<ObjectiveName> = [.sharpe]
}
