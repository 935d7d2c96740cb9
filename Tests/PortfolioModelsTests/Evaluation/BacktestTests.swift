import ConvexSolver
import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Backtest: schedules")
struct BacktestScheduleTests {
    private func request(_ change: (inout BacktestRequest) -> Void) -> BacktestRequest {
        var request = BacktestRequest(strategy: OptimizeRequest(assets: ["A0"]))
        change(&request)
        return request
    }

    private func dates(_ count: Int) throws -> [CalendarDate] {
        try madePanel([[Double](repeating: 0.01, count: count)]).dates
    }

    @Test(
        "a walk-forward never sees the window it is held over, nor the purge before it; windows cover every period once"
    )
    func walkForward() throws {
        let dates = try dates(700)
        for window in BacktestRequest.Window.allCases {
            for purge in [0, 3] {
                for rebalance in [BacktestRequest.Rebalance.periods(20)]
                    + BacktestRequest.Span.allCases.map({ .calendar($0) })
                {
                    let wanted = request {
                        ($0.train, $0.window, $0.purge, $0.rebalance) = (100, window, purge, rebalance)
                    }
                    let schedule = try BacktestSchedule(wanted, dates: dates)
                    var at = schedule.splits[0].tests[0].lowerBound
                    #expect(at >= 100 + purge)
                    for split in schedule.splits {
                        #expect(split.tests.count == 1 && split.tests[0].lowerBound == at)
                        #expect(split.train.count == 1 && split.train[0].upperBound == at - purge)
                        #expect(window == .rolling ? split.observations == 100 : split.train[0].lowerBound == 0)
                        at = split.tests[0].upperBound
                    }
                    #expect(at == 700)
                    guard case .calendar(let span) = rebalance, span == .monthly else { continue }
                    for split in schedule.splits {
                        let (before, first) = (dates[split.tests[0].lowerBound - 1], dates[split.tests[0].lowerBound])
                        #expect(before.month != first.month)
                    }
                }
            }
        }
    }

    @Test("weeks begin on Monday")
    func weeks() throws {
        let dates = try dates(60)
        let schedule = try BacktestSchedule(
            request { ($0.train, $0.rebalance) = (10, .calendar(.weekly)) }, dates: dates)
        for split in schedule.splits { #expect(dates[split.tests[0].lowerBound].weekday == 1) }
    }

    @Test("combinatorial: purge and embargo by enumeration; every path covers everything once, from different splits")
    func combinatorial() throws {
        for (count, folds, tested, purge, embargo) in [
            (30, 5, 2, 1, 1), (100, 6, 2, 3, 2), (103, 7, 3, 0, 0), (60, 5, 1, 2, 0), (90, 6, 4, 2, 3),
            (120, 10, 8, 0, 1),
        ] {
            let wanted = request {
                ($0.method, $0.folds, $0.testFolds, $0.purge, $0.embargo) = (
                    .combinatorial, folds, tested, purge, embargo
                )
            }
            let schedule = try BacktestSchedule(wanted, dates: try dates(count))
            func choose(_ n: Int, _ k: Int) -> Int { (0..<k).reduce(1) { $0 * (n - $1) / ($1 + 1) } }
            #expect(schedule.splits.count == choose(folds, tested))
            #expect(schedule.paths.count == choose(folds - 1, tested - 1))
            #expect(Set(schedule.splits.map { "\($0.tests)" }).count == schedule.splits.count)
            for split in schedule.splits {
                let seen = Set(split.train.flatMap { Array($0) })
                #expect(seen.count == split.observations)
                for t in 0..<count {
                    let isNear = split.tests.contains {
                        t >= $0.lowerBound - purge && t < $0.upperBound + purge + embargo
                    }
                    #expect(seen.contains(t) == !isNear, "\(t)")
                }
            }
            var used: Set<String> = []
            for path in schedule.paths {
                #expect(path.flatMap { Array($0.periods) } == Array(0..<count))
                for segment in path {
                    #expect(schedule.splits[segment.split].tests.contains(segment.periods))
                    #expect(used.insert("\(segment.split) \(segment.periods)").inserted)
                }
            }
        }
    }

    /// CombinatorialPurgedCV(n_folds=5, n_test_folds=2, purged_size=1, embargo_size=1) over 32 observations, skfolio 1.12.2: sizes of the
    /// training sets, and the split that each path takes for each fold.
    @Test("skfolio's splits and paths")
    func skfolio() throws {
        let wanted = request {
            ($0.method, $0.folds, $0.testFolds, $0.purge, $0.embargo) = (.combinatorial, 5, 2, 1, 1)
        }
        let schedule = try BacktestSchedule(wanted, dates: try dates(32))
        #expect(schedule.splits.map { $0.observations } == Self.sizes)
        let paths = (0..<5).map { fold in schedule.paths.map { $0[fold].split } }
        #expect(paths == Self.paths)
    }
    private static let sizes = [18, 15, 15, 15, 17, 14, 14, 17, 14, 17]
    private static let paths = [[0, 1, 2, 3], [0, 4, 5, 6], [1, 4, 7, 8], [2, 5, 7, 9], [3, 6, 8, 9]]

    @Test("what cannot be is a typed refusal, quickly")
    func refusals() throws {
        let dates = try dates(100)
        #expect(problemCode { try BacktestSchedule(request { $0.train = 100 }, dates: dates) } == "DAT-002")
        #expect(problemCode { try BacktestSchedule(request { $0.train = 100_000 }, dates: dates) } == "DAT-002")
        #expect(
            problemCode {
                try BacktestSchedule(
                    request { ($0.method, $0.folds, $0.testFolds) = (.combinatorial, 100, 50) }, dates: dates)
            } == "OPT-301")
        #expect(
            problemCode {
                try BacktestSchedule(request { ($0.method, $0.purge) = (.combinatorial, 10_000) }, dates: dates)
            } == "DAT-002")
        #expect(
            problemCode {
                try BacktestSchedule(
                    request { ($0.method, $0.folds) = (.combinatorial, 100) }, dates: Array(dates.prefix(50)))
            } == "DAT-002")
    }
}

