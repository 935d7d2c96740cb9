import ConvexSolver
public import WireFormat

/// Mean absolute deviation from the mean.
///
/// ```
/// MAD(x) = (1/T) sum_t |x_t - mean|
/// ```
/// Source: H. Konno, H. Yamazaki (1991), Mean-Absolute Deviation Portfolio Optimization Model, Management Science 37(5).
public struct MeanAbsoluteDeviation: RiskMeasure {
    public static let code = RiskMeasureCode.mad
    public static let title = "Mean absolute deviation"
    public static let degree: Int? = 1

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.mean(series.deviations.map { abs($0) })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let share = 1 / Double(max(x.count, 1))
        return SeriesMath.throughMean(SeriesMath.centred(x).map { $0 > 0 ? share : ($0 < 0 ? -share : 0) })
    }
}

extension MeanAbsoluteDeviation: ConvexRiskMeasure {
    static let startsNearVariance: Set<ObjectiveName> = [.minimumRisk, .sharpe]

    /// Twice the mean of the part below the mean: half the rows of the two-sided form. Series: 0 <= q <= 2/T.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let cost = program.probabilities(times: 2)
        return RiskFormulation(pieces: [
            .init(
                part: .scenarios(.linear(cost: cost, reflection: 0), .rows(program.centredRows(sign: -1))),
                basis: .centred(sign: -1), envelope: .capped(cost, total: nil))
        ])
    }
}
