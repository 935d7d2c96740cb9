public import ConvexSolver
import LinearAlgebra
public import WireFormat

/// Everything that can be said of given weights over a panel: what `POST /api/portfolio/metrics` answers. Pure.
public struct PortfolioEvaluation: Sendable {
    public var metrics: [OptimizeResponse.Figure]
    public var risk: [OptimizeResponse.Figure]
    public var ratios: [OptimizeResponse.Figure]
    public var sharpe: [OptimizeResponse.Figure]
    public var contributions: [MetricsResponse.Split]
    public var factors: [String]
    public var factorContributions: [MetricsResponse.Split]
    public var loadings: [MetricsResponse.Split]
    public var attribution: MetricsResponse.Attribution?
    public var drawdowns: [MetricsResponse.Drawdown]
    public var periodsPerYear: Double
    public var warnings: [PortfolioWarning]
    /// Of the assets alone.
    public var panel: ReturnPanel

    /// Evaluates the request's weights.
    ///
    /// The target of FLPM and SLPM is the rate per period unless the request gives one (in the convention of skfolio the mean), as
    /// Riskfolio-Lib's ratios have it.
    /// - Parameters:
    ///   - panel: returns of the request's assets.
    ///   - factors: returns of stored factors, where the request names symbols.
    ///   - deadline: polled between measures.
    /// - Throws: `SYS-201` past the deadline, and what the factors' regressions throw.
    public static func run(
        _ request: MetricsRequest, panel: ReturnPanel, factors: ReturnPanel? = nil, deadline: SolverDeadline = .none
    ) throws(Problem) -> PortfolioEvaluation {
        let data = request.data
        guard panel.assets == data.assets else {
            throw Problem(.internalError, "The panel's assets are not those of the request.")
        }
        let periods = PortfolioOptimization.periodsPerYear(data, panel)
        let rate = data.riskFreeRate / periods
        var parameters = RiskParameters(data, riskFreeRate: rate)
        parameters.target = data.target ?? rate
        let x = panel.portfolioReturns(request.weights)
        let figures = PortfolioMetrics(
            of: x, periodsPerYear: periods, riskFreeRate: data.riskFreeRate, parameters: parameters, scope: .none,
            convention: data.convention,
            expectedReturn: PortfolioMetrics.expectedReturn(
                data.convention, weights: request.weights, panel: panel, periodsPerYear: periods),
            hasTarget: data.target != nil)
        var result = PortfolioEvaluation(
            metrics: figures.metrics, risk: [], ratios: [], sharpe: [], contributions: [], factors: [],
            factorContributions: [], loadings: [], attribution: nil,
            drawdowns: DrawdownTable.of(x, dates: panel.dates, limit: request.drawdowns), periodsPerYear: periods,
            warnings: figures.warnings, panel: panel)
        result.addShape(x, data.convention, rate)
        result.addOwnWarnings(request)
        try result.addBenchmark(request, x)
        try result.addRisks(request, parameters, x, rate, factors, deadline)
        return result
    }

    private mutating func addShape(_ x: [Double], _ convention: Convention, _ rate: Double) {
        let shape = SeriesShape(x)?.printed(convention)
        metrics.append(.init("skewness", shape?.skewness))
        metrics.append(.init("kurtosis", shape?.kurtosis))
        let inference = SharpeInference(of: x, rate: rate)
        sharpe = [
            .init("per_period", inference?.ratio), .init("probabilistic", inference?.probabilistic()),
            .init("minimum_track_record", inference?.minimumTrackRecord()),
        ]
    }

    private mutating func addOwnWarnings(_ request: MetricsRequest) {
        let total = request.weights.reduce(0, +)
        let squares = request.weights.reduce(0) { $0 + $1 * $1 }
        metrics.append(.init("effective_assets", squares > 0 ? 1 / squares : nil))
        guard abs(total - 1) > 1e-6 else { return }
        warnings.append(
            PortfolioWarning(
                code: "weights_total", pointer: JSONPointer(["weights"]),
                detail:
                    "The weights add up to \(total): figures are of these weights as they are, the rest earns nothing.")
        )
    }

    private mutating func addBenchmark(_ request: MetricsRequest, _ x: [Double]) throws(Problem) {
        var series: [Double]?
        if let weights = request.benchmark { series = panel.portfolioReturns(weights) }
        if let given = request.benchmarkReturns {
            guard let aligned = given.aligned(to: panel.dates) else {
                throw Problem(
                    JSONPointer(["benchmark_returns"]), .other("length_mismatch"),
                    "The benchmark has no return for some of the panel's \(panel.observations) periods.")
            }
            series = aligned
        }
        if let series {
            metrics += BenchmarkComparison.figures(
                x, series, periodsPerYear: periodsPerYear, riskFreeRate: request.data.riskFreeRate)
        }
        if let benchmark = request.benchmark, !request.groups.isEmpty {
            attribution = BrinsonAttribution.of(
                weights: request.weights, benchmark: benchmark, classes: request.groups, panel: panel)
        }
    }

