public import WireFormat

/// Value at risk.
///
/// ```
/// VaR(x) = -x_(k),  k = ceil(alpha T)
/// ```
/// with `x_(1) <= ... <= x_(T)`. Source: J.P. Morgan (1996), RiskMetrics Technical Document, 4th edition.
public struct ValueAtRisk: OrderedWeightedAverage {
    public static let code = RiskMeasureCode.valueAtRisk
    public static let title = "Value at risk"
    public static let degree: Int? = 1
    public static let canBeNegative = true

    private let alpha: Double

    public init(_ parameters: RiskParameters) { alpha = parameters.alpha }

    public func coefficients(count: Int) -> [Double] {
        TailCoefficients.valueAtRisk(alpha: alpha, count: count)
    }
}
