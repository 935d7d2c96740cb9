import Foundation
import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Risk under probabilities")
struct WeightedRiskTests {
    /// Their entropy depends on how many periods there are, impossible ones included.
    static let relativistic: Set<RiskMeasureCode> = [.rlvar, .rlvarRange, .rldar]
    static let codes = WeightedRisk.codes.sorted { $0.rawValue < $1.rawValue }

    private func series(_ count: Int, seed: UInt64) -> [Double] {
        var numbers = RepeatableNumbers(seed: seed)
        return (0..<count).map { _ in 0.01 * numbers.normal() + 0.0005 }
    }

    private var parameters: RiskParameters { RiskParameters(alpha: 0.1, beta: 0.2, power: 3, target: 0.001) }

    @Test("Equal probabilities give the registry's value and derivative", arguments: codes)
    func equal(code: RiskMeasureCode) throws {
        let x = series(73, seed: 5)
        let risk = try #require(
            WeightedRisk(code, parameters, probabilities: [Double](repeating: 1 / 73.0, count: 73)))
        let measure = try #require(RiskMeasures.measure(code, parameters))
        let value = measure.value(of: x)
        #expect(abs(risk.value(of: x) - value) <= 1e-10 * value)
        let size = measure.sensitivity(at: x).reduce(0) { max($0, abs($1)) }
        for (a, b) in zip(risk.sensitivity(at: x), measure.sensitivity(at: x)) { #expect(abs(a - b) <= 1e-6 * size) }
    }

    @Test(
        "A period of double weight is that period twice, where order in time plays no part",
        arguments: codes.filter {
            ![.msv, .slpm, .gmd, .maximumDrawdown, .averageDrawdown, .ulcerIndex, .cdar, .edar].contains($0)
                && !relativistic.contains($0)
        })
    func replicated(code: RiskMeasureCode) throws {
        let x = series(40, seed: 9)
        var weights = [Double](repeating: 1, count: 40)
        for t in stride(from: 0, to: 40, by: 3) { weights[t] = 2 }
        let total = weights.reduce(0, +)
        let risk = try #require(WeightedRisk(code, parameters, probabilities: weights.map { $0 / total }))
        let twice = x.indices.flatMap { [Double](repeating: x[$0], count: Int(weights[$0])) }
        let value = try #require(RiskMeasures.measure(code, parameters)).value(of: twice)
        #expect(abs(risk.value(of: x) - value) <= 1e-10 * value)
    }

    @Test("Periods of zero weight are not there", arguments: codes.filter { !relativistic.contains($0) })
    func absent(code: RiskMeasureCode) throws {
        var x = series(30, seed: 4)
        var weights = (0..<30).map { 1 + Double($0 % 4) }
        let total = weights.reduce(0, +)
        weights = weights.map { $0 / total }
        let drawdowns: Set<RiskMeasureCode> = [.maximumDrawdown, .averageDrawdown, .ulcerIndex, .cdar, .edar]
        let risk = try #require(WeightedRisk(code, parameters, probabilities: weights)).value(of: x)
        // A last period without return and without probability, or anywhere where no path matters, an extreme one.
        x.append(drawdowns.contains(code) ? 0 : -5)
        let more = try #require(WeightedRisk(code, parameters, probabilities: weights + [0])).value(of: x)
        let unbiased: Set<RiskMeasureCode> = [.msv, .slpm]
        let ratio = (31.0 / 30) / (30.0 / 29)
        let factor = code == .gmd ? ratio : (unbiased.contains(code) ? ratio.squareRoot() : 1)
        #expect(abs(more - factor * risk) <= 1e-10 * risk)
    }

    @Test("The derivative is that of the value", arguments: codes)
    func derivative(code: RiskMeasureCode) throws {
        let x = series(25, seed: 12)
        var weights = (0..<25).map { 1 + Double(($0 * 7) % 5) }
        let total = weights.reduce(0, +)
        weights = weights.map { $0 / total }
        let risk = try #require(WeightedRisk(code, parameters, probabilities: weights))
        let slope = risk.sensitivity(at: x)
        let size = slope.reduce(0) { max($0, abs($1)) }
        for t in x.indices {
            var (up, down) = (x, x)
            up[t] += 1e-7
            down[t] -= 1e-7
            let difference = (risk.value(of: up) - risk.value(of: down)) / 2e-7
            #expect(abs(difference - slope[t]) <= 2e-5 * size, "\(t)")
        }
    }

