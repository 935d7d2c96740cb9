import ConvexSolver
public import WireFormat

/// Standard deviation, the reported risk of mean-variance portfolios.
///
/// ```
/// MV(x) = sqrt( sum_t (x_t - mean)^2 / (T - 1) )
/// ```
/// Source: H. Markowitz (1952), Portfolio Selection, Journal of Finance 7(1).
public struct StandardDeviation: RiskMeasure {
    public static let code = RiskMeasureCode.mv
    public static let title = "Standard deviation"
    public static let degree: Int? = 1

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.rootMeanSquare(series.deviations, divisor: SeriesMath.degreesOfFreedom(series.values))
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let deviations = SeriesMath.centred(x)
        let divisor = SeriesMath.degreesOfFreedom(x)
        let risk = SeriesMath.rootMeanSquare(deviations, divisor: divisor)
        return SeriesMath.throughMean(deviations.map { risk > 0 ? $0 / (divisor * risk) : 0 })
    }
}

extension StandardDeviation: ConvexRiskMeasure {
    /// Half a sum of squares over a scale and half the scale; smooth wherever there is risk.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let cost = program.probabilities(times: program.model.unbiased)
        let root = program.program.addVariable(lower: 0, start: program.rootMeanSquare(program.centredStart))
        return RiskFormulation(
            linear: [.init(root, 0.5)],
            pieces: [
                .init(
                    part: .scenarios(
                        .rootOfSquares(cost: cost, scale: root), .rows(program.centredRows(sign: 1))),
                    basis: .centred(sign: 1), envelope: .gradient)
            ])
    }
}
