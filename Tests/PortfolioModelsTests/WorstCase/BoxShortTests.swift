import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// A box of covariances with weights that may be short: which corner is worst depends on the weights' signs.
@Suite("Boxes of covariances with shorts")
struct BoxShortTests {
    private func request(
        _ panel: ReturnPanel, _ objective: ObjectiveName, method: UncertaintyRequest.Method, delta: Double
    ) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = .worstCase
        request.objective = objective
        request.periodsPerYear = 252
        request.riskFreeRate = -2
        request.constraints.short = 0.6
        request.constraints.upperBound = .all(1.6)
        var sets = UncertaintyRequest()
        sets.mean = .init(shape: .box, method: method)
        sets.covariance = .init(shape: .box, method: method)
        (sets.mean.delta, sets.covariance.delta) = (delta, delta)
        (sets.mean.samples, sets.covariance.samples) = (200, 200)
        request.uncertainty = sets
        return request
    }

    @Test(
        "are proven, zeros at kinks included, and no random portfolio does better",
        arguments: [UInt64(61), 62, 63, 64, 65, 66])
    func proven(seed: UInt64) throws {
        let panel = try randomPanel(assets: 6, observations: 250, seed: seed)
        var kinks = 0
        for (method, delta) in [(UncertaintyRequest.Method.delta, 0.05), (.delta, 0.2), (.normal, 0), (.stationary, 0)]
        {
            for objective in [ObjectiveName.minimumRisk, .utility, .sharpe] {
                let wanted = request(panel, objective, method: method, delta: delta)
                var answer: OptimizationResult?
                let problem = caught { answer = try PortfolioOptimization.run(wanted, panel: panel) }
                if let problem { Issue.record("\(method) \(delta) \(objective): \(problem)") }
                guard let found = answer else { continue }
                #expect(
                    Verification.faults(wanted, panel: panel, result: found) == [], "\(method) \(delta) \(objective)")
                #expect(found.solution.dualityGap <= 1e-8, "\(method) \(delta) \(objective)")
                kinks += found.weights.filter { $0 == 0 }.count
                let sets = try UncertaintySets(try #require(wanted.uncertainty), panel: panel)
                let means = panel.assets.indices.map { panel.column($0).reduce(0, +) / Double(panel.observations) }
                func value(_ w: [Double]) throws -> Double {
                    let worst = try #require(sets.mean).worstReturn(w, mean: means)
                    guard case .box(let lower, let upper)? = sets.covariance else { return .nan }
                    var variance = 0.0
                    for i in w.indices {
                        for j in w.indices {
                            variance += w[i] * w[j] * (w[i] * w[j] < 0 ? lower[i, j] : upper[i, j])
                        }
                    }
                    return switch objective {
                    case .minimumRisk: -variance.squareRoot()
                    case .sharpe: (worst + 2 / 252) / variance.squareRoot()
                    default: worst - wanted.riskAversion * variance
                    }
                }
                let best = try value(found.weights)
                #expect(
                    abs(abs(best) - abs(found.solution.objectiveValue)) <= 1e-9 * abs(best),
                    "\(method) \(objective): \(best), \(found.solution.objectiveValue)")
                var numbers = RepeatableNumbers(seed: seed + 100)
                for round in 0..<4000 {
                    // Near the answer, then anywhere.
                    let size = round < 3000 ? Double.pow10(-Double(round % 5)) : 1
                    var w = found.weights.map { $0 + size * numbers.next() * (round < 3000 ? 0.3 : 1) }
                    let shift = (1 - w.reduce(0, +)) / Double(w.count)
                    w = w.map { $0 + shift }
                    guard w.reduce(0, { $0 + max(-$1, 0) }) <= 0.6, w.allSatisfy({ $0 <= 1.6 && $0 >= -0.6 }) else {
                        continue
                    }
                    #expect(try value(w) <= best + 1e-9 * abs(best), "\(method) \(delta) \(objective)")
                }
            }
        }
        #expect(kinks > 0)
    }
}

extension Double {
    fileprivate static func pow10(_ exponent: Double) -> Double {
        var result = 1.0
        for _ in 0..<Int(-exponent) { result /= 10 }
        return result
    }
}
