public import WireFormat

/// Gini mean difference: the mean absolute difference of all pairs of periods.
///
/// ```
/// GMD(x) = sum_i 2 (2i - 1 - T) / (T (T - 1)) x_(i),  x_(1) <= ... <= x_(T)
/// ```
/// Source: S. Yitzhaki (1982), Stochastic Dominance, Mean Variance, and Gini's Mean Difference, American Economic Review 72(1).
public struct GiniMeanDifference: OrderedWeightedAverage {
    public static let code = RiskMeasureCode.gmd
    public static let title = "Gini mean difference"
    public static let degree: Int? = 1

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        // On deviations: the coefficients add up to zero, and a level shift must not cost digits.
        zip(coefficients(count: series.count), SeriesMath.centred(series.ascending)).reduce(0) { $0 + $1.0 * $1.1 }
    }

    public func coefficients(count: Int) -> [Double] {
        guard count > 1 else { return [Double](repeating: 0, count: count) }
        let pairs = Double(count) * Double(count - 1)
        return (1...count).map { 2 * Double(2 * $0 - 1 - count) / pairs }
    }
}
