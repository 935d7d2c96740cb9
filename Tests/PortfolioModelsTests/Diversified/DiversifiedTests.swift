import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

@Suite("Nearly optimal and resampled portfolios")
struct DiversifiedTests {
    private func request(_ panel: ReturnPanel, _ model: ModelName, _ objective: ObjectiveName) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = model
        request.objective = objective
        request.periodsPerYear = 252
        return request
    }

    private func value(
        _ w: [Double], _ panel: ReturnPanel, _ measure: RiskMeasureCode, _ objective: ObjectiveName
    ) throws -> Double {
        let x = panel.portfolioReturns(w)
        let mean = x.reduce(0, +) / Double(x.count)
        let risk = try #require(RiskMeasures.measure(measure)).value(of: x)
        return switch objective {
        case .minimumRisk: -risk
        case .utility: mean - 2 * (measure == .mv ? risk * risk : risk)
        case .sharpe: mean / risk
        case .maximumReturn: mean
        }
    }

    @Test(
        "nearly optimal: within the tolerance, and none so is more diversified",
        arguments: [RiskMeasureCode.mv, .cvar, .mad, .kt, .cdar, .evar, .gmd])
    func nearOptimal(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 4, observations: 120, seed: 61)
        for objective in ObjectiveName.allCases {
            var near = request(panel, .nearOptimal, objective)
            near.riskMeasure = measure
            near.nearOptimal = .init(tolerance: 0.02)
            near.constraints.upperBound = .all(0.7)
            var classic = near
            classic.model = .classic
            classic.nearOptimal = nil
            let best = try PortfolioOptimization.run(classic, panel: panel)
            let found: OptimizationResult
            do {
                found = try PortfolioOptimization.run(near, panel: panel)
            } catch {
                Issue.record("\(measure) \(objective): \(error)")
                continue
            }
            #expect(Verification.faults(near, panel: panel, result: found) == [], "\(measure) \(objective)")
            let optimum = try value(best.weights, panel, measure, objective)
            let level = optimum - 0.02 * abs(optimum)
            let own = try value(found.weights, panel, measure, objective)
            #expect(own >= level - 1e-7 * abs(level), "\(measure) \(objective): \(own), \(level)")
            let squares = found.weights.reduce(0) { $0 + $1 * $1 }
            #expect(abs(found.solution.objectiveValue - 1 / squares) < 1e-9)
            #expect(squares <= best.weights.reduce(0) { $0 + $1 * $1 } + 1e-9)
            var numbers = RepeatableNumbers(seed: 7)
            for round in 0..<600 {
                let reach = round % 2 == 0 ? 0.01 : 0.1
                var w = found.weights.map { max($0 + reach * numbers.next(), 0) }
                let total = w.reduce(0, +)
                w = w.map { $0 / total }
                guard w.allSatisfy({ $0 <= 0.7 }), try value(w, panel, measure, objective) >= level else { continue }
                #expect(w.reduce(0) { $0 + $1 * $1 } >= squares - 1e-7, "\(measure) \(objective)")
            }
        }
    }

    @Test("resampled weights are the mean of their samples', within their bands, and the same again")
    func resampled() throws {
        let panel = try randomPanel(assets: 5, observations: 100, seed: 62)
        for method in ResamplingRequest.Method.allCases {
            var wanted = request(panel, .resampled, .minimumRisk)
            wanted.resampling = .init()
            wanted.resampling?.method = method
            wanted.resampling?.samples = 40
            wanted.constraints.upperBound = .all(0.6)
            wanted.constraints.groups = [.init("G", ["A0", "A1"])]
            wanted.constraints.groupLimits = [.init(group: "G", min: nil, max: 0.5)]
            let found = try PortfolioOptimization.run(wanted, panel: panel)
            #expect(Verification.faults(wanted, panel: panel, result: found) == [], "\(method)")
            #expect(found.weightBands.count == 5)
            for band in found.weightBands {
                #expect(band.low <= band.median && band.median <= band.high)
                #expect(band.low >= 0 && band.high <= 0.6 + 1e-12)
            }
            let again = try PortfolioOptimization.run(wanted, panel: panel)
            #expect(again.weights == found.weights)
            wanted.resampling?.seed = 1
            #expect(try PortfolioOptimization.run(wanted, panel: panel).weights != found.weights)
        }
    }

    @Test("subsets of all assets are the classic optimum, and its bands are one point")
    func wholeSubsets() throws {
        let panel = try randomPanel(assets: 4, observations: 90, seed: 63)
        var wanted = request(panel, .resampled, .utility)
        wanted.resampling = .init()
        wanted.resampling?.method = .subset
        wanted.resampling?.size = 4
        wanted.resampling?.samples = 3
        let found = try PortfolioOptimization.run(wanted, panel: panel)
        let classic = try PortfolioOptimization.run(request(panel, .classic, .utility), panel: panel)
        for (a, b) in zip(found.weights, classic.weights) { #expect(abs(a - b) < 1e-12) }
        for band in found.weightBands { #expect(band.high - band.low < 1e-12) }
    }

    @Test("what resampling cannot keep is refused")
    func refusals() throws {
        let panel = try randomPanel(assets: 3, observations: 60, seed: 64)
        var wanted = request(panel, .resampled, .minimumRisk)
        wanted.constraints.minReturn = 0.0001
        #expect(problemCode { try PortfolioOptimization.run(wanted, panel: panel) } == "REQ-105")
        wanted.constraints.minReturn = nil
        wanted.resampling = .init()
        wanted.resampling?.method = .subset
        wanted.constraints.lowerBound = .all(0.1)
        #expect(problemCode { try PortfolioOptimization.run(wanted, panel: panel) } == "REQ-105")
    }
}
