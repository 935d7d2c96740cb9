public import WireFormat

/// Worst realisation.
///
/// ```
/// WR(x) = -min_t x_t
/// ```
/// with `x_(1) <= ... <= x_(T)`. Source: M. Young (1998), A Minimax Portfolio Selection Rule with Linear Programming Solution, Management Science 44(5).
public struct WorstRealisation: RiskMeasure {
    public static let code = RiskMeasureCode.worstRealisation
    public static let title = "Worst realisation"
    public static let degree: Int? = 1

    public init(_ parameters: RiskParameters) {}

    public func value(of x: [Double]) -> Double {
        OrderStatistics(x).sum(coefficients(x))
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        OrderStatistics(x).spread(coefficients(x))
    }

    private func coefficients(_ x: [Double]) -> [Double] {
        x.isEmpty ? [] : [-1]
    }
}
