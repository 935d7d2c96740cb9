import Foundation
import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

@Suite("Higher moments")
struct HigherMomentTests {
    private func request(_ panel: ReturnPanel, _ model: ModelName, _ objective: ObjectiveName) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = model
        request.objective = objective
        request.periodsPerYear = 252
        return request
    }

    /// `l0 variance - l1 third + l2 fourth`, by plain sums.
    private func risk(_ w: [Double], _ panel: ReturnPanel, _ l: [Double]) -> (mean: Double, risk: Double) {
        let x = panel.portfolioReturns(w)
        let count = Double(x.count)
        let mean = x.reduce(0, +) / count
        let d = x.map { $0 - mean }
        let variance = d.reduce(0) { $0 + $1 * $1 } / (count - 1)
        let third = d.reduce(0) { $0 + $1 * $1 * $1 } / count
        let fourth = d.reduce(0) { $0 + $1 * $1 * $1 * $1 } / count
        return (mean, l[0] * variance - l[1] * third + l[2] * fourth)
    }

    @Test(
        "four moments: no allowed portfolio is better", arguments: [[2, 3, 4], [1, 20, 400], [0, 0, 1], [3, 0, 0]])
    func fourMoments(l: [Double]) throws {
        let panel = try randomPanel(assets: 4, observations: 150, seed: 41, scale: 0.05)
        for objective in ObjectiveName.allCases {
            var request = request(panel, .fourMoments, objective)
            request.momentAversion = .init()
            request.momentAversion?.variance = l[0]
            request.momentAversion?.skewness = l[1]
            request.momentAversion?.kurtosis = l[2]
            request.constraints.upperBound = .all(0.5)
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(objective)")
            #expect(found.solution.dualityGap <= 1e-9)
            func value(_ w: [Double]) -> Double {
                let (mean, risk) = risk(w, panel, l)
                return switch objective {
                case .minimumRisk: -risk
                case .utility: mean - risk
                case .sharpe: mean / risk
                case .maximumReturn: mean
                }
            }
            let own = value(found.weights)
            let sign = objective == .minimumRisk ? -1.0 : 1
            #expect(abs(sign * found.solution.objectiveValue - own) <= 1e-9 * abs(own))
            for a in 0...10 {
                for b in 0...10 where a + b <= 20 {
                    for c in 0...10 where a + b + c <= 20 && 20 - a - b - c <= 10 {
                        let w = [a, b, c, 20 - a - b - c].map { Double($0) / 20 }
                        #expect(value(w) <= own + 1e-9 * abs(own), "\(objective) \(w)")
                    }
                }
            }
        }
    }

    @Test("variance alone is mean-variance")
    func varianceAlone() throws {
        let panel = try randomPanel(assets: 6, observations: 200, seed: 43)
        for objective in [ObjectiveName.minimumRisk, .utility] {
            var plain = request(panel, .classic, objective)
            plain.riskAversion = 3
            var moments = request(panel, .fourMoments, objective)
            moments.momentAversion = .init()
            moments.momentAversion?.variance = 3
            moments.momentAversion?.skewness = 0
            moments.momentAversion?.kurtosis = 0
            let a = try PortfolioOptimization.run(plain, panel: panel).weights
            let b = try PortfolioOptimization.run(moments, panel: panel).weights
            for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e-7) }
        }
    }

    @Test("so much weight on skewness that the objective is not convex is refused")
    func notConvex() throws {
        let panel = try randomPanel(assets: 3, observations: 60, seed: 44, scale: 0.05)
        var request = request(panel, .fourMoments, .minimumRisk)
        request.momentAversion = .init()
        request.momentAversion?.skewness = 1e4
        let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(problem.code == "REQ-105" && problem.errors.first?.pointer.description == "#/moment_aversion/skewness")
    }

    @Test("the builders by name are the measures that they are named for")
    func builders() throws {
        let panel = try randomPanel(assets: 5, observations: 80, seed: 45)
        for (method, code) in [
            (OWABuilder.Method.gmd, RiskMeasureCode.gmd), (.cvar, .cvar), (.tg, .tailGini), (.wr, .worstRealisation),
            (.rg, .range), (.cvrg, .cvarRange), (.tgrg, .tailGiniRange),
        ] {
            var ordered = request(panel, .orderedWeightedAverage, .minimumRisk)
            ordered.owaWeights = .builder(OWABuilder(method))
            ordered.beta = 0.1
            let found = try PortfolioOptimization.run(ordered, panel: panel)
            #expect(Verification.faults(ordered, panel: panel, result: found) == [], "\(method)")
            var plain = request(panel, .classic, .minimumRisk)
            plain.riskMeasure = code
            plain.beta = 0.1
            let risk = try PortfolioOptimization.run(plain, panel: panel).solution.risk
            #expect(abs(found.solution.risk - risk) <= 1e-9 * risk, "\(method)")
        }
    }

    @Test("L-moments of order two are half the Gini difference; odd ones are no convex risk")
    func linearMoments() throws {
        let panel = try randomPanel(assets: 4, observations: 60, seed: 46)
        var second = request(panel, .orderedWeightedAverage, .minimumRisk)
        var builder = OWABuilder(.linearMoment)
        builder.order = 2
        second.owaWeights = .builder(builder)
        var plain = request(panel, .orderedWeightedAverage, .minimumRisk)
        plain.owaWeights = nil
        let (a, b) = (
            try PortfolioOptimization.run(second, panel: panel), try PortfolioOptimization.run(plain, panel: panel)
        )
        #expect(abs(2 * a.solution.risk - b.solution.risk) < 1e-12)
        builder.order = 3
        second.owaWeights = .builder(builder)
        #expect(problemCode { try PortfolioOptimization.run(second, panel: panel) } == "REQ-104")
        // Falling numbers of the caller's own.
        second.owaWeights = .given((0..<60).map { Double($0 % 7) })
        #expect(problemCode { try PortfolioOptimization.run(second, panel: panel) } == "REQ-104")
    }

    @Test("all objectives of an ordered average of the caller's own numbers")
    func given() throws {
        let panel = try randomPanel(assets: 4, observations: 70, seed: 47)
        let weights = (0..<70).map { pow(Double($0) / 69, 3) - 1 }
        for objective in ObjectiveName.allCases {
            var request = request(panel, .orderedWeightedAverage, objective)
            request.owaWeights = .given(weights)
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(objective)")
            #expect(
                abs(found.solution.risk - PlainRisk.ordered(panel.portfolioReturns(found.weights), weights)) < 1e-14)
        }
    }
}
