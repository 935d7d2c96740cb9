import ConvexSolver
public import WireFormat

/// Conditional value at risk.
///
/// ```
/// CVaR(x) = VaR + sum_{i<=k} (x_(k) - x_(i)) / (alpha T),  k = ceil(alpha T)
/// ```
/// with `x_(1) <= ... <= x_(T)`. Source: R.T. Rockafellar, S. Uryasev (2000), Optimization of Conditional Value-at-Risk, Journal of Risk 2(3).
public struct ConditionalValueAtRisk: OrderedWeightedAverage {
    public static let code = RiskMeasureCode.cvar
    public static let title = "Conditional value at risk"
    public static let degree: Int? = 1
    public static let canBeNegative = true

    private let alpha: Double

    public init(_ parameters: RiskParameters) { alpha = parameters.alpha }

    public func coefficients(count: Int) -> [Double] {
        TailCoefficients.conditional(alpha: alpha, count: count)
    }
}

extension ConditionalValueAtRisk: TailFormulation {
    func ranks(count: Int) -> Int? { TailCoefficients.rank(alpha: alpha, count: count) }

    /// A quantile and the hinge above it. Series: 0 <= q <= p/alpha, adding up to one.
    func tail(over argument: [Double], in program: inout RiskProgram) -> TailPiece {
        let cost = program.probabilities(times: 1 / alpha)
        let quantile = program.program.addVariable(start: program.upperQuantile(argument, alpha))
        return TailPiece(
            linear: [.init(quantile, 1)], shape: .linear(cost: cost, reflection: 0), quantile: quantile,
            envelope: .capped(cost, total: 1))
    }
}
