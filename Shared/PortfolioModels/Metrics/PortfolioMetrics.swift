import RealModule
public import WireFormat

/// The figures of a portfolio's return series: annual metrics by name, and risk measures per period by code.
public struct PortfolioMetrics: Sendable {
    /// Annual; nil is undefined.
    public let metrics: [OptimizeResponse.Figure]
    /// Per period, by code.
    public let risk: [OptimizeResponse.Figure]
    /// One for each undefined figure.
    public let warnings: [PortfolioWarning]

    /// Measures left out of `risk` by default: each costs a one-dimensional minimisation over all periods.
    public static let costly: Set<RiskMeasureCode> = [
        .evar, .rlvar, .evarRange, .rlvarRange, .edar, .rldar, .relativeEDaR, .relativeRLDaR,
    ]

    /// Evaluates a series.
    /// - Parameters:
    ///   - x: T portfolio returns per period.
    ///   - riskFreeRate: annual.
    ///   - parameters: of the risk measures; their target is replaced by the rate per period for the Sortino ratio.
    ///   - all: whether the costly measures are evaluated too.
    public init(
        of x: [Double], periodsPerYear: Double, riskFreeRate: Double, parameters: RiskParameters = RiskParameters(),
        all: Bool = false
    ) {
        var warnings: [PortfolioWarning] = []
        let root = periodsPerYear.squareRoot()
        let size = x.reduce(0) { max($0, abs($1)) }
        func measured(_ code: RiskMeasureCode, _ parameters: RiskParameters = parameters) -> Double {
            RiskMeasures.measure(code, parameters)?.value(of: x) ?? .nan
        }
        func ratio(_ name: String, _ above: Double, _ below: Double, least: Double, _ why: String) -> Double? {
            if below > least, above.isFinite, below.isFinite { return above / below }
            warnings.append(PortfolioWarning(code: "undefined_metric", detail: "\(name) is undefined: \(why)."))
            return nil
        }
        var atRate = parameters
        atRate.target = riskFreeRate / periodsPerYear
        let expected = periodsPerYear * SeriesMath.mean(x)
        let volatility = root * measured(.mv)
        let downside = root * measured(.slpm, atRate)
        let isLost = x.contains { $0 <= -1 }
        let drawdown = isLost ? 1 : measured(.relativeMaximumDrawdown)
        let excess = expected - riskFreeRate
        let noise = 1e-13 * size * root
        var figures: [OptimizeResponse.Figure] = [
            .init("expected_return", expected),
            .init("volatility", volatility),
            .init("sharpe_ratio", ratio("sharpe_ratio", excess, volatility, least: noise, "the volatility is zero")),
            .init("max_drawdown", drawdown),
            .init(
                "sortino_ratio", ratio("sortino_ratio", excess, downside, least: noise, "no return is below the rate")),
            .init("calmar_ratio", ratio("calmar_ratio", expected, drawdown, least: 1e-13, "there is no drawdown")),
            .init("downside_deviation", downside),
            .init("semi_deviation", root * measured(.msv)),
            .init("mean_absolute_deviation", root * measured(.mad)),
        ]
        let growth = x.reduce(0.0) { $0 + Double.log(onePlus: max($1, -1)) } / Double(max(x.count, 1))
        figures.append(.init("compound_return", isLost ? -1 : Double.expMinusOne(periodsPerYear * growth)))
        if isLost {
            let text = "A period loses everything: compounded figures end there."
            warnings.append(PortfolioWarning(code: "total_loss", detail: text))
        } else {
            figures.append(.init("average_drawdown", measured(.relativeAverageDrawdown)))
            figures.append(.init("ulcer_index", measured(.relativeUlcerIndex)))
            figures.append(.init("conditional_drawdown", measured(.relativeCDaR)))
        }
        metrics = figures.map { .init($0.name, $0.value.flatMap { $0.isFinite ? $0 : nil }) }
        var risks: [OptimizeResponse.Figure] = []
        for type in RiskMeasures.all where all || !Self.costly.contains(type.code) {
            if isLost, type.code.rawValue.hasSuffix("_Rel") { continue }
            risks.append(.init(type.code.rawValue, type.init(parameters).value(of: x)))
        }
        risk = risks.map { .init($0.name, $0.value.flatMap { $0.isFinite ? $0 : nil }) }
        self.warnings = warnings
    }
}
