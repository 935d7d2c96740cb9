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

    public init(_ parameters: RiskParameters) {}

    public func coefficients(count: Int) -> [Double] {
        count == 0 ? [] : [-1]
    }
}
