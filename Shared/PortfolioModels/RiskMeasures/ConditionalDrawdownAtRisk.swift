public import WireFormat

/// Conditional drawdown at risk, uncompounded.
///
/// ```
/// CVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct ConditionalDrawdownAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.cdar
    public static let title = "Conditional drawdown at risk"
    public static let degree: Int? = 1

    private let tail: ConditionalValueAtRisk

    public init(_ parameters: RiskParameters) { tail = ConditionalValueAtRisk(parameters) }

    public func value(of x: [Double]) -> Double {
        let series = DrawdownSeries(x, compounded: false)
        return tail.value(of: series.asReturns)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: false)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
