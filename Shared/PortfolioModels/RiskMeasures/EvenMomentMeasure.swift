import ConvexSolver
import WireFormat

/// A power mean of the deviations from the mean, of degree two: kurtosis and its kin, both-sided or of the downside alone.
///
/// Smooth, and formulated without any comoments.
protocol EvenMomentMeasure: ConvexRiskMeasure {
    var moment: EvenPowerMean { get }
    /// Whether only returns below the mean count.
    static var isOneSided: Bool { get }
}

extension EvenMomentMeasure {
    private func counted(_ deviations: [Double]) -> [Double] {
        Self.isOneSided ? deviations.map { min($0, 0) } : deviations
    }

    public func value(of series: ReturnSeries) -> Double { moment.value(of: counted(series.deviations)) }

    public func sensitivity(at x: [Double]) -> [Double] {
        SeriesMath.throughMean(moment.slope(at: counted(SeriesMath.centred(x))))
    }

    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let shape = CompositeProgram.Shape.powerMean(
            cost: program.model.probabilities, power: 2 * moment.power, isOneSided: Self.isOneSided,
            scale: program.scale)
        return RiskFormulation(pieces: [
            .init(
                part: .scenarios(shape, .rows(program.centredRows(sign: 1))), basis: .centred(sign: 1),
                envelope: .gradient)
        ])
    }
}
