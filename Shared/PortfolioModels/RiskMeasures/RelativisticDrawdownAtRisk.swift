public import WireFormat

/// Relativistic drawdown at risk, uncompounded.
///
/// ```
/// RLVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: D. Cajas (2023), Portfolio Optimization of Relativistic Value at Risk, SSRN 4378498.
public struct RelativisticDrawdownAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.rldar
    public static let title = "Relativistic drawdown at risk"
    public static let degree: Int? = 1

    private let tail: RelativisticValueAtRisk

    public init(_ parameters: RiskParameters) { tail = RelativisticValueAtRisk(parameters) }

    public func value(of x: [Double]) -> Double {
        let series = DrawdownSeries(x, compounded: false)
        return tail.value(of: series.asReturns)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: false)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
