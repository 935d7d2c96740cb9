public import WireFormat

/// Ulcer index of compounded value, DD_t as a fraction of the peak; not homogeneous.
///
/// ```
/// sqrt( (1/T) sum_t DD_t^2 )
/// ```
/// with DD as in `DrawdownSeries`. Source: P. Martin, B. McCann (1989), The Investor's Guide to Fidelity Funds.
public struct RelativeUlcerIndex: RiskMeasure {
    public static let code = RiskMeasureCode.relativeUlcerIndex
    public static let title = "Ulcer index of compounded value"
    public static let degree: Int? = nil

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.rootMeanSquare(series.compoundedDrawdowns.depth, divisor: Double(max(series.count, 1)))
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: true)
        let scale = Double(max(x.count, 1)) * value(of: x)
        return series.throughReturns(series.depth.map { scale > 0 ? $0 / scale : 0 })
    }
}
