/// The range form of a measure: that of the losses plus that of the gains, `rho(x) + rho(-x)`.
public protocol RangeMeasure: RiskMeasure {
    associatedtype Side: RiskMeasure
    /// The measure on the loss side.
    var losses: Side { get }
    /// The measure on the gain side, with parameters of its own.
    var gains: Side { get }
}

extension RangeMeasure {
    /// Both sides added.
    public func value(of series: ReturnSeries) -> Double {
        losses.value(of: series) + gains.value(of: series.turned)
    }

    /// The difference of the sides' sensitivities: the gain side sees the series turned over.
    public func sensitivity(at x: [Double]) -> [Double] {
        zip(losses.sensitivity(at: x), gains.sensitivity(at: x.map { -$0 })).map { $0 - $1 }
    }
}
