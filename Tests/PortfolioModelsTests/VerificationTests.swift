import LinearAlgebra
import PortfolioModels
import Testing
import WireFormat

@Suite("Verification")
struct VerificationTests {
    private func example() throws -> (OptimizeRequest, ReturnPanel, OptimizationResult) {
        let panel = try randomPanel(assets: 6, observations: 120, seed: 8)
        var request = OptimizeRequest(assets: panel.assets)
        request.constraints.upperBound = .all(0.4)
        request.constraints.groups = [.init("G", ["A0", "A1", "A2"])]
        request.constraints.groupLimits = [.init(group: "G", min: 0.3, max: 0.5)]
        return (request, panel, try PortfolioOptimization.run(request, panel: panel))
    }

    @Test("passes a right answer")
    func right() throws {
        let (request, panel, result) = try example()
        #expect(Verification.faults(request, panel: panel, result: result) == [])
    }

    @Test("refuses answers that were tampered with")
    func tampered() throws {
        let (request, panel, result) = try example()
        let tampers: [(String, (inout OptimizationResult) -> Void)] = [
            ("a weight that is not a number", { $0.weights[0] = .nan }),
            ("a missing weight", { $0.weights.removeLast() }),
            ("a budget missed by 1e-9", { $0.weights[0] += 1e-9 }),
            ("equal weights", { $0.weights = $0.weights.map { _ in 1.0 / 6 } }),
            ("a group over its limit", { $0.weights = [0.4, 0.2, 0, 0.2, 0.2, 0] }),
            ("a bound broken", { $0.weights = [0.5, 0, 0, 0.3, 0.2, 0] }),
            ("another objective value", { $0.solution.objectiveValue *= 1 + 1e-6 }),
            ("another risk", { $0.solution.risk *= 1 + 1e-6 }),
            ("another return", { $0.solution.expectedReturn *= 1 + 1e-6 }),
            ("a gap", { $0.solution.dualityGap = 1e-3 }),
            ("contributions that do not add up", { $0.riskContributions[0] += 1e-4 }),
            ("prices that prove nothing", { $0.prices = [] }),
            ("an infinite metric", { $0.metrics[0].value = .infinity }),
            (
                "another volatility",
                { result in
                    for i in result.metrics.indices where result.metrics[i].name == "volatility" {
                        result.metrics[i].value = 0.5
                    }
                }
            ),
        ]
        for (what, tamper) in tampers {
            var wrong = result
            tamper(&wrong)
            #expect(Verification.faults(request, panel: panel, result: wrong) != [], "\(what)")
            #expect(
                problemCode { try Verification.check(request, panel: panel, result: wrong) } == "SYS-301", "\(what)")
        }
    }

    @Test("what fails on scales that lie too far apart, or on hardly any periods, is the data's fault and says so")
    func scales() throws {
        var small = try randomPanel(assets: 3, observations: 40, seed: 8).returns
        for t in 0..<small.rows { small[t, 1] *= 1e-9 }
        for (returns, word) in [(small, "A1"), (small.selecting(rows: [0, 1, 2]), "3 periods")] {
            let panel = try ReturnPanel(
                assets: ["A0", "A1", "A2"],
                dates: Array(randomPanel(assets: 3, observations: returns.rows, seed: 8).dates),
                returns: returns)
            let request = OptimizeRequest(assets: panel.assets)
            guard var wrong = try? PortfolioOptimization.run(request, panel: panel) else { continue }
            wrong.weights[0] += 0.1
            do {
                try Verification.check(request, panel: panel, result: wrong)
                Issue.record("passed")
            } catch {
                #expect(error.code == "OPT-202" && error.detail.contains(word), "\(error.detail)")
            }
        }
    }

    @Test("refuses a feasible portfolio that is not optimal, with its own right figures")
    func suboptimal() throws {
        let (request, panel, best) = try example()
        var tight = request
        tight.constraints.lowerBound = .all(0.1)
        // The optimum of a tighter problem: every figure is right, only not the best of this problem.
        var other = try PortfolioOptimization.run(tight, panel: panel)
        other.prices = best.prices
        let faults = Verification.faults(request, panel: panel, result: other)
        #expect(faults.count == 1 && faults[0].contains("optimality"))
    }
}
