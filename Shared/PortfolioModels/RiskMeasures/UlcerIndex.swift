import ConvexSolver
public import WireFormat

/// Ulcer index, uncompounded.
///
/// ```
/// sqrt( (1/T) sum_t DD_t^2 )
/// ```
/// with DD as in `DrawdownSeries`. Source: P. Martin, B. McCann (1989), The Investor's Guide to Fidelity Funds.
public struct UlcerIndex: RiskMeasure {
    public static let code = RiskMeasureCode.ulcerIndex
    public static let title = "Ulcer index"
    public static let degree: Int? = 1

    public init(_ parameters: RiskParameters) {}

    public func value(of series: ReturnSeries) -> Double {
        SeriesMath.rootMeanSquare(series.drawdowns.depth, divisor: Double(max(series.count, 1)))
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        let series = DrawdownSeries(x, compounded: false)
        let scale = Double(max(x.count, 1)) * value(of: x)
        return series.throughReturns(series.depth.map { scale > 0 ? $0 / scale : 0 })
    }
}

extension UlcerIndex: ConvexRiskMeasure {
    /// Half a sum of squared drawdowns over a scale and half the scale. Series: sum q^2 / weights <= 1.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let cost = program.model.probabilities
        let root = program.program.addVariable(
            lower: RiskProgram.leastRoot, start: program.rootMeanSquare(program.startDrawdowns))
        return RiskFormulation(
            linear: [.init(root, 0.5)],
            pieces: [
                .init(
                    part: .drawdowns(
                        .rootOfSquares(cost: cost, scale: root),
                        program.model.rows(1, program.weights), shifts: []),
                    basis: .drawdowns, envelope: .ellipsoid(cost))
            ])
    }
}