@Suite("Backtest: paths")
struct PathSimulationTests {
    @Test("drift, cost and turnover by hand")
    func byHand() throws {
        let panel = try madePanel([[0.1, 0.2, -0.5], [0.0, -0.1, 0.3]])
        var walk = PathSimulation(panel: panel, rates: [0.01, 0.02], drifts: true, initial: [0, 0])
        let (first, cost) = walk.hold([0.6, 0.4], over: 0..<2)
        #expect(abs(first - 1) < 1e-15 && abs(cost - 0.014) < 1e-15)
        #expect(abs(walk.returns[0] - ((1 - 0.014) * 1.06 - 1)) < 1e-15)
        // 0.66 and 0.40 of 1.06, then 0.792 and 0.36 of 1.152
        #expect(abs(walk.returns[1] - (1.152 / 1.06 - 1)) < 1e-15)
        #expect(abs(walk.held[0] - 0.792 / 1.152) < 1e-15)
        let (second, next) = walk.hold([0.5, 0.5], over: 2..<3)
        let moved = abs(0.5 - 0.792 / 1.152) + abs(0.5 - 0.36 / 1.152)
        #expect(abs(second - moved) < 1e-15)
        #expect(abs(next - 0.015 * moved) < 1e-15)
        #expect(abs(walk.returns[2] - ((1 - next) * 0.9 - 1)) < 1e-15)
    }

    @Test("without drift the weights stay, cash earns nothing, shorts drift the other way, a lost value stays lost")
    func kinds() throws {
        let panel = try madePanel([[0.1, 0.2, -0.5], [0.0, -0.1, 0.3]])
        var constant = PathSimulation(panel: panel, rates: [0, 0], drifts: false, initial: [0, 0])
        _ = constant.hold([0.3, 0.3], over: 0..<3)
        #expect(constant.held == [0.3, 0.3])
        for (x, expected) in zip(constant.returns, [0.03, 0.03, -0.06]) { #expect(abs(x - expected) < 1e-15) }
        var short = PathSimulation(panel: panel, rates: [0, 0], drifts: true, initial: [0, 0])
        _ = short.hold([-1, 2], over: 0..<1)
        #expect(abs(short.returns[0] + 0.1) < 1e-15 && abs(short.held[0] + 1.1 / 0.9) < 1e-15)
        let falling = try madePanel([[-1, 0.5, 0.5]])
        var lost = PathSimulation(panel: falling, rates: [0], drifts: true, initial: [0])
        _ = lost.hold([1], over: 0..<2)
        let after = lost.hold([1], over: 2..<3)
        #expect(lost.returns == [-1, 0, 0] && lost.isLost && after.turnover == 0)
        var dear = PathSimulation(panel: panel, rates: [1, 1], drifts: true, initial: [0, 0])
        _ = dear.hold([1, 1], over: 0..<1)
        #expect(dear.returns == [-1])
    }
}

@Suite("Backtest")
struct BacktestTests {
    private func strategy(
        _ panel: ReturnPanel, _ model: ModelName = .classic, _ measure: RiskMeasureCode = .cvar
    ) -> BacktestRequest {
        var request = BacktestRequest(strategy: OptimizeRequest(assets: panel.assets))
        request.strategy.model = model
        request.strategy.riskMeasure = measure
        request.strategy.objective = .minimumRisk
        request.strategy.periodsPerYear = 252
        (request.train, request.rebalance, request.cost) = (60, .periods(20), .all(0.001))
        return request
    }

