import Foundation
import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// What must hold for every measure on data that no oracle knows: scale, duplicates, flat assets, short histories, shorts.
@Suite("Every measure")
struct MeasurePropertyTests {
    static let measures = RiskMeasureCode.optimisable
    private static let objectives = [ObjectiveName.minimumRisk, .utility, .sharpe]

    /// The answer, verified.
    private func solve(
        _ panel: ReturnPanel, _ measure: RiskMeasureCode, _ objective: ObjectiveName,
        _ change: (inout OptimizeRequest) -> Void = { _ in }
    ) throws -> OptimizationResult {
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = measure
        request.objective = objective
        request.periodsPerYear = 252
        change(&request)
        let result = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: result)
        #expect(
            result.solution.dualityGap <= Verification.largestGap,
            "\(measure) \(objective): \(result.solution.dualityGap)")
        return result
    }

    /// What the objective is at given weights, and the direction in which it is better.
    private func value(
        _ panel: ReturnPanel, _ weights: [Double], _ measure: RiskMeasureCode, _ objective: ObjectiveName,
        rate: Double = 0, aversion: Double = 2
    ) -> (value: Double, sign: Double) {
        var x = [Double](repeating: 0, count: panel.observations)
        for (asset, weight) in weights.enumerated() where weight != 0 {
            for (t, value) in panel.column(asset).enumerated() { x[t] += weight * value }
        }
        var plain = PlainRisk()
        plain.target = objective == .sharpe ? rate : 0
        let mean = x.reduce(0, +) / Double(x.count)
        let risk = plain.value(measure, x)
        return switch objective {
        case .minimumRisk: (risk, -1)
        case .utility: (mean - aversion * (measure == .mv ? risk * risk : risk), 1)
        case .sharpe: ((mean - rate) / risk, 1)
        case .maximumReturn: (mean, 1)
        }
    }

    private static func isEntropic(_ measure: RiskMeasureCode) -> Bool {
        [.evar, .rlvar, .evarRange, .rlvarRange, .edar, .rldar].contains(measure)
    }

    @Test("weights follow the data through any unit of returns", arguments: measures)
    func scales(measure: RiskMeasureCode) throws {
        let base = try randomPanel(assets: 6, observations: 90, seed: 23)
        let columns = (0..<6).map { base.column($0) }
        for objective in [ObjectiveName.minimumRisk, .sharpe] {
            let plain = try solve(base, measure, objective)
            let best = value(base, plain.weights, measure, objective)
            for scale in [1e-6, 1e3] {
                let panel = try madePanel(columns.map { $0.map { scale * $0 } })
                let other = try solve(panel, measure, objective)
                // Judged on the unscaled data: the weights of one are as good as those of the other.
                let own = value(base, other.weights, measure, objective)
                let miss = best.sign * (best.value - own.value) / abs(best.value)
                #expect(miss <= (Self.isEntropic(measure) ? 1e-6 : 1e-7), "\(measure) \(objective) x \(scale): \(miss)")
            }
        }
    }

    @Test("a duplicated asset changes no value", arguments: measures)
    func duplicates(measure: RiskMeasureCode) throws {
        let base = try randomPanel(assets: 5, observations: 80, seed: 29)
        let columns = (0..<5).map { base.column($0) }
        for objective in Self.objectives {
            let one = try solve(base, measure, objective)
            let two = try solve(try madePanel(columns + columns), measure, objective)
            let size = abs(one.solution.objectiveValue)
            let miss = abs(one.solution.objectiveValue - two.solution.objectiveValue) / size
            #expect(miss <= (Self.isEntropic(measure) ? 1e-6 : 1e-7), "\(measure) \(objective): \(miss)")
        }
    }

    @Test(
        "an asset without variance is held, or makes the ratio undefined, never an error of ours", arguments: measures)
    func flat(measure: RiskMeasureCode) throws {
        let base = try randomPanel(assets: 4, observations: 70, seed: 31)
        let columns = (0..<4).map { base.column($0) } + [[Double](repeating: 0.0002, count: 70)]
        let panel = try madePanel(columns)
        for objective in Self.objectives {
            let problem = caught { _ = try solve(panel, measure, objective) }
            guard let problem else { continue }
            // The corner at a risk of nothing still defeats the solver now and then: a typed refusal, not an answer.
            let isCorner = measure != .mv && ["OPT-201", "OPT-202", "SYS-301"].contains(problem.code)
            if isCorner {
                withKnownIssue("\(measure) \(objective) at a risk of zero") { Issue.record("\(problem)") }
            } else {
                #expect(problem.code == "OPT-203", "\(measure) \(objective): \(problem)")
            }
        }
    }

    @Test("fewer observations than assets give a right answer", arguments: measures)
    func shortHistory(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 25, observations: 14, seed: 37)
        for objective in Self.objectives {
            let problem = caught {
                let result = try solve(panel, measure, objective)
                #expect(abs(result.weights.reduce(0, +) - 1) <= 1e-12)
                #expect(result.weights.allSatisfy { $0 >= 0 })
            }
            // A portfolio without risk may exist where there are fewer dates than assets.
            if let problem { #expect(problem.code == "OPT-203", "\(measure) \(objective): \(problem)") }
        }
    }

    @Test("shorts are used within their limits", arguments: measures)
    func longShort(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 8, observations: 120, seed: 41)
        try withKnownIssue("EVaR with shorts is not proven to 1e-8", isIntermittent: true) {
            try shorts(panel, measure)
        } when: {
            measure == .evar
        }
    }

    private func shorts(_ panel: ReturnPanel, _ measure: RiskMeasureCode) throws {
        for objective in Self.objectives {
            let long = try solve(panel, measure, objective)
            let result = try solve(panel, measure, objective) {
                $0.constraints.lowerBound = .all(-0.2)
                $0.constraints.short = 0.3
            }
            #expect(result.weights.reduce(0) { $0 + max(-$1, 0) } <= 0.3 + 1e-9)
            // More room never makes the best worse.
            let sign = objective == .minimumRisk ? -1.0 : 1
            let gain = sign * (result.solution.objectiveValue - long.solution.objectiveValue)
            #expect(gain >= -1e-7 * abs(long.solution.objectiveValue), "\(measure) \(objective): \(gain)")
        }
    }

    @Test("real windows: no exchange between two assets improves the answer", arguments: measures)
    func realWindows(measure: RiskMeasureCode) throws {
        guard Oracle.isPresent, let all = try Windows.all() else { return }
        var numbers = RepeatableNumbers(seed: 97)
        _ = numbers.next()
        for index in 0..<6 {
            let assets = 5 + numbers.pick(16)
            let observations = 60 + numbers.pick(Self.isEntropic(measure) ? 340 : 1441)
            let start = numbers.pick(all[0].count - observations)
            let first = numbers.pick(20)
            let columns = (0..<assets).map { Array(all[(first + 7 * $0) % 20][start..<(start + observations)]) }
            let panel = try madePanel(columns)
            let objective = Self.objectives[index % 3]
            var found: OptimizationResult?
            let problem = caught { found = try solve(panel, measure, objective) }
            if let problem {
                #expect(problem.code == "OPT-203", "\(measure) \(objective) window \(index): \(problem)")
                continue
            }
            guard let result = found else { return }
            let best = value(panel, result.weights, measure, objective)
            let held = result.weights.indices.filter { result.weights[$0] > 1e-3 }
            for _ in 0..<40 {
                guard let from = held.isEmpty ? nil : held[numbers.pick(held.count)] else { continue }
                let to = numbers.pick(assets)
                var weights = result.weights
                let step = min(weights[from], 1e-3 * abs(numbers.next()))
                weights[from] -= step
                weights[to] += step
                let other = value(panel, weights, measure, objective)
                let gain = best.sign * (other.value - best.value) / abs(best.value)
                #expect(gain <= 1e-7, "\(measure) \(objective) window \(index): \(from) -> \(to) gains \(gain)")
            }
        }
    }
}

/// Returns of the 20 real stocks.
enum Windows {
    static func all() throws -> [[Double]]? {
        guard let url = SharedFolder.url("data/prices_sp500_20.csv") else { return nil }
        let lines = try String(contentsOf: url, encoding: .utf8).split(whereSeparator: { $0.isNewline }).dropFirst()
        var prices: [[Double]] = []
        for line in lines {
            let cells = line.split(separator: ",", omittingEmptySubsequences: false).dropFirst()
            let row = cells.compactMap { Double($0) }
            if row.count == 20, row.allSatisfy({ $0 > 0 }) { prices.append(row) }
        }
        var columns = [[Double]](repeating: [], count: 20)
        for (before, after) in zip(prices, prices.dropFirst()) {
            for asset in 0..<20 { columns[asset].append(after[asset] / before[asset] - 1) }
        }
        return columns
    }
}
