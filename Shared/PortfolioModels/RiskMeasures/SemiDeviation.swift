import ConvexSolver
public import WireFormat

/// Semi-deviation below the mean.
///
/// ```
/// MSV(x) = sqrt( sum_t min(x_t - mean, 0)^2 / (T - 1) )
/// ```
/// Source: H. Markowitz (1959), Portfolio Selection: Efficient Diversification of Investments, chapter IX.
public struct SemiDeviation: RiskMeasure {
    public static let code = RiskMeasureCode.msv
    public static let title = "Semi-deviation"
    public static let degree: Int? = 1

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.rootMeanSquare(
            series.deviations.map { min($0, 0) }, divisor: SeriesMath.degreesOfFreedom(series.values))
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let below = SeriesMath.centred(x).map { min($0, 0) }
        let divisor = SeriesMath.degreesOfFreedom(x)
        let risk = SeriesMath.rootMeanSquare(below, divisor: divisor)
        return SeriesMath.throughMean(below.map { risk > 0 ? $0 / (divisor * risk) : 0 })
    }
}

extension SemiDeviation: ConvexRiskMeasure {
    /// Half a root of a sum of squares and half its scale. Series: q >= 0, sum q^2 / weights <= 1.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let cost = program.probabilities(times: program.model.unbiased)
        let root = program.program.addVariable(
            lower: RiskProgram.leastRoot, start: program.rootMeanSquare(program.centredStart.map { min($0, 0) }))
        return RiskFormulation(
            linear: [.init(root, 0.5)],
            pieces: [
                .init(
                    part: .scenarios(
                        .square(cost: cost, reflection: 0, scale: root), .rows(program.centredRows(sign: -1))),
                    basis: .centred(sign: -1), envelope: .ellipsoid(cost))
            ])
    }
}