    @Test(
        "no fit and no return before a day knows anything of the day or what follows",
        arguments: [
            (ModelName.classic, RiskMeasureCode.cvar), (.classic, .mv), (.hierarchicalRiskParity, .mv),
            (.maximumDiversification, .mv), (.equalWeight, .mv),
        ])
    func noLookAhead(model: ModelName, measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 5, observations: 300, seed: 11)
        let request = strategy(panel, model, measure)
        let whole = try Backtest(request, panel: panel)
        let before = try whole.run()
        for day in [80, 139, 140, 141, 219, 299] {
            // Everything from the day on is another world.
            var returns = panel.returns
            let other = try randomPanel(assets: 5, observations: 300, seed: 99, scale: 0.05)
            for asset in 0..<5 { for t in day..<300 { returns[t, asset] = other.returns[t, asset] } }
            let changed = try ReturnPanel(assets: panel.assets, dates: panel.dates, returns: returns)
            let after = try Backtest(request, panel: changed).run()
            for (index, split) in whole.schedule.splits.enumerated() {
                if split.tests[0].lowerBound <= day {
                    #expect(before.fits[index].weights == after.fits[index].weights, "fit \(index), day \(day)")
                }
            }
            let held = day - whole.schedule.splits[0].tests[0].lowerBound
            #expect(
                Array(before.paths[0].returns.prefix(max(held, 0)))
                    == Array(after.paths[0].returns.prefix(max(held, 0))),
                "day \(day)")
            // And the fits after it do notice.
            if day < 200, model != .equalWeight {
                #expect(before.fits.last?.weights != after.fits.last?.weights)
            }
        }
    }

    @Test("each fit is what optimize answers for its window alone")
    func fits() throws {
        let panel = try randomPanel(assets: 4, observations: 200, seed: 3)
        let request = strategy(panel)
        let backtest = try Backtest(request, panel: panel)
        let found = try backtest.run()
        for (index, split) in backtest.schedule.splits.enumerated() {
            let window = try panel.periods(split.train)
            let alone = try PortfolioOptimization.run(request.strategy, panel: window)
            #expect(found.fits[index].weights == alone.weights)
            #expect(found.fits[index].risk == alone.solution.risk)
            #expect(found.fits[index].train.end < found.fits[index].tests[0].start)
        }
    }

    @Test("the path of a fixed portfolio is what compounding says, costs included")
    func equalWeight() throws {
        let panel = try randomPanel(assets: 3, observations: 150, seed: 5)
        var request = strategy(panel, .equalWeight, .mv)
        request.rebalance = .periods(1000)
        let path = try Backtest(request, panel: panel).run().paths[0]
        // Bought once, then held: a third of each asset's growth.
        var expected = 0.0
        for asset in 0..<3 {
            expected += (60..<150).reduce(1.0) { $0 * (1 + panel.returns[$1, asset]) } / 3
        }
        expected *= 1 - 0.001
        #expect(abs(try #require(path.value.last) - expected) < 1e-13)
        #expect(path.trades.count == 1 && abs(path.trades[0].turnover - 1) < 1e-15)
        #expect(abs(path.trades[0].cost - 0.001) < 1e-15)
        request.drifts = false
        let constant = try Backtest(request, panel: panel).run().paths[0]
        let x = panel.portfolioReturns([1.0 / 3, 1.0 / 3, 1.0 / 3])
        for t in 61..<150 { #expect(abs(constant.returns[t - 60] - x[t]) < 1e-15) }
    }

    @Test("a limit of turnover counts from what is held, drift included")
    func turnover() throws {
        let panel = try randomPanel(assets: 5, observations: 260, seed: 21, scale: 0.03)
        var request = strategy(panel, .classic, .mv)
        let start = panel.assets.map { ConstraintRequest.AssetValue($0, 0.2) }
        request.initial = start
        request.strategy.constraints.turnover = .init(from: start, perAsset: nil, total: 0.1)
        let backtest = try Backtest(request, panel: panel)
        #expect(backtest.isSequential)
        let found = try backtest.run()
        #expect(found.failures.isEmpty)
        for trade in found.paths[0].trades { #expect(trade.turnover <= 0.1 + 1e-9) }
        request.strategy.constraints.turnover = nil
        let free = try Backtest(request, panel: panel).run()
        #expect(free.paths[0].trades.contains { $0.turnover > 0.1 })
        request.method = .combinatorial
        request.strategy.constraints.turnover = .init(from: start, perAsset: nil, total: 0.1)
        #expect(problemCode { try Backtest(request, panel: panel) } == "REQ-105")
    }

    @Test("a fit without an answer is held over and told, or ends it, as asked")
    func failures() throws {
        let panel = try randomPanel(assets: 3, observations: 200, seed: 8)
        var request = strategy(panel, .classic, .mv)
        // The least return is reached in some windows only.
        let means = try Backtest(request, panel: panel).schedule.splits.map { split -> Double in
            let window = try panel.periods(split.train)
            return (0..<3).map { asset in SeriesMath.mean(window.column(asset)) }.max() ?? 0
        }.sorted()
        request.strategy.constraints.minReturn = means[means.count / 2]
        let found = try Backtest(request, panel: panel).run()
        #expect(!found.failures.isEmpty && found.failures.count < found.fits.count)
        #expect(found.failures.allSatisfy { $0.code == "OPT-101" })
        #expect(found.warnings.contains { $0.code == "fit_failed" })
        for failure in found.failures where failure.fit > 0 {
            #expect(found.fits[failure.fit].weights == nil && found.paths[0].trades[failure.fit].turnover == 0)
        }
        request.failure = .fail
        let problem = try #require(caught { try Backtest(request, panel: panel).run() })
        #expect(problem.code == "OPT-101" && problem.detail.contains("At the fit for"))
        request.failure = .hold
        request.strategy.constraints.minReturn = 1
        #expect(problemCode { try Backtest(request, panel: panel).run() } == "OPT-101")
    }

    @Test("combinatorial: every path's figures, and their distribution")
    func combinatorial() throws {
        let panel = try randomPanel(assets: 4, observations: 240, seed: 13)
        var request = strategy(panel, .classic, .mv)
        (request.method, request.folds, request.testFolds, request.purge) = (.combinatorial, 6, 2, 2)
        request.trials = .init(count: 50, variance: 0.001)
        let found = try Backtest(request, panel: panel).run()
        #expect(found.paths.count == 5 && found.fits.count == 15)
        for path in found.paths { #expect(path.returns.count == 240) }
        let ratios = found.paths.compactMap { path in path.metrics.first { $0.name == "sharpe_ratio" }?.value }
        let spread = try #require(found.distribution.first { $0.name == "sharpe_ratio" }).figures
        func figure(_ name: String) -> Double? { spread.first { $0.name == name }?.value }
        #expect(abs(try #require(figure("mean")) - ratios.reduce(0, +) / 5) < 1e-14)
        #expect(figure("max") == ratios.max() && figure("min") == ratios.min())
        #expect(figure("median") == ratios.sorted()[2])
        for path in found.paths {
            func sharpe(_ name: String) -> Double? { path.sharpe.first { $0.name == name }.flatMap { $0.value } }
            #expect(try #require(sharpe("deflated")) < #require(sharpe("probabilistic")))
        }
    }

    @Test("a deadline and a cancellation end it with their own problem, never as a failed fit")
    func interruption() throws {
        let panel = try randomPanel(assets: 3, observations: 200, seed: 2)
        let backtest = try Backtest(strategy(panel), panel: panel)
        #expect(problemCode { try backtest.run(deadline: .after(.seconds(-1))) } == "SYS-201")
        let flag = CancellationFlag()
        flag.cancel()
        #expect(problemCode { try backtest.run(deadline: SolverDeadline(flag: flag)) } == "SYS-102")
    }

    @Test("total losses and constant prices: figures are null with a warning, never NaN")
    func degenerate() throws {
        for column in [[Double](repeating: 0, count: 80), (0..<80).map { $0 == 70 ? -1 : 0.01 }] {
            let panel = try madePanel([column, column])
            for model in [ModelName.equalWeight] {
                var request = strategy(panel, model, .mv)
                request.train = 20
                let backtest = try Backtest(request, panel: panel)
                let text = try backtest.run().response(
                    backtest, revision: nil, fingerprint: "",
                    meta: .init(
                        version: "", engine: "", solveMilliseconds: 0, totalMilliseconds: 0, cached: false,
                        requestID: nil,
                        periodsPerYear: 252, convention: .riskfolio), warnings: []
                ).json.serialized()
                #expect(!text.contains("nan") && !text.contains("inf"))
            }
        }
    }
}
