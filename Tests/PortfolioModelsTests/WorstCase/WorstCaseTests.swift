import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

@Suite("Worst case against the oracle", .enabled(if: Oracle.isPresent, "shared/oracle is not here"))
struct WorstCaseOracleTests {
    private func set(_ shape: String?, delta: Double, q: Double) -> JSONValue {
        switch shape {
        case "box": ["set": "box", "method": "delta", "delta": JSONValue(delta)]
        case "ellip": ["set": "ellipsoid", "method": "normal", "k": "general", "q": JSONValue(q), "diagonal": false]
        default: ["set": "none"]
        }
    }

    @Test("boxes and ellipsoids of mean and covariance", arguments: ["sp500_n10_T500", "sp500_n20_T1008"])
    func sets(window: String) throws {
        let panel = try Oracle.panel(window)
        var compared = 0
        for record in try Oracle.records("worst_case", window) where record["kind"]?.stringValue != "sets" {
            let parameters = try #require(record["params"])
            let (ofMean, ofCovariance) = (record["U_mean"]?.stringValue, record["U_cov"]?.stringValue)
            let objective = try record.text("obj")
            let label = "\(objective) \(ofMean ?? "-") \(ofCovariance ?? "-")"
            let q = try parameters.number("q")
            let request = try OptimizeRequest(
                json: [
                    "assets": JSONValue(panel.assets), "model": "WorstCase", "objective": .string(objective),
                    "periods_per_year": 252, "risk_aversion": JSONValue(try parameters.number("l")),
                    "risk_free_rate": JSONValue(252 * (try parameters.number("rf"))),
                    "uncertainty": [
                        "mean": set(ofMean, delta: try parameters.number("dmu"), q: q),
                        "covariance": set(ofCovariance, delta: try parameters.number("dcov"), q: q),
                    ],
                ])
            guard record["note"]?.stringValue?.contains("ill-posed") != true, objective != "Sharpe" || ofMean != "ellip"
            else {
                // No worst return beats the rate: a ratio below zero is no optimum worth having.
                #expect(problemCode { try PortfolioOptimization.run(request, panel: panel) } == "OPT-203", "\(label)")
                continue
            }
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(label)")
            #expect(found.solution.dualityGap <= 1e-9, "\(label)")
            // Riskfolio-Lib's ratio with an ellipsoid of covariances divides by the variance: no value to compare with.
            guard let value = record["value"]?.doubleValue else { continue }
            compared += 1
            let own = found.solution.objectiveValue
            // The record's least risk is a variance.
            let squared = objective == "MinRisk" ? own * own : own
            let allowed = 1e-9 + abs(record["certified_rel_gap"]?.doubleValue ?? 0)
            #expect(abs(squared - value) <= allowed * abs(value), "\(label): \(squared), \(value)")
            let worst = try #require(found.modelFigures.first { $0.name == "worst_return" }?.value)
            #expect(abs(worst - (try record.number("worst_ret"))) <= 1e-4 * abs(worst), "\(label)")
        }
        #expect(compared == (window == "sp500_n10_T500" ? 15 : 11))
    }
}

