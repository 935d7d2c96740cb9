import ConvexSolver
public import WireFormat

/// Second lower partial moment: the root mean square shortfall below a target (the Sortino ratio's risk).
///
/// ```
/// SLPM(x) = sqrt( sum_t max(MAR - x_t, 0)^2 / (T - 1) )
/// ```
/// Homogeneous in returns and target together. Source: P. Fishburn (1977), Mean-Risk Analysis with Risk Associated with
/// Below-Target Returns, American Economic Review 67(2).
public struct SecondLowerPartialMoment: RiskMeasure {
    public static let code = RiskMeasureCode.slpm
    public static let title = "Second lower partial moment"
    public static let degree: Int? = 1

    let target: Double

    public init(_ parameters: RiskParameters) { target = parameters.target }

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.rootMeanSquare(
            series.values.map { max(target - $0, 0) }, divisor: SeriesMath.degreesOfFreedom(series.values))
    }

    public func targetShare(at x: [Double]) -> Double { -target * sensitivity(at: x).reduce(0, +) }

    public func sensitivity(at x: [Double]) -> [Double] {
        let divisor = SeriesMath.degreesOfFreedom(x)
        let risk = value(of: x)
        return x.map { risk > 0 ? -max(target - $0, 0) / (divisor * risk) : 0 }
    }
}

extension SecondLowerPartialMoment: ConvexRiskMeasure {
    /// As the semi-deviation, below the target. Series: q >= 0, sum q^2 / weights <= 1.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let cost = program.probabilities(times: program.model.unbiased)
        let level = target / program.model.unit
        let root = program.program.addVariable(
            lower: RiskProgram.leastRoot, start: program.rootMeanSquare(program.start.map { min($0 - level, 0) }))
        return RiskFormulation(
            linear: [.init(root, 0.5)],
            pieces: [
                .init(
                    part: .scenarios(
                        .square(cost: cost, reflection: 0, scale: root), .rows(program.rows(sign: -1, target: level))),
                    basis: .returns(sign: -1), envelope: .ellipsoid(cost), offset: level)
            ])
    }
}
