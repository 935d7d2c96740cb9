public import WireFormat

/// Entropic drawdown at risk, uncompounded.
///
/// ```
/// EVaR(-DD)
/// ```
/// with DD as in `DrawdownSeries`. Source: D. Cajas (2021), Entropic Portfolio Optimization: a Disciplined Convex Programming Framework, SSRN 3792520.
public struct EntropicDrawdownAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.edar
    public static let title = "Entropic drawdown at risk"
    public static let degree: Int? = 1

    private let tail: EntropicValueAtRisk

    public init(_ parameters: RiskParameters) { tail = EntropicValueAtRisk(parameters) }

    public func value(of x: [Double]) -> Double {
        let series = DrawdownSeries(x, compounded: false)
        return tail.value(of: series.asReturns)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: false)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