    @Test(
        "Entropy pooling reaches the measure: the answer verifies and depends on the views",
        arguments: codes.filter { $0 != .slpm && $0 != .flpm } + [.slpm])
    func pooled(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 4, observations: code == .gmd ? 90 : 200, seed: 21)
        func solve(_ texts: [String]) throws -> OptimizationResult {
            let body: JSONValue = [
                "assets": JSONValue(panel.assets), "model": "EP", "objective": "MinRisk",
                "risk_measure": .string(code.rawValue), "views": ["items": JSONValue(texts)],
            ]
            let request = try OptimizeRequest(json: body)
            let result = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: result) == [])
            return result
        }
        let calm = try solve(["A0 >= -1"])
        let wild = try solve(["std(A0) == 0.02"])
        // The largest loss of possible periods is the same whatever their probabilities.
        let isExtreme = [.worstRealisation, .range, .maximumDrawdown].contains(code)
        #expect((abs(wild.solution.risk - calm.solution.risk) > 1e-3 * calm.solution.risk) == !isExtreme)
        var plain = OptimizeRequest(assets: panel.assets)
        plain.riskMeasure = code
        plain.objective = .minimumRisk
        let sample = try PortfolioOptimization.run(plain, panel: panel)
        #expect(abs(calm.solution.risk - sample.solution.risk) <= 1e-6 * sample.solution.risk)
    }

    /// T / (T - 1) times the mean difference of two draws, by all of them.
    @Test("The mean difference under probabilities is that of all pairs")
    func pairs() throws {
        let x = series(40, seed: 31)
        let raw = (0..<40).map { 1 + Double(($0 * 11) % 7) }
        let weights = raw.map { $0 / raw.reduce(0, +) }
        var expected = 0.0
        for s in x.indices { for t in x.indices { expected += weights[s] * weights[t] * abs(x[s] - x[t]) } }
        expected *= 40.0 / 39
        let found = try #require(WeightedRisk(.gmd, parameters, probabilities: weights)).value(of: x)
        #expect(abs(found - expected) <= 1e-13 * expected)
    }

    /// max -q.x over the ball of the deformed entropy about T p: no member of the ball does better, and the value is one's.
    @Test("The relativistic measure under probabilities is the worst mean over its ball")
    func ball() throws {
        let x = series(50, seed: 33)
        let raw = (0..<50).map { 1 + Double(($0 * 11) % 7) }
        let weights = raw.map { $0 / raw.reduce(0, +) }
        let risk = try #require(WeightedRisk(.rlvar, parameters, probabilities: weights))
        let q = risk.sensitivity(at: x).map { -$0 }
        let (kappa, alpha) = (parameters.kappa, parameters.alpha)
        func entropy(_ q: [Double]) -> Double {
            var sum = 0.0
            for t in q.indices {
                let times = 50 * weights[t]
                let ratio = q[t] / times
                sum += times * (pow(ratio, 1 + kappa) - pow(ratio, 1 - kappa)) / (2 * kappa)
            }
            return sum
        }
        let radius = (pow(1 / (50 * alpha), kappa) - pow(1 / (50 * alpha), -kappa)) / (2 * kappa)
        #expect(abs(q.reduce(0, +) - 1) <= 1e-12)
        #expect(abs(entropy(q) - radius) <= 1e-7 * abs(radius))
        let value = zip(q, x).reduce(0) { $0 - $1.0 * $1.1 }
        #expect(abs(risk.value(of: x) - value) <= 1e-9 * value)
        // Mass moved between any two periods leaves the ball or loses.
        for s in x.indices {
            let t = (s * 7 + 3) % 50
            var moved = q
            let step = 1e-4 * min(q[s], q[t])
            moved[s] -= step
            moved[t] += step
            let better = zip(moved, x).reduce(0) { $0 - $1.0 * $1.1 } > value
            #expect(s == t || !better || entropy(moved) > radius)
        }
    }

    @Test(
        "A limit of a risk counts the same probabilities",
        arguments: [RiskMeasureCode.cvar, .mad, .gmd, .tailGini, .rlvar, .cdar, .slpm])
    func limited(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 4, observations: 80, seed: 22)
        var request = OptimizeRequest(assets: panel.assets)
        request.objective = .maximumReturn
        request.periodsPerYear = 252
        request.constraints.isAnnual = false
        request.scenarioWeights = .halfLife(25)
        let probabilities = (0..<80).map { exp2(Double($0 - 79) / 25) }
        let total = probabilities.reduce(0, +)
        let risk = try #require(
            WeightedRisk(code, RiskParameters(request), probabilities: probabilities.map { $0 / total }))
        let equal = [Double](repeating: 0.25, count: 4)
        let level = risk.value(of: panel.portfolioReturns(equal))
        request.constraints.maxRisk = [.init(measure: code, level: level)]
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        let own = risk.value(of: panel.portfolioReturns(found.weights))
        #expect(own <= level * (1 + 1e-7))
        let mean = zip(panel.portfolioReturns(equal), probabilities).reduce(0) { $0 + $1.0 * $1.1 } / total
        #expect(found.solution.expectedReturn > mean)
    }

    @Test(
        "Contributions of a lower partial moment under probabilities add up to it",
        arguments: [RiskMeasureCode.flpm, .slpm])
    func target(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 4, observations: 80, seed: 23)
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = code
        request.objective = .minimumRisk
        request.target = 0.004
        request.periodsPerYear = 252
        request.scenarioWeights = .halfLife(25)
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        let sum = found.riskContributions.reduce(0, +)
        #expect(abs(sum - found.solution.risk) <= 1e-9 * found.solution.risk)
    }

    @Test("What probabilities mean nothing to is refused by name")
    func refused() throws {
        let panel = try randomPanel(assets: 3, observations: 30, seed: 24)
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.scenarioWeights = .given((0..<30).map { $0 == 4 ? 0 : 1 })
        request.riskMeasure = .worstRealisation
        let impossible = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(impossible.errors.first?.pointer.description == "#/risk_measure")
        request.riskMeasure = .cvar
        request.model = .orderedWeightedAverage
        let ranked = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(ranked.errors.first?.pointer.description == "#/scenario_weights")
    }
}
