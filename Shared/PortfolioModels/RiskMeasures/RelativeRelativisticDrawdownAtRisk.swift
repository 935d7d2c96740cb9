public import WireFormat

/// Relativistic drawdown at risk of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// RLVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: D. Cajas (2023), Portfolio Optimization of Relativistic Value at Risk, SSRN 4378498.
public struct RelativeRelativisticDrawdownAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.relativeRLDaR
    public static let title = "Relativistic drawdown at risk of compounded value"
    public static let degree: Int? = nil

    private let tail: RelativisticValueAtRisk

    public init(_ parameters: RiskParameters) { tail = RelativisticValueAtRisk(parameters) }

    public func value(of x: [Double]) -> Double {
        let series = DrawdownSeries(x, compounded: true)
        return tail.value(of: series.asReturns)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: true)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
