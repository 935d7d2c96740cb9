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

    /// What is evaluated: the annual return and volatility alone, all annual metrics, and measures besides.
    public enum Scope: Sendable { case moments, none, plain, all }

    /// Evaluates a series.
    /// - Parameters:
    ///   - x: T portfolio returns per period.
    ///   - riskFreeRate: annual.
    ///   - parameters: of the risk measures; their target is replaced by the rate per period for the Sortino ratio.
    ///   - scope: which measures are evaluated by code; the plain ones leave out the costly.
    ///   - convention: whose definitions the figures follow; see `ConventionalRisk`.
    ///   - expectedReturn: annual, where the convention makes it of the assets rather than of the series.
    ///   - hasTarget: whether the parameters' target is the caller's.
    public init(
        of x: [Double], periodsPerYear: Double, riskFreeRate: Double, parameters: RiskParameters = RiskParameters(),
        scope: Scope = .plain, convention: Convention = .riskfolio, expectedReturn: Double? = nil,
        hasTarget: Bool = true
    ) {
        var warnings: [PortfolioWarning] = []
        let series = ReturnSeries(x)
        let root = periodsPerYear.squareRoot()
        let size = x.reduce(0) { max($0, abs($1)) }
        func measured(_ code: RiskMeasureCode, _ parameters: RiskParameters = parameters) -> Double {
            RiskMeasures.measure(code, parameters)?.value(of: series) ?? .nan
        }
        func ratio(_ name: String, _ above: Double, _ below: Double, least: Double, _ why: String) -> Double? {
            if below > least, above.isFinite, below.isFinite { return above / below }
            warnings.append(PortfolioWarning(code: "undefined_metric", detail: "\(name) is undefined: \(why)."))
            return nil
        }
        var atRate = parameters
        atRate.target = riskFreeRate / periodsPerYear
        let expected = expectedReturn ?? periodsPerYear * SeriesMath.mean(x)
        let volatility = root * measured(.mv)
        guard scope != .moments else {
            metrics = [.init("expected_return", expected), .init("volatility", volatility)]
            (risk, self.warnings) = ([], [])
            return
        }
        let semi = ConventionalRisk(.msv, parameters, convention: convention)?.value(of: series) ?? .nan
        let downside = root * (convention == .riskfolio ? measured(.slpm, atRate) : semi)
        let isLost = x.contains { $0 <= -1 }
        // The other two draw down what is added up, not what is compounded.
        let drawdown =
            convention == .riskfolio
            ? (isLost ? 1 : measured(.relativeMaximumDrawdown)) : measured(.maximumDrawdown)
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
            .init("semi_deviation", root * semi),
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
        for type in RiskMeasures.all where scope == .all || (scope == .plain && !Self.costly.contains(type.code)) {
            if isLost, type.code.rawValue.hasSuffix("_Rel") { continue }
            let measure = ConventionalRisk(type.code, parameters, convention: convention, hasTarget: hasTarget)
            risks.append(.init(type.code.rawValue, measure?.value(of: series)))
        }
        if let warning = Self.missing(convention, among: risks.map { $0.name }) { warnings.append(warning) }
        risk = risks.map { .init($0.name, $0.value.flatMap { $0.isFinite ? $0 : nil }) }
        let lost = (figures + risks).filter { !($0.value?.isFinite ?? true) }.map { $0.name }
        if !lost.isEmpty {
            let text = "Beyond all numbers, so not given: \(lost.joined(separator: ", "))."
            warnings.append(PortfolioWarning(code: "beyond_numbers", detail: text))
        }
        self.warnings = warnings
    }

    /// One warning for the measures that the convention's library does not have.
    static func missing(_ convention: Convention, among names: [String]) -> PortfolioWarning? {
        guard convention != .riskfolio else { return nil }
        let known = Set(ConventionalRisk.codes(of: convention).map { $0.rawValue })
        let missing = names.filter { !known.contains($0) }
        guard !missing.isEmpty else { return nil }
        return PortfolioWarning(
            code: "not_in_convention", pointer: JSONPointer(["convention"]),
            detail: "\(convention.rawValue) has no \(missing.joined(separator: ", ")).")
    }

    /// The annual expected return that a convention makes of the assets: PyPortfolioOpt's weighted compound returns; nil for the others,
    /// which take the mean of the portfolio's series.
    static func expectedReturn(
        _ convention: Convention, weights: [Double], panel: ReturnPanel, periodsPerYear: Double
    ) -> Double? {
        guard convention == .pypfopt else { return nil }
        return weights.indices.reduce(0.0) { sum, asset in
            guard weights[asset] != 0 else { return sum }
            let growth = panel.column(asset).reduce(1.0) { $0 * (1 + $1) }
            let annual = growth > 0 ? Double.pow(growth, periodsPerYear / Double(panel.observations)) - 1 : -1
            return sum + weights[asset] * annual
        }
    }
}
