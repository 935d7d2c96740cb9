public import WireFormat

/// Value at risk range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// VRG(x) = VaR(x) + VaR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct ValueAtRiskRange: RiskMeasure {
    public static let code = RiskMeasureCode.valueAtRiskRange
    public static let title = "Value at risk range"
    public static let degree: Int? = 1

    private let losses: ValueAtRisk
    private let gains: ValueAtRisk

    public init(_ parameters: RiskParameters) {
        losses = ValueAtRisk(parameters)
        gains = ValueAtRisk(parameters.gainSide)
    }

    public func value(of x: [Double]) -> Double {
        losses.value(of: x) + gains.value(of: x.map { -$0 })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        zip(losses.sensitivity(at: x), gains.sensitivity(at: x.map { -$0 })).map { $0 - $1 }
    }
}
