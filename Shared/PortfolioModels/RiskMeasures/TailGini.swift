public import WireFormat

/// Tail Gini.
///
/// ```
/// TG(x) = sum_i c_i CVaR_{a_i}(x),  a_1 < ... < a_m evenly spaced from 0.0001 to alpha
/// c_1 = a_2 a_1 / alpha^2,  c_i = (a_{i+1} - a_{i-1}) a_i / alpha^2,  c_m = (a_m - a_{m-1}) / alpha
/// ```
/// with `x_(1) <= ... <= x_(T)`. Source: W. Ogryczak, A. Ruszczynski (2002), Dual Stochastic Dominance and Quantile Risk Measures, Intl. Trans. in Op. Res. 9(5).
public struct TailGini: OrderedWeightedAverage {
    public static let code = RiskMeasureCode.tailGini
    public static let title = "Tail Gini"
    public static let degree: Int? = 1
    public static let canBeNegative = true

    private let alpha: Double
    private let levels: Int

    public init(_ parameters: RiskParameters) {
        alpha = parameters.alpha
        levels = parameters.levels
    }

    /// The CVaR levels that it mixes, and what each counts.
    var mixture: [(alpha: Double, weight: Double)] { TailCoefficients.tailGiniMixture(alpha: alpha, levels: levels) }

    public func coefficients(count: Int) -> [Double] {
        TailCoefficients.tailGini(alpha: alpha, levels: levels, count: count)
    }
}
