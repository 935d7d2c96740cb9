public import WireFormat

/// Entropic value at risk range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// EVRG(x) = EVaR(x) + EVaR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct EntropicValueAtRiskRange: RiskMeasure {
    public static let code = RiskMeasureCode.evarRange
    public static let title = "Entropic value at risk range"
    public static let degree: Int? = 1

    private let losses: EntropicValueAtRisk
    private let gains: EntropicValueAtRisk

    public init(_ parameters: RiskParameters) {
        losses = EntropicValueAtRisk(parameters)
        gains = EntropicValueAtRisk(parameters.gainSide)
    }

    public func value(of x: [Double]) -> Double {
        losses.value(of: x) + gains.value(of: x.map { -$0 })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        zip(losses.sensitivity(at: x), gains.sensitivity(at: x.map { -$0 })).map { $0 - $1 }
    }
}
