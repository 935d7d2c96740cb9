public import ConvexSolver
import LinearAlgebra
import RealModule
public import WireFormat

/// What the fits of a backtest came to, put together.
public struct BacktestFigures: Sendable {
    public var fits: [BacktestResponse.Fit]
    public var paths: [BacktestResponse.Path]
    public var distribution: [BacktestResponse.Distribution]
    public var failures: [BacktestResponse.Failure]
    public var warnings: [PortfolioWarning]
}

extension Backtest {
    /// Walks the paths.
    /// - Parameter outcomes: one a split, in their order.
    /// - Throws: the first fit's problem where every fit failed, `SYS-201` past the deadline.
    public func assemble(
        _ outcomes: [Outcome], deadline: SolverDeadline = .none
    ) throws(Problem) -> BacktestFigures {
        guard outcomes.count == fits else { throw Problem(.internalError, "A fit is missing.") }
        var failures: [BacktestResponse.Failure] = []
        for (index, outcome) in outcomes.enumerated() {
            guard case .failed(let problem) = outcome else { continue }
            let date = panel.dates[schedule.splits[index].tests[0].lowerBound]
            failures.append(.init(fit: index, date: date, code: problem.code, detail: problem.detail))
            if failures.count == outcomes.count, case .failed(let first)? = outcomes.first { throw first }
        }
        var warnings: [PortfolioWarning] = []
        var paths: [BacktestResponse.Path] = []
        for segments in schedule.paths {
            if let stop = deadline.interruption { throw PortfolioEvaluation.stopped(stop) }
            paths.append(path(segments, outcomes, &warnings))
        }
        if !failures.isEmpty {
            warnings.append(
                PortfolioWarning(
                    code: "fit_failed", pointer: JSONPointer(["backtest", "on_failure"]),
                    detail:
                        "\(failures.count) of \(fits) fits have no answer (\(failures[0].code) at \(failures[0].date)); what was held is held on."
                ))
        }
        return BacktestFigures(
            fits: outcomes.indices.map { fit($0, outcomes[$0]) }, paths: paths,
            distribution: request.method == .combinatorial ? Self.distribution(paths) : [], failures: failures,
            warnings: warnings)
    }

    private func fit(_ index: Int, _ outcome: Outcome) -> BacktestResponse.Fit {
        let split = schedule.splits[index]
        func span(_ range: Range<Int>) -> BacktestResponse.Span {
            .init(start: panel.dates[range.lowerBound], end: panel.dates[range.upperBound - 1])
        }
        var (weights, expected, risk): ([Double]?, Double?, Double?) = (nil, nil, nil)
        if case .solved(let found, let reward, let measured) = outcome {
            (weights, expected, risk) = (found, reward, measured)
        }
        let first = split.train.first?.lowerBound ?? 0
        let last = split.train.last?.upperBound ?? 1
        return .init(
            train: span(first..<last), observations: split.observations, tests: split.tests.map(span),
            weights: weights, expectedReturn: expected, risk: risk)
    }

    private func path(
        _ segments: [BacktestSchedule.Segment], _ outcomes: [Outcome], _ warnings: inout [PortfolioWarning]
    ) -> BacktestResponse.Path {
        var walk = simulation()
        var trades: [BacktestResponse.Trade] = []
        for segment in segments {
            let (turnover, cost) = walk.hold(outcomes[segment.split].weights, over: segment.periods)
            trades.append(
                .init(
                    date: panel.dates[segment.periods.lowerBound], fit: segment.split, turnover: turnover, cost: cost))
        }
        let x = walk.returns
        let isOnly = schedule.paths.count == 1
        let strategy = request.strategy
        let rate = strategy.riskFreeRate / periodsPerYear
        var parameters = RiskParameters(strategy, riskFreeRate: rate)
        parameters.target = strategy.target ?? rate
        // PyPortfolioOpt's return is one of assets, and a path has only its series: its compound return stands for it.
        let growth = x.reduce(1.0) { $0 * (1 + $1) }
        let compound = growth > 0 ? Double.pow(growth, periodsPerYear / Double(max(x.count, 1))) - 1 : -1
        let figures = PortfolioMetrics(
            of: x, periodsPerYear: periodsPerYear, riskFreeRate: strategy.riskFreeRate, parameters: parameters,
            scope: request.method == .walkForward ? .all : .none, convention: strategy.convention,
            expectedReturn: strategy.convention == .pypfopt ? compound : nil, hasTarget: strategy.target != nil)
        if isOnly || warnings.isEmpty { warnings += figures.warnings }
        let dates = segments.flatMap { panel.dates[$0.periods] }
        var metrics = figures.metrics
        metrics += traded(trades, periods: x.count)
        if let benchmark = request.benchmark {
            let held = segments.flatMap { $0.periods }
            let all = panel.portfolioReturns(benchmark)
            metrics += BenchmarkComparison.figures(
                x, held.map { all[$0] }, periodsPerYear: periodsPerYear, riskFreeRate: strategy.riskFreeRate)
        }
        var value: [Double] = []
        value.reserveCapacity(x.count)
        for r in x { value.append((value.last ?? 1) * (1 + r)) }
        return .init(
            returns: x, value: value, trades: trades, metrics: metrics, risk: figures.risk,
            sharpe: sharpe(x, rate, strategy.convention),
            drawdowns: request.method == .walkForward ? DrawdownTable.of(x, dates: dates, limit: 10) : [])
    }

