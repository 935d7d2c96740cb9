import PortfolioModels
import Testing
import WireFormat

@Suite("Infeasible requests")
struct InfeasibilityTests {
    private func problem(_ change: (inout OptimizeRequest) -> Void) throws -> Problem {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 17)
        var request = OptimizeRequest(assets: panel.assets)
        request.objective = .minimumRisk
        change(&request)
        let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(problem.status == 422 && problem.code == "OPT-101" && problem.class == .optimization)
        // What the relaxation says makes the problem feasible.
        try checkRelaxation(request, panel, problem)
        return problem
    }

    private func checkRelaxation(_ request: OptimizeRequest, _ panel: ReturnPanel, _ problem: Problem) throws {
        var relaxed = request
        for change in problem.relaxation ?? [] {
            switch change.constraint {
            case "upper_bound": relaxed.constraints.upperBound = .all(change.to)
            case "budget": relaxed.constraints.budget = .init(min: change.to, max: change.to)
            case "min_return": relaxed.constraints.minReturn = change.to
            case let name where name.hasPrefix("group_constraints."):
                let parts = name.split(separator: ".")
                let index = try #require(relaxed.constraints.groupLimits.firstIndex { $0.group == parts[1] })
                if parts[2] == "min" {
                    relaxed.constraints.groupLimits[index].min = change.to
                } else {
                    relaxed.constraints.groupLimits[index].max = change.to
                }
            default: Issue.record("unexpected \(change.constraint)")
            }
        }
        #expect(problem.relaxation?.isEmpty == false)
        let result = try PortfolioOptimization.run(relaxed, panel: panel)
        #expect(Verification.faults(relaxed, panel: panel, result: result) == [])
    }

    @Test("a group minimum above what its members may hold", arguments: ObjectiveName.allCases)
    func groupAboveCaps(objective: ObjectiveName) throws {
        let found = try problem {
            $0.objective = objective
            $0.constraints.upperBound = .all(0.3)
            $0.constraints.groups = [.init("Tech", ["A0", "A1"])]
            $0.constraints.groupLimits = [.init(group: "Tech", min: 0.7, max: 0.9)]
        }
        #expect(Set(found.conflict ?? []) == ["group_constraints.Tech.min", "upper_bound"])
        #expect(found.relaxation == [.init(constraint: "group_constraints.Tech.min", from: 0.7, to: 0.6)])
        #expect(found.errors.contains { $0.pointer.description == "#/constraints/group_constraints/Tech/min" })
    }

    @Test("upper bounds that do not reach the budget")
    func capsBelowBudget() throws {
        let found = try problem { $0.constraints.upperBound = .all(0.1) }
        #expect(Set(found.conflict ?? []) == ["budget", "upper_bound"])
        #expect(found.relaxation == [.init(constraint: "upper_bound", from: 0.1, to: 0.2)])
    }

    @Test("two group minima above the budget")
    func groupsAboveBudget() throws {
        let found = try problem {
            $0.constraints.groups = [.init("X", ["A0", "A1"]), .init("Y", ["A2", "A3"])]
            $0.constraints.groupLimits = [
                .init(group: "X", min: 0.6, max: nil), .init(group: "Y", min: 0.6, max: nil),
            ]
        }
        #expect(
            Set(found.conflict ?? []) == [
                "budget", "group_constraints.X.min", "group_constraints.Y.min", "lower_bound",
            ])
        let total = (found.relaxation ?? []).reduce(0) { $0 + abs($1.to - $1.from) }
        #expect(abs(total - 0.2) < 1e-6)
    }

    @Test("a return that nothing reaches")
    func returnTooHigh() throws {
        let found = try problem { $0.constraints.minReturn = 1 }
        #expect(Set(found.conflict ?? []) == ["budget", "lower_bound", "min_return"])
        #expect(found.relaxation?.first?.constraint == "min_return")
    }

    @Test("a linear row against a bound of one asset, by its own name")
    func namedRow() throws {
        let panel = try randomPanel(assets: 3, observations: 60, seed: 17)
        var request = OptimizeRequest(assets: panel.assets)
        request.constraints.upperBound = .byAsset([.init("A0", 0.2)])
        request.constraints.linear = [
            .init(name: "mostly A0", coefficients: [.init("A0", 1)], min: 0.5, max: nil)
        ]
        let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(Set(problem.conflict ?? []) == ["linear.mostly A0.min", "upper_bound.A0"])
    }
}
