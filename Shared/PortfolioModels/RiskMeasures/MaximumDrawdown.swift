public import WireFormat

/// Maximum drawdown, uncompounded.
///
/// ```
/// max_t DD_t
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct MaximumDrawdown: RiskMeasure {
    public static let code = RiskMeasureCode.maximumDrawdown
    public static let title = "Maximum drawdown"
    public static let degree: Int? = 1

    private let tail: WorstRealisation

    public init(_ parameters: RiskParameters) { tail = WorstRealisation(parameters) }

    public func value(of x: [Double]) -> Double {
        let series = DrawdownSeries(x, compounded: false)
        return tail.value(of: series.asReturns)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: false)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