    private mutating func addRisks(
        _ request: MetricsRequest, _ parameters: RiskParameters, _ x: [Double], _ rate: Double, _ stored: ReturnPanel?,
        _ deadline: SolverDeadline
    ) throws(Problem) {
        var split: FactorContributions?
        if let wanted = request.factors {
            let aligned = try FactorPanel.aligned(wanted, to: panel, loaded: stored)
            let fitted = try FactorLoadings(wanted, panel: panel, factors: aligned)
            split = try FactorContributions(loadings: fitted.matrix)
            factors = aligned.assets
            loadings = panel.assets.indices.map { .init(code: panel.assets[$0], values: fitted.matrix.row($0)) }
        }
        let convention = request.data.convention
        let wanted = request.measures ?? RiskMeasures.all.map { $0.code }
        let isLost = x.contains { $0 <= -1 }
        let series = ReturnSeries(x)
        let mean = SeriesMath.mean(x)
        let size = x.reduce(0) { max($0, abs($1)) }
        var undefined: [String] = []
        for code in wanted {
            if let stop = deadline.interruption { throw Self.stopped(stop) }
            let name = code.rawValue
            let measure = ConventionalRisk(
                code, parameters, convention: convention, hasTarget: request.data.target != nil)
            guard let measure, !(isLost && name.hasSuffix("_Rel")) else {
                risk.append(.init(name, nil))
                ratios.append(.init(name, nil))
                if measure != nil { undefined.append(name) }
                continue
            }
            let value = measure.value(of: series)
            let noise =
                1e-13 * (measure.degree == 2 ? size * size : measure.degree == 4 ? size * size * size * size : size)
            let ratio = value > noise ? (mean - rate) / value : nil
            if ratio == nil { undefined.append(name) }
            risk.append(.init(name, value.isFinite ? value : nil))
            ratios.append(.init(name, ratio.flatMap { $0.isFinite ? $0 : nil }))
            let parts = measure.contributions(weights: request.weights, panel: panel)
            contributions.append(.init(code: name, values: parts.map { $0.isFinite ? $0 : nil }))
            guard let split else { continue }
            let slope = measure.sensitivity(at: x)
            let margins = panel.returns.transposedMultiplied(by: slope).map { $0 / Double(measure.degree ?? 1) }
            let found = split.contributions(weights: request.weights, margins: margins)
            let all = found.factors + [found.residual]
            factorContributions.append(.init(code: name, values: all.map { $0.isFinite ? $0 : nil }))
        }
        if !undefined.isEmpty {
            warnings.append(
                PortfolioWarning(
                    code: "undefined_ratio",
                    detail: "No ratio over a risk that is not above zero: \(undefined.joined(separator: ", "))."))
        }
        if let warning = PortfolioMetrics.missing(convention, among: wanted.map { $0.rawValue }) {
            warnings.append(warning)
        }
    }

    static func stopped(_ status: SolverStatus) -> Problem {
        status == .cancelled
            ? Problem(.draining, "The evaluation was cancelled.")
            : Problem(.deadline, "The deadline passed during the evaluation.")
    }
}

extension PortfolioEvaluation {
    /// The answer, with what only the service knows.
    public func response(
        request: MetricsRequest, revision: Int64?, fingerprint: String, meta: OptimizeResponse.Meta,
        warnings more: [PortfolioWarning]
    ) -> MetricsResponse {
        MetricsResponse(
            assets: request.data.assets, weights: request.weights, metrics: metrics, risk: risk, ratios: ratios,
            contributions: contributions, factors: factors, factorContributions: factorContributions,
            loadings: loadings, sharpe: sharpe, attribution: attribution, drawdowns: drawdowns,
            data: OptimizeResponse.DataUsed(panel, revision: revision, fingerprint: fingerprint), meta: meta,
            warnings: warnings + more)
    }
}

extension OptimizeResponse.DataUsed {
    /// What a panel holds.
    public init(_ panel: ReturnPanel, revision: Int64?, fingerprint: String) {
        self.init(
            start: panel.dates[0], end: panel.dates[panel.dates.count - 1], observations: panel.observations,
            assets: panel.assets.count, revision: revision, fingerprint: fingerprint, missing: panel.missing)
    }
}
