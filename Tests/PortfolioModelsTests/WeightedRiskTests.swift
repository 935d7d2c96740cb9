import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Risk under probabilities")
struct WeightedRiskTests {
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
            ![.msv, .slpm, .maximumDrawdown, .averageDrawdown, .ulcerIndex, .cdar, .edar].contains($0)
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

    @Test("Periods of zero weight are not there", arguments: codes)
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
        let factor = unbiased.contains(code) ? ((31.0 / 30) / (30.0 / 29)).squareRoot() : 1
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
        arguments: [RiskMeasureCode.cvar, .mad, .msv, .cdar, .evar, .slpm, .ulcerIndex])
    func pooled(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 4, observations: 200, seed: 21)
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
        #expect(abs(wild.solution.risk - calm.solution.risk) > 1e-3 * calm.solution.risk)
        var plain = OptimizeRequest(assets: panel.assets)
        plain.riskMeasure = code
        plain.objective = .minimumRisk
        let sample = try PortfolioOptimization.run(plain, panel: panel)
        #expect(abs(calm.solution.risk - sample.solution.risk) <= 1e-6 * sample.solution.risk)
    }
}
