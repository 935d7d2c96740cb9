public import WireFormat

/// Maximum drawdown, uncompounded.
///
/// ```
/// max_t DD_t
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct MaximumDrawdown: DrawdownTailMeasure {
    public static let code = RiskMeasureCode.maximumDrawdown
    public static let title = "Maximum drawdown"
    public static let degree: Int? = 1
    public static let isCompounded = false

    public let tail: WorstRealisation

    public init(_ parameters: RiskParameters) { tail = WorstRealisation(parameters) }
}

extension MaximumDrawdown: ConvexRiskMeasure {}
