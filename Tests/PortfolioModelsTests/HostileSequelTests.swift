import ConvexSolver
import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// What `Benchmarks/hostile.py` and `Benchmarks/cross_check.py` found under seeds that nobody had seen, each reduced to its cause.
@Suite("Hostile requests, further ones")
struct HostileSequelTests {
    private func answer(
        _ panel: ReturnPanel, _ measure: RiskMeasureCode, _ apply: (inout OptimizeRequest) -> Void
    ) throws(Problem) -> OptimizationResult {
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.riskMeasure = measure
        request.constraints.isAnnual = false
        apply(&request)
        let found = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: found)
        return found
    }

    private func solve(_ request: OptimizeRequest, _ panel: ReturnPanel) throws -> MeanRiskSolve {
        let parameters = RiskParameters(request)
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let set = try ConstraintSet(
            request: request, mean: moments.mean, periodsPerYear: 252, panel: panel, parameters: parameters)
        return MeanRiskSolve(
            request: request, panel: panel, moments: moments, isSample: true, constraints: set, parameters: parameters,
            riskFreeRate: 0, deadline: .none)
    }

    @Test("two limits without room between them are an equality", arguments: RiskMeasureCode.optimisable)
    func equalLimits(code: RiskMeasureCode) throws {
        for seed in UInt64(201)...203 {
            let panel = try randomPanel(assets: 8, observations: 118, seed: seed)
            for level in [0.8033219453730027, 0.3] {
                for objective in [ObjectiveName.minimumRisk, .utility] {
                    let found = try answer(panel, code) {
                        $0.objective = objective
                        $0.constraints.groups = [.init("G", Array(panel.assets.prefix(6)))]
                        $0.constraints.groupLimits = [.init(group: "G", min: level, max: level)]
                    }
                    #expect(abs(found.weights.prefix(6).reduce(0, +) - level) <= 1e-9 * level)
                }
            }
        }
    }

    @Test("an equality of two limits names the one that is paid")
    func equalLimitsPrices() throws {
        let panel = try randomPanel(assets: 5, observations: 80, seed: 204)
        let free = try answer(panel, .mad) { $0.objective = .minimumRisk }
        let share = free.weights.prefix(2).reduce(0, +)
        for (level, name) in [(share / 2, "group_constraints.G.max"), ((1 + share) / 2, "group_constraints.G.min")] {
            let found = try answer(panel, .mad) {
                $0.objective = .minimumRisk
                $0.constraints.groups = [.init("G", Array(panel.assets.prefix(2)))]
                $0.constraints.groupLimits = [.init(group: "G", min: level, max: level)]
            }
            let paid = found.prices.filter { $0.constraint.hasPrefix("group_constraints") }
            #expect(paid.map { $0.constraint } == [name])
            #expect(paid.allSatisfy { $0.dual > 0 })
        }
    }

    @Test("a ratio for which limits of concentration leave nothing is none", arguments: RiskMeasureCode.optimisable)
    func noExcessWithinLimits(code: RiskMeasureCode) throws {
        // One asset beats the rate, and too little of it may be held.
        let plain = try randomPanel(assets: 6, observations: 60, seed: 205)
        let panel = try madePanel(
            (0..<6).map { i in
                let own = plain.column(i)
                let mean = own.reduce(0, +) / 60
                return own.map { $0 - mean + (i == 0 ? 0.002 : -0.002) }
            })
        let problem = caught {
            _ = try answer(panel, code) {
                $0.objective = .sharpe
                $0.constraints.effectiveAssets = 5
            }
        }
        #expect(problem?.code == "OPT-203", "\(code): \(problem?.detail ?? "answered")")
    }

    @Test(
        "growth beside cash at a rate of nothing: the ratio of the means, nearly",
        arguments: RiskMeasureCode.optimisable)
    func growthBesideCash(code: RiskMeasureCode) throws {
        let degree = RiskMeasures.all.first { $0.code == code }?.degree
        for kelly in [KellyMode.approx, .exact] {
            let plain = try randomPanel(assets: 6, observations: 166, seed: 206)
            let panel = try madePanel((0..<6).map { i in plain.column(i).map { i == 0 ? 0 : $0 + 0.0005 } })
            func ratio(_ kelly: KellyMode) throws(Problem) -> OptimizationResult {
                try answer(panel, code) {
                    $0.objective = .sharpe
                    $0.kelly = kelly
                    $0.constraints.maxRisk = [.init(measure: .cvar, level: 0.02)]
                }
            }
            if degree == 2 {
                // A square falls faster than the return: there is no end.
                #expect(caught { _ = try ratio(kelly) }?.code == "OPT-203")
                continue
            }
            let (own, means) = (try ratio(kelly), try ratio(.none))
            #expect(own.solution.dualityGap <= 1e-6)
            let size = means.solution.objectiveValue
            #expect(own.solution.objectiveValue <= size * (1 + 1e-9), "\(code)")
            #expect(own.solution.objectiveValue >= size * (1 - 1e-6), "\(code)")
        }
    }

    @Test("impact a hundred thousand times the risk", arguments: [RiskMeasureCode.skt, .esm, .em, .kt])
    func tinyReturns(code: RiskMeasureCode) throws {
        let plain = try randomPanel(assets: 3, observations: 79, seed: 207)
        let panel = try madePanel((0..<3).map { i in plain.column(i).map { $0 * 1e-6 } })
        let from = zip(panel.assets, [0.1655, 0.5729, 0.2616]).map { ConstraintRequest.AssetValue($0, $1) }
        let found = try answer(panel, code) {
            $0.objective = .minimumRisk
            $0.constraints.costs = .init(from: from, linear: nil, impact: .all(7e-10), horizon: 1)
        }
        #expect(found.solution.dualityGap <= 1e-7)
    }

    @Test("a soft level that is just kept costs what rounding leaves of it")
    func softRounding() throws {
        let panel = try randomPanel(assets: 10, observations: 24, seed: 208)
        var request = OptimizeRequest(assets: panel.assets)
        request.constraints.turnover = .init(
            from: panel.assets.map { .init($0, 0.1) }, perAsset: 0.22368130908836398, total: nil)
        request.constraints.soft = [.init(constraint: "turnover", weight: 1409.8)]
        let rules = RequestRules(request, panel: panel, periodsPerYear: 252)
        var weights = [Double](repeating: 0.1, count: 10)
        weights[0] += 0.22368130908836398
        weights[1] -= 0.1
        weights[2] -= 0.1
        weights[3] -= 0.02368130908836398
        #expect(rules.penalty(at: weights) <= rules.penaltyRounding(at: weights))
        #expect(rules.penaltyRounding(at: weights) < 1e-10)
    }

    @Test("a row is broken by what is missing of its own terms")
    func residuals() throws {
        let panel = try randomPanel(assets: 4, observations: 20, seed: 209)
        var request = OptimizeRequest(assets: panel.assets)
        request.constraints.groups = [.init("G", ["A0"])]
        request.constraints.groupLimits = [.init(group: "G", min: 1e-3, max: nil)]
        let set = try ConstraintSet(
            request: request, mean: panel.assets.map { _ in 0 }, periodsPerYear: 252, panel: panel,
            parameters: RiskParameters(request))
        let miss = 1e-12
        let weights = [1e-3 - miss, 0.5, 0.25, 0.25 - 1e-3 + miss]
        #expect(abs(set.linearResidual(at: weights) - miss / 1e-3) <= 2e-12)
        #expect(set.residual(at: weights) == set.linearResidual(at: weights))
    }

    @Test("limits that the best portfolio keeps by itself need not be solved for")
    func neededLimits() throws {
        let panel = try randomPanel(assets: 8, observations: 60, seed: 210)
        var request = OptimizeRequest(assets: panel.assets)
        (request.riskMeasure, request.objective, request.periodsPerYear) = (.ulcerIndex, .utility, 252)
        request.constraints.isAnnual = false
        let free = try PortfolioOptimization.run(request, panel: panel)
        func risk(_ code: RiskMeasureCode) -> Double {
            RiskMeasures.measure(code, RiskParameters())?.value(of: panel.portfolioReturns(free.weights)) ?? .nan
        }
        // One is kept with room, the other has to be paid for.
        request.constraints.maxRisk = [
            .init(measure: .evarRange, level: 1.3 * risk(.evarRange)), .init(measure: .cvar, level: 0.95 * risk(.cvar)),
        ]
        let solve = try self.solve(request, panel)
        let whole = try solve.run()
        let found = try #require(try solve.withNeededLimits(whole.meanRisk))
        #expect(found.isFullyProven)
        let size = abs(whole.solution.objectiveValue)
        #expect(abs(found.solution.objectiveValue - whole.solution.objectiveValue) <= 1e-7 * size)
        #expect(found.prices.contains { $0.constraint == "max_risk.CVaR" && $0.dual > 0 })
        #expect(!found.prices.contains { $0.constraint == "max_risk.EVRG" })
    }

    @Test("being beyond a soft least return of tiny returns is no rounding", arguments: [1, 1e-6])
    func softOfTinyReturns(scale: Double) throws {
        let panel = try randomPanel(assets: 7, observations: 37, seed: 205, scale: 0.01 * scale)
        let mean = panel.assets.indices.map { panel.column($0).reduce(0, +) / 37 }
        let found = try answer(panel, .cvarRange) {
            $0.objective = .utility
            $0.riskAversion = 0.3
            $0.constraints.minReturn = mean.max()
            $0.constraints.benchmark = panel.assets.map { .init($0, 1.0 / 7) }
            $0.constraints.trackingError = 0.003 * scale
            $0.constraints.soft = [.init(constraint: "min_return", weight: 0.01)]
        }
        #expect(found.solution.dualityGap <= 1e-8)
        #expect(found.warnings.contains { $0.code == "soft_limit_exceeded" })
    }

    @Test("a soft limit of risk that is just kept is verified up to its own rounding", arguments: [1e3, 1e6, 1e9])
    func heavyPenalty(weight: Double) throws {
        let panel = try randomPanel(assets: 6, observations: 90, seed: 207, scale: 10)
        let free = try answer(panel, .cvar) { $0.objective = .maximumReturn }
        let risk = RiskMeasures.measure(.rlvarRange, RiskParameters())?.value(of: panel.portfolioReturns(free.weights))
        for share in [0.7, 0.8, 0.9] {
            let found = try answer(panel, .cvar) {
                $0.objective = .maximumReturn
                $0.constraints.maxRisk = [.init(measure: .rlvarRange, level: share * (risk ?? .nan))]
                $0.constraints.soft = [.init(constraint: "max_risk", weight: weight)]
            }
            #expect(found.solution.objectiveValue < free.solution.objectiveValue)
        }
    }

    @Test("soft limits of risk whose penalty outweighs them are solved as hard ones", arguments: ObjectiveName.allCases)
    func hardenedLimits(objective: ObjectiveName) throws {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 211)
        var request = OptimizeRequest(assets: panel.assets)
        (request.riskMeasure, request.objective, request.periodsPerYear) = (.cdar, objective, 252)
        request.constraints.isAnnual = false
        let free = try PortfolioOptimization.run(request, panel: panel)
        func risk(_ code: RiskMeasureCode) -> Double {
            RiskMeasures.measure(code, RiskParameters())?.value(of: panel.portfolioReturns(free.weights)) ?? .nan
        }
        request.constraints.maxRisk = [
            .init(measure: .evar, level: 0.98 * risk(.evar)), .init(measure: .tailGini, level: 1.5 * risk(.tailGini)),
        ]
        request.constraints.soft = [.init(constraint: "max_risk", weight: 1e2)]
        let solve = try self.solve(request, panel)
        let whole = try solve.run()
        let found = try #require(try solve.withHardLimits(whole.meanRisk))
        // What the solve of hard limits leaves beyond them costs its penalty.
        #expect(found.isProven && whole.isFullyProven)
        let size = max(abs(whole.solution.objectiveValue), 1e-3 * abs(whole.solution.risk))
        #expect(abs(found.solution.objectiveValue - whole.solution.objectiveValue) <= 1e-6 * size)
        // A penalty that is worth paying is not outweighed.
        request.constraints.soft = [.init(constraint: "max_risk", weight: 1e-6)]
        let cheap = try self.solve(request, panel)
        if objective != .minimumRisk {
            #expect(try cheap.withHardLimits(try cheap.run().meanRisk) == nil)
        }
    }
}
