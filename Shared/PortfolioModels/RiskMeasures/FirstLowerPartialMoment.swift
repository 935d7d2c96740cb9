import ConvexSolver
public import WireFormat

/// First lower partial moment: the mean shortfall below a target (the Omega ratio's risk).
///
/// ```
/// FLPM(x) = (1/T) sum_t max(MAR - x_t, 0)
/// ```
/// Homogeneous in returns and target together. Source: P. Fishburn (1977), Mean-Risk Analysis with Risk Associated with
/// Below-Target Returns, American Economic Review 67(2).
public struct FirstLowerPartialMoment: RiskMeasure {
    public static let code = RiskMeasureCode.flpm
    public static let title = "First lower partial moment"
    public static let degree: Int? = 1

    private let target: Double

    public init(_ parameters: RiskParameters) { target = parameters.target }

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.mean(series.values.map { max(target - $0, 0) })
    }

    public func targetShare(at x: [Double]) -> Double { -target * sensitivity(at: x).reduce(0, +) }

    public func sensitivity(at x: [Double]) -> [Double] {
        x.map { $0 < target ? -1 / Double(x.count) : 0 }
    }
}

extension FirstLowerPartialMoment: ConvexRiskMeasure {
    static let startsNearVariance: Set<ObjectiveName> = [.minimumRisk, .sharpe]

    /// Series: 0 <= q <= 1/T.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let (cost, level) = (program.model.probabilities, target / program.model.unit)
        return RiskFormulation(pieces: [
            .init(
                part: .scenarios(
                    .linear(cost: cost, reflection: 0), .rows(program.rows(sign: -1, target: level))),
                basis: .returns(sign: -1), envelope: .capped(cost, total: nil), offset: level)
        ])
    }
}
