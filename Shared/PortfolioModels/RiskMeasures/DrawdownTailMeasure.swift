/// A measure of a series of returns, applied to the drawdowns of the series: `tail(-DD)`.
public protocol DrawdownTailMeasure: RiskMeasure {
    associatedtype Tail: RiskMeasure
    /// Whether drawdowns are of the compounded value, as a fraction of the peak.
    static var isCompounded: Bool { get }
    /// The measure that the negated drawdowns are put through as if they were returns.
    var tail: Tail { get }
}

extension DrawdownTailMeasure {
    /// The tail measure of the negated drawdowns.
    public func value(of series: ReturnSeries) -> Double {
        tail.value(of: series.negatedDrawdowns(compounded: Self.isCompounded))
    }

    /// The chain rule through the drawdowns.
    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: Self.isCompounded)
        return series.throughReturns(tail.sensitivity(at: series.asReturns).map { -$0 })
    }
}
