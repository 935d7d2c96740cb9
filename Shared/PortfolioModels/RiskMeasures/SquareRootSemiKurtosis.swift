import ConvexSolver
public import WireFormat

/// Square root semi-kurtosis, a measure of degree two.
///
/// ```
/// SKT(x) = sqrt( (1/T) sum_t min(x_t - mean, 0)^4 )
/// ```
/// Source: D. Cajas (2022), Convex Optimization of Portfolio Kurtosis, SSRN 4202967.
public struct SquareRootSemiKurtosis: RiskMeasure {
    public static let code = RiskMeasureCode.skt
    public static let title = "Square root semi-kurtosis"
    public static let degree: Int? = 2

    private let moment: EvenPowerMean

    public init(_ parameters: RiskParameters) { moment = EvenPowerMean(power: 2) }

    public func value(of x: [Double]) -> Double {
        moment.value(of: SeriesMath.centred(x).map { min($0, 0) })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        SeriesMath.throughMean(moment.slope(at: SeriesMath.centred(x).map { min($0, 0) }))
    }
}

extension SquareRootSemiKurtosis: ConvexRiskMeasure {
    /// Smooth and of degree two; no comoments are formed.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        RiskFormulation(pieces: [
            .init(
                part: .scenarios(
                    .powerMean(
                        cost: program.model.probabilities, power: 4, isOneSided: true, scale: program.scale),
                    .rows(program.centredRows(sign: 1))),
                basis: .centred(sign: 1), envelope: .gradient)
        ])
    }
}
