import ConvexSolver
import LinearAlgebra
import PortfolioModels
import Testing
import WireFormat

@Suite("Mean-variance properties")
struct MeanVariancePropertyTests {
    static let objectives = ObjectiveName.allCases

    private func solve(
        _ panel: ReturnPanel, _ objective: ObjectiveName, _ change: (inout OptimizeRequest) -> Void = { _ in }
    ) throws -> OptimizationResult {
        var request = OptimizeRequest(assets: panel.assets)
        request.objective = objective
        request.periodsPerYear = 252
        change(&request)
        let result = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: result)
        return result
    }

    @Test("weights do not depend on the unit of returns", arguments: [1e-6, 1e3])
    func scaling(scale: Double) throws {
        let columns = (try randomPanel(assets: 8, observations: 120, seed: 3))
        let plain = (0..<8).map { columns.column($0) }
        for objective in Self.objectives {
            // l of Utility has the unit 1 / return.
            let one = try solve(try madePanel(plain), objective)
            let other = try solve(try madePanel(plain.map { $0.map { scale * $0 } }), objective) {
                $0.riskAversion = 2 / scale
            }
            for (a, b) in zip(one.weights, other.weights) { #expect(abs(a - b) < 1e-9, "\(objective)") }
        }
    }

    @Test("a duplicated asset changes no objective", arguments: objectives)
    func duplicate(objective: ObjectiveName) throws {
        let panel = try randomPanel(assets: 6, observations: 100, seed: 11)
        let plain = (0..<6).map { panel.column($0) }
        let one = try solve(try madePanel(plain), objective)
        let two = try solve(try madePanel(plain + plain), objective)
        let value = one.solution.objectiveValue
        #expect(abs(two.solution.objectiveValue - value) <= 1e-9 * abs(value))
    }

    @Test("fewer observations than assets give a right answer", arguments: objectives)
    func shortHistory(objective: ObjectiveName) throws {
        let result = try solve(try randomPanel(assets: 30, observations: 12, seed: 5), objective)
        #expect(result.weights.allSatisfy { $0.isFinite && $0 >= 0 })
        #expect(abs(result.weights.reduce(0, +) - 1) <= 1e-12)
    }

    @Test("one asset takes the whole budget", arguments: objectives)
    func oneAsset(objective: ObjectiveName) throws {
        let result = try solve(try randomPanel(assets: 1, observations: 50, seed: 2), objective) {
            $0.frontier = .init(points: 5)
        }
        #expect(result.weights == [1])
        #expect(result.frontier?.count == 1)
        #expect(result.warnings.contains { $0.code == "frontier_degenerate" })
    }

    @Test("an asset without variance is chosen, or makes the ratio undefined")
    func riskless() throws {
        let panel = try randomPanel(assets: 3, observations: 80, seed: 9)
        let columns = (0..<3).map { panel.column($0) } + [[Double](repeating: 0.0002, count: 80)]
        let made = try madePanel(columns)
        let least = try solve(made, .minimumRisk)
        #expect(abs(least.weights[3] - 1) < 1e-9)
        #expect(least.solution.risk < 1e-9)
        #expect(problemCode { try solve(made, .sharpe) } == "OPT-203")
        // Above the asset's own return the ratio is defined again.
        let ratio = try solve(made, .sharpe) { $0.riskFreeRate = 252 * 0.0003 }
        #expect(ratio.solution.objectiveValue > 0)
    }

    @Test("constant returns give an answer with null ratios, or a typed error", arguments: objectives)
    func constant(objective: ObjectiveName) throws {
        let made = try madePanel([[Double](repeating: 0.001, count: 30), [Double](repeating: 0.002, count: 30)])
        if objective == .sharpe {
            #expect(problemCode { try solve(made, .sharpe) } == "OPT-203")
            return
        }
        let result = try solve(made, objective)
        #expect(result.metrics.first { $0.name == "sharpe_ratio" }?.value == nil)
        #expect(result.warnings.contains { $0.code == "undefined_metric" && $0.detail.contains("sharpe_ratio") })
    }

    @Test("no portfolio that beats the rate is an answer with that linear program's value")
    func rateTooHigh() throws {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 4)
        let problem = try #require(caught { try solve(panel, .sharpe) { $0.riskFreeRate = 50 } })
        #expect(problem.code == "OPT-203" && problem.status == 422)
        let best = (0..<5).map { panel.column($0).reduce(0, +) / 60 }.max() ?? 0
        let value = try #require(problem.extensions["best_excess_return"]?.doubleValue)
        #expect(abs(value - (best - 50.0 / 252)) < 1e-12)
        #expect(problem.errors.first?.pointer.description == "#/risk_free_rate")
    }

    @Test("five hundred assets take well under a second")
    func size() throws {
        let panel = try randomPanel(assets: 500, observations: 600, seed: 21)
        let clock = ContinuousClock()
        for objective in Self.objectives {
            let started = clock.now
            let result = try solve(panel, objective)
            print("n = 500, \(objective.rawValue): \(clock.now - started), \(result.solution.iterations) iterations")
            #expect(result.solution.dualityGap <= 1e-9)
        }
    }

    @Test("a cash range, gross exposure and annual levels are kept")
    func rules() throws {
        let panel = try randomPanel(assets: 6, observations: 90, seed: 31)
        let cash = try solve(panel, .utility) {
            $0.constraints.budget = .init(min: 0.2, max: 0.7)
            $0.riskAversion = 100
        }
        let total = cash.weights.reduce(0, +)
        #expect(total >= 0.2 - 1e-12 && total <= 0.7 + 1e-12)
        let gross = try solve(panel, .maximumReturn) {
            $0.constraints.lowerBound = .all(-0.5)
            $0.constraints.short = 0.5
            $0.constraints.gross = 1.3
        }
        #expect(gross.weights.reduce(0) { $0 + abs($1) } <= 1.3 + 1e-9)
        #expect(gross.weights.contains { $0 < 0 })
        let best = try solve(panel, .maximumReturn)
        let least = 0.9 * best.solution.expectedReturn
        let yearly = try solve(panel, .minimumRisk) {
            $0.constraints.minReturn = 252 * least
            $0.constraints.isAnnual = true
        }
        let daily = try solve(panel, .minimumRisk) { $0.constraints.minReturn = least }
        #expect(abs(yearly.solution.expectedReturn - least) <= 1e-12)
        #expect(zip(yearly.weights, daily.weights).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(daily.solution.binding.contains { $0.constraint == "min_return" && $0.dual > 0 })
    }

    @Test("a price says what one unit more room is worth")
    func prices() throws {
        let panel = try randomPanel(assets: 6, observations: 200, seed: 13)
        for objective in Self.objectives {
            func value(_ most: Double) throws -> OptimizationResult {
                try solve(panel, objective) {
                    $0.constraints.groups = [.init("G", ["A0", "A1", "A2"])]
                    $0.constraints.groupLimits = [.init(group: "G", min: nil, max: most)]
                    $0.constraints.upperBound = .all(0.6)
                }
            }
            let free = try solve(panel, objective) { $0.constraints.upperBound = .all(0.6) }
            let held = free.weights[0] + free.weights[1] + free.weights[2]
            guard held > 0.2 else { continue }
            let at = held - 0.1
            let (low, high) = (try value(at - 1e-5), try value(at + 1e-5))
            let sign = objective == .minimumRisk ? -1.0 : 1
            let slope = sign * (high.solution.objectiveValue - low.solution.objectiveValue) / 2e-5
            let price = try #require(
                try value(at).solution.binding.first { $0.constraint == "group_constraints.G.max" }?.dual)
            #expect(abs(price - slope) <= 1e-4 * abs(slope) + 1e-9, "\(objective): \(price) \(slope)")
        }
    }

    @Test("a deadline that has passed stops the solve")
    func deadline() throws {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 1)
        let flag = CancellationFlag()
        flag.cancel()
        let request = OptimizeRequest(assets: panel.assets)
        let code = problemCode {
            try PortfolioOptimization.run(request, panel: panel, deadline: SolverDeadline(flag: flag))
        }
        #expect(code == "SYS-201")
    }
}
