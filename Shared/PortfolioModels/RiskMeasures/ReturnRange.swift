public import WireFormat

/// Range: the loss side plus the gain side, each with its own parameters.
///
/// ```
/// RG(x) = WR(x) + WR(-x)
/// ```
/// Source: D. Cajas (2021), OWA Portfolio Optimization: A Disciplined Convex Programming Framework, SSRN 3988927.
public struct ReturnRange: RiskMeasure {
    public static let code = RiskMeasureCode.range
    public static let title = "Range"
    public static let degree: Int? = 1

    private let losses: WorstRealisation
    private let gains: WorstRealisation

    public init(_ parameters: RiskParameters) {
        losses = WorstRealisation(parameters)
        gains = WorstRealisation(parameters.gainSide)
    }

    public func value(of x: [Double]) -> Double {
        losses.value(of: x) + gains.value(of: x.map { -$0 })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        zip(losses.sensitivity(at: x), gains.sensitivity(at: x.map { -$0 })).map { $0 - $1 }
    }
}
