import ConvexSolver
public import WireFormat

/// Average drawdown, uncompounded.
///
/// ```
/// (1/T) sum_t DD_t
/// ```
/// with DD as in `DrawdownSeries`. Source: A. Chekhlov, S. Uryasev, M. Zabarankin (2005), Drawdown Measure in Portfolio Optimization, IJTAF 8(1).
public struct AverageDrawdown: RiskMeasure {
    public static let code = RiskMeasureCode.averageDrawdown
    public static let title = "Average drawdown"
    public static let degree: Int? = 1

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.mean(series.drawdowns.depth)
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: false)
        return series.throughReturns(x.map { _ in 1 / Double(x.count) })
    }
}

extension AverageDrawdown: ConvexRiskMeasure {
    static let startsNearVariance: Set<ObjectiveName> = [.sharpe]

    /// The mean over the ladder of drawdowns. Series: up to 1/T a period.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let cost = program.model.probabilities
        return RiskFormulation(pieces: [
            .init(
                part: .drawdowns(.sum(cost: cost), program.model.rows(1, program.weights), shifts: []),
                basis: .drawdowns, envelope: .capped(cost, total: nil))
        ])
    }
}
