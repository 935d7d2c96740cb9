public import WireFormat

/// Drawdown at risk, uncompounded.
///
/// ```
/// VaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct DrawdownAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.drawdownAtRisk
    public static let title = "Drawdown at risk"
    public static let degree: Int? = 1

    private let tail: ValueAtRisk

    public init(_ parameters: RiskParameters) { tail = ValueAtRisk(parameters) }

    public func value(of x: [Double]) -> Double {
        let series = DrawdownSeries(x, compounded: false)
        return tail.value(of: series.asReturns)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: false)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
