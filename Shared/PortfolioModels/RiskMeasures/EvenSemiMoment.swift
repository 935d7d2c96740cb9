import ConvexSolver
public import WireFormat

/// Even semi-moment, a measure of degree two.
///
/// ```
/// ESM(x) = ( (1/T) sum_t min(x_t - mean, 0)^(2p) )^(1/p)
/// ```
/// Source: D. Cajas (2022), Convex Optimization of Portfolio Kurtosis, SSRN 4202967.
public struct EvenSemiMoment: RiskMeasure {
    public static let code = RiskMeasureCode.esm
    public static let title = "Even semi-moment"
    public static let degree: Int? = 2

    private let moment: EvenPowerMean

    public init(_ parameters: RiskParameters) { moment = EvenPowerMean(power: parameters.power) }

    public func value(of x: [Double]) -> Double {
        moment.value(of: SeriesMath.centred(x).map { min($0, 0) })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        SeriesMath.throughMean(moment.slope(at: SeriesMath.centred(x).map { min($0, 0) }))
    }
}

extension EvenSemiMoment: ConvexRiskMeasure {
    /// Smooth and of degree two; no comoments are formed.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        RiskFormulation(pieces: [
            .init(
                part: .scenarios(
                    .powerMean(
                        cost: program.model.probabilities, power: 2 * moment.power, isOneSided: true, scale: program.scale),
                    .rows(program.centredRows(sign: 1))),
                basis: .centred(sign: 1), envelope: .gradient)
        ])
    }
}