@Suite("Worst case")
struct WorstCaseTests {
    private func request(_ panel: ReturnPanel, _ objective: ObjectiveName) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = .worstCase
        request.objective = objective
        request.periodsPerYear = 252
        return request
    }

    @Test(
        "no allowed portfolio has a better worst case, whatever the set",
        arguments: ["diagonal", "full", "normal", "box"])
    func enumeration(kind: String) throws {
        let panel = try randomPanel(assets: 4, observations: 120, seed: 13)
        var uncertainty = UncertaintyRequest()
        uncertainty.mean = .init(shape: .ellipsoid, method: .normal)
        uncertainty.mean.radius = .value(0.2)
        uncertainty.covariance = .init(
            shape: kind == "box" ? .box : .ellipsoid, method: kind == "normal" ? .normal : .stationary)
        uncertainty.covariance.samples = 300
        uncertainty.covariance.isDiagonal = kind == "diagonal"
        let sets = try UncertaintySets(uncertainty, panel: panel)
        let covariance = try MomentEstimation.estimate(
            OptimizeRequest(assets: panel.assets), panel: panel, periodsPerYear: 252
        ).covariance
        let mean = panel.assets.indices.map { panel.column($0).reduce(0, +) / 120 }
        func value(_ w: [Double], _ objective: ObjectiveName) throws -> Double {
            let reward = try #require(sets.mean).worstReturn(w, mean: mean)
            let variance = try #require(sets.covariance).worstVariance(w, covariance: covariance)
            return switch objective {
            case .minimumRisk: -variance.squareRoot()
            case .utility: reward - 2 * variance
            case .sharpe: reward / variance.squareRoot()
            case .maximumReturn: reward
            }
        }
        for objective in ObjectiveName.allCases {
            var request = request(panel, objective)
            request.uncertainty = uncertainty
            request.constraints.upperBound = .all(0.6)
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(kind) \(objective)")
            let own = try value(found.weights, objective)
            let sign = objective == .minimumRisk ? -1.0 : 1
            #expect(abs(own - sign * found.solution.objectiveValue) <= 1e-12 + 1e-9 * abs(own), "\(kind) \(objective)")
            // All portfolios on a grid of twentieths, and random ones nearby.
            for a in 0...12 {
                for b in 0...12 where a + b <= 20 {
                    for c in 0...12 where a + b + c <= 20 && 20 - a - b - c <= 12 {
                        let w = [a, b, c, 20 - a - b - c].map { Double($0) / 20 }
                        #expect(try value(w, objective) <= own + 1e-10, "\(kind) \(objective) \(w)")
                    }
                }
            }
        }
    }

    @Test("a Wasserstein ball: the worst distribution is in it, and no mass moved for its price does worse")
    func ball() throws {
        let panel = try randomPanel(assets: 3, observations: 100, seed: 17)
        let radius = 0.002
        for objective in ObjectiveName.allCases {
            var request = request(panel, objective)
            request.riskMeasure = .cvar
            request.uncertainty = UncertaintyRequest()
            request.uncertainty?.wassersteinRadius = radius
            request.riskFreeRate = 0
            let found: OptimizationResult
            do {
                found = try PortfolioOptimization.run(request, panel: panel)
            } catch {
                #expect(objective == .sharpe && error.code == "OPT-203", "\(objective): \(error)")
                continue
            }
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(objective)")
            let worst = try #require(found.modelFigures.first { $0.name == "worst_risk" }?.value)
            let w = found.weights
            let most = try #require(w.indices.max { w[$0] < w[$1] })
            // The five worst of a hundred periods, moved down by radius / alpha along the largest weight.
            let x = panel.portfolioReturns(w)
            let tail = Set(x.indices.sorted { x[$0] < x[$1] }.prefix(5))
            let moved = x.indices.map { tail.contains($0) ? x[$0] - radius / 0.05 * w[most] : x[$0] }
            let measure = try #require(RiskMeasures.measure(.cvar))
            #expect(abs(measure.value(of: moved) - worst) < 1e-12)
            // Random moves of the same price.
            var numbers = RepeatableNumbers(seed: 19)
            for _ in 0..<200 {
                let moves = (0..<100).map { _ in (0..<3).map { _ in numbers.next() } }
                let price = moves.flatMap { $0 }.reduce(0) { $0 + abs($1) } / 100
                let other = x.indices.map { t in
                    x[t] + (0..<3).reduce(0.0) { $0 + w[$1] * moves[t][$1] } * radius / price
                }
                #expect(measure.value(of: other) <= worst + 1e-12)
            }
        }
    }

    @Test("a radius of zero is plain CVaR, and a larger one spreads the weights")
    func radius() throws {
        let panel = try randomPanel(assets: 5, observations: 200, seed: 23)
        var plain = OptimizeRequest(assets: panel.assets)
        plain.riskMeasure = .cvar
        plain.objective = .minimumRisk
        plain.periodsPerYear = 252
        let classic = try PortfolioOptimization.run(plain, panel: panel)
        var last = Double.infinity
        for radius in [0, 0.001, 0.01, 1] {
            var request = request(panel, .minimumRisk)
            request.riskMeasure = .cvar
            request.uncertainty = UncertaintyRequest()
            request.uncertainty?.wassersteinRadius = radius
            let found = try PortfolioOptimization.run(request, panel: panel)
            let largest = try #require(found.weights.max())
            if radius == 0 {
                #expect(abs(found.solution.objectiveValue - classic.solution.objectiveValue) < 1e-11)
            }
            #expect(largest <= last + 1e-9)
            last = largest
        }
        #expect(abs(last - 0.2) < 1e-6)
    }
}
