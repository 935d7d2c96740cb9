public import WireFormat

/// Conditional drawdown at risk of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// CVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct RelativeConditionalDrawdownAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.relativeCDaR
    public static let title = "Conditional drawdown at risk of compounded value"
    public static let degree: Int? = nil

    private let tail: ConditionalValueAtRisk

    public init(_ parameters: RiskParameters) { tail = ConditionalValueAtRisk(parameters) }

    public func value(of x: [Double]) -> Double {
        let series = DrawdownSeries(x, compounded: true)
        return tail.value(of: series.asReturns)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: true)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
