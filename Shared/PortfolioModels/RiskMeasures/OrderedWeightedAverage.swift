/// A measure that is a weighted sum of the order statistics: `sum_i c_i x_(i)`, `x_(1) <= ... <= x_(T)`.
public protocol OrderedWeightedAverage: RiskMeasure {
    /// The coefficients of a series of `count` returns, from the worst on; those left out at the end are zero.
    func coefficients(count: Int) -> [Double]
}

extension OrderedWeightedAverage {
    /// The weighted sum.
    public func value(of series: ReturnSeries) -> Double {
        let coefficients = coefficients(count: series.count)
        return zip(coefficients, series.lowest(coefficients.count)).reduce(0) { $0 + $1.0 * $1.1 }
    }

    /// Each coefficient at the period that holds its rank.
    public func sensitivity(at x: [Double]) -> [Double] {
        let coefficients = coefficients(count: x.count)
        var slope = [Double](repeating: 0, count: x.count)
        for (t, c) in zip(OrderStatistics.smallestPlaces(coefficients.count, of: x), coefficients) { slope[t] = c }
        return slope
    }
}
