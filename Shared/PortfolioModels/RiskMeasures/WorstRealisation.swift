import ConvexSolver
public import WireFormat

/// Worst realisation.
///
/// ```
/// WR(x) = -min_t x_t
/// ```
/// with `x_(1) <= ... <= x_(T)`. Source: M. Young (1998), A Minimax Portfolio Selection Rule with Linear Programming Solution, Management Science 44(5).
public struct WorstRealisation: OrderedWeightedAverage {
    public static let code = RiskMeasureCode.worstRealisation
    public static let title = "Worst realisation"
    public static let degree: Int? = 1
    public static let canBeNegative = true

    public init(_ parameters: RiskParameters) {}

    public func coefficients(count: Int) -> [Double] {
        count == 0 ? [] : [-1]
    }
}

extension WorstRealisation: TailFormulation {
    func ranks(count: Int) -> Int? { 1 }

    /// A level that no scenario exceeds. Series: q >= 0, adding up to one.
    func tail(over argument: [Double], in program: inout RiskProgram) -> TailPiece {
        let most = argument.max() ?? 0
        let level = program.program.addVariable(start: most + 0.2 * abs(most) + 1e-3)
        return TailPiece(
            linear: [.init(level, 1)], shape: .hard, quantile: level,
            envelope: .capped(program.repeated(1), total: 1))
    }
}
