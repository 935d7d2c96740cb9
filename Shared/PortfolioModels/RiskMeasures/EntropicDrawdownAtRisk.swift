public import WireFormat

/// Entropic drawdown at risk, uncompounded.
///
/// ```
/// EVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: D. Cajas (2021), Entropic Portfolio Optimization: a Disciplined Convex Programming Framework, SSRN 3792520.
public struct EntropicDrawdownAtRisk: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.edar
    public static let title = "Entropic drawdown at risk"
    public static let degree: Int? = 1
    public static let isCompounded = false

    public let tail: EntropicValueAtRisk

    public init(_ parameters: RiskParameters) { tail = EntropicValueAtRisk(parameters) }
}

extension EntropicDrawdownAtRisk: ConvexRiskMeasure {
    static let startsNearVariance: Set<ObjectiveName> = [.sharpe]
}
