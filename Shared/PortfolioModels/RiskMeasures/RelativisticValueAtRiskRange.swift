public import WireFormat

/// Relativistic value at risk range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// RVRG(x) = RLVaR(x) + RLVaR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct RelativisticValueAtRiskRange: RiskMeasure {
    public static let code = RiskMeasureCode.rlvarRange
    public static let title = "Relativistic value at risk range"
    public static let degree: Int? = 1

    private let losses: RelativisticValueAtRisk
    private let gains: RelativisticValueAtRisk

    public init(_ parameters: RiskParameters) {
        losses = RelativisticValueAtRisk(parameters)
        gains = RelativisticValueAtRisk(parameters.gainSide)
    }

    public func value(of x: [Double]) -> Double {
        losses.value(of: x) + gains.value(of: x.map { -$0 })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        zip(losses.sensitivity(at: x), gains.sensitivity(at: x.map { -$0 })).map { $0 - $1 }
    }
}