    /// Turnover and costs: the sum of absolute changes in all, at a rebalance, a year.
    private func traded(_ trades: [BacktestResponse.Trade], periods: Int) -> [OptimizeResponse.Figure] {
        let turnover = trades.reduce(0) { $0 + $1.turnover }
        let cost = trades.reduce(0) { $0 + $1.cost }
        let years = Double(max(periods, 1)) / periodsPerYear
        return [
            .init("turnover_total", turnover), .init("turnover_average", turnover / Double(max(trades.count, 1))),
            .init("turnover_annual", turnover / years), .init("cost_total", cost), .init("cost_annual", cost / years),
        ]
    }

    /// The Sharpe ratio and how far it can be believed.
    private func sharpe(_ x: [Double], _ rate: Double, _ convention: Convention) -> [OptimizeResponse.Figure] {
        let inference = SharpeInference(of: x, rate: rate)
        let trials = request.trials
        let deviation = trials.variance?.squareRoot() ?? inference?.deviationWithoutSkill ?? 0
        let best = SharpeInference.expectedMaximum(trials: trials.count, deviation: deviation)
        return [
            .init("per_period", inference?.ratio),
            .init("annual", inference.map { $0.ratio * periodsPerYear.squareRoot() }),
            .init("probabilistic", inference?.probabilistic()),
            .init("deflated", inference?.probabilistic(above: best)),
            .init("trials", Double(trials.count)), .init("expected_maximum", best),
            .init("minimum_track_record", inference?.minimumTrackRecord()),
            .init("skewness", inference?.shape.printed(convention).skewness),
            .init("kurtosis", inference?.shape.printed(convention).kurtosis),
        ]
    }

    /// Each metric over the paths: mean, deviation (divisor paths - 1) and quantiles.
    private static func distribution(_ paths: [BacktestResponse.Path]) -> [BacktestResponse.Distribution] {
        guard let first = paths.first else { return [] }
        var names = first.metrics.map { ($0.name, false) }
        names += [("probabilistic", true), ("deflated", true)]
        return names.map { name, isSharpe in
            let values = paths.compactMap { path in
                (isSharpe ? path.sharpe : path.metrics).first { $0.name == name }.flatMap { $0.value }
            }.sorted()
            return .init(name: name, figures: spread(values))
        }
    }

    private static func spread(_ sorted: [Double]) -> [OptimizeResponse.Figure] {
        /// Between neighbours in proportion, as numpy's default.
        func quantile(_ p: Double) -> Double? {
            guard let last = sorted.last else { return nil }
            let at = p * Double(sorted.count - 1)
            let low = Int(at)
            guard low + 1 < sorted.count else { return last }
            return sorted[low] + (at - Double(low)) * (sorted[low + 1] - sorted[low])
        }
        let mean = sorted.isEmpty ? nil : SeriesMath.mean(sorted)
        let deviation =
            sorted.count > 1
            ? SeriesMath.rootMeanSquare(SeriesMath.centred(sorted), divisor: Double(sorted.count - 1)) : nil
        return [
            .init("mean", mean), .init("std", deviation), .init("min", sorted.first), .init("p05", quantile(0.05)),
            .init("median", quantile(0.5)), .init("p95", quantile(0.95)), .init("max", sorted.last),
        ]
    }
}

extension BacktestFigures {
    /// The answer, with what only the service knows.
    public func response(
        _ backtest: Backtest, revision: Int64?, fingerprint: String, meta: OptimizeResponse.Meta,
        warnings more: [PortfolioWarning]
    ) -> BacktestResponse {
        let dates =
            backtest.request.method == .walkForward
            ? backtest.schedule.splits.flatMap { split in split.tests.flatMap { backtest.panel.dates[$0] } }
            : backtest.panel.dates
        return BacktestResponse(
            assets: backtest.panel.assets, method: backtest.request.method, dates: dates, fits: fits, paths: paths,
            distribution: distribution, failures: failures, withSeries: backtest.request.withSeries,
            data: OptimizeResponse.DataUsed(backtest.panel, revision: revision, fingerprint: fingerprint), meta: meta,
            warnings: warnings + more)
    }
}
