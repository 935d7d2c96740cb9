import PortfolioModels
import Testing
import WireFormat

/// Random problems of every shape: an answer that verifies, or a problem that the caller can act on; never a 500.
@Suite("Random requests")
struct RandomRequestTests {
    @Test("are answered or refused for a reason", arguments: 0..<24)
    func random(batch: Int) throws {
        var outcomes: [String: Int] = [:]
        for index in 0..<25 {
            let seed = UInt64(batch * 1000 + index + 1)
            var numbers = RepeatableNumbers(seed: seed &* 7919)
            _ = numbers.next()
            let assets = 1 + numbers.pick(14)
            let observations = 2 + numbers.pick(index % 3 == 0 ? 8 : 90)
            let panel = try randomPanel(assets: assets, observations: observations, seed: seed)
            var request = OptimizeRequest(assets: panel.assets)
            request.objective = ObjectiveName.allCases[numbers.pick(4)]
            request.riskAversion = numbers.pick(3) == 0 ? 0 : 10 * abs(numbers.next())
            request.riskFreeRate = 0.5 * numbers.next()
            randomise(&request.constraints, panel.assets, &numbers)
            if numbers.pick(4) == 0 {
                request.frontier = .init(points: 4, axis: numbers.pick(2) == 0 ? .risk : .expectedReturn)
            }
            var outcome = "answered"
            if let problem = caught({
                let result = try PortfolioOptimization.run(request, panel: panel)
                try Verification.check(request, panel: panel, result: result)
            }) {
                outcome = problem.code
                #expect(
                    ["OPT-101", "OPT-203"].contains(problem.code),
                    "seed \(seed): \(problem) \(request.json.serialized())")
                if problem.code == "OPT-101" {
                    #expect(problem.conflict?.isEmpty == false && problem.relaxation?.isEmpty == false)
                }
            }
            outcomes[outcome, default: 0] += 1
        }
        #expect((outcomes["answered"] ?? 0) > 5, "\(outcomes)")
    }

    private func randomise(
        _ constraints: inout ConstraintRequest, _ assets: [String], _ numbers: inout RepeatableNumbers
    ) {
        if numbers.pick(2) == 0 {
            constraints.upperBound = .all(min(1, 1.5 / Double(assets.count) + 0.3 * abs(numbers.next())))
        }
        if numbers.pick(4) == 0 { constraints.lowerBound = .byAsset([.init(assets[0], 0.1)]) }
        if numbers.pick(4) == 0 {
            constraints.short = 0.3
            constraints.lowerBound = .all(-0.2)
        }
        if numbers.pick(4) == 0 { constraints.gross = 1.2 }
        if numbers.pick(5) == 0 { constraints.budget = .init(min: 0.3, max: 0.9) }
        if numbers.pick(3) == 0 {
            constraints.groups = [.init("G", Array(assets.prefix(1 + numbers.pick(assets.count))))]
            let level = abs(numbers.next())
            constraints.groupLimits = [
                .init(group: "G", min: numbers.pick(2) == 0 ? level : nil, max: min(level + 0.1, 1))
            ]
        }
        if numbers.pick(3) == 0 {
            let row = assets.map { ConstraintRequest.AssetValue($0, Double(numbers.pick(5)) - 2) }
            constraints.linear = [
                .init(name: nil, coefficients: row, min: numbers.pick(4) == 0 ? 0 : nil, max: abs(numbers.next()))
            ]
        }
        if numbers.pick(3) == 0 {
            let held = assets.map { ConstraintRequest.AssetValue($0, 1 / Double(assets.count)) }
            constraints.turnover = .init(
                from: held, perAsset: numbers.pick(2) == 0 ? 0.2 : nil, total: 0.2 + abs(numbers.next()))
        }
        if numbers.pick(4) == 0 { constraints.minReturn = 0.0008 * numbers.next() }
    }
}
