public import WireFormat

/// Tail Gini range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// TGRG(x) = TG(x) + TG(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct TailGiniRange: RiskMeasure {
    public static let code = RiskMeasureCode.tailGiniRange
    public static let title = "Tail Gini range"
    public static let degree: Int? = 1

    private let losses: TailGini
    private let gains: TailGini

    public init(_ parameters: RiskParameters) {
        losses = TailGini(parameters)
        gains = TailGini(parameters.gainSide)
    }

    public func value(of x: [Double]) -> Double {
        losses.value(of: x) + gains.value(of: x.map { -$0 })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        zip(losses.sensitivity(at: x), gains.sensitivity(at: x.map { -$0 })).map { $0 - $1 }
    }
}
