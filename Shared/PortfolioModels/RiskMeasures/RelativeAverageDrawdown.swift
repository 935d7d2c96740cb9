public import WireFormat

/// Average drawdown of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// (1/T) sum_t DD_t
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct RelativeAverageDrawdown: RiskMeasure {
    public static let code = RiskMeasureCode.relativeAverageDrawdown
    public static let title = "Average drawdown of compounded value"
    public static let degree: Int? = nil

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.mean(series.compoundedDrawdowns.depth)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: true)
        return series.throughReturns(x.map { _ in 1 / Double(x.count) })
    }
}
