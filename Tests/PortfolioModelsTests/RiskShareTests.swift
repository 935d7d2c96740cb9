import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Limits of the shares of the variance that assets and groups bear.
@Suite("Limits of risk contributions")
struct RiskShareTests {
    private func request(
        _ panel: ReturnPanel, _ measure: RiskMeasureCode, _ objective: ObjectiveName
    ) -> OptimizeRequest {
        var request = plainRequest(panel, measure, objective)
        request.riskAversion = measure == .mv ? 3 : 0.1
        request.riskFreeRate = -0.2
        return request
    }

    private func solve(_ request: OptimizeRequest, _ panel: ReturnPanel) throws -> OptimizationResult {
        let result = try PortfolioOptimization.run(request, panel: panel)
        try Verification.check(request, panel: panel, result: result)
        return result
    }

    /// By plain sums.
    private func share(_ members: Set<Int>, _ weights: [Double], _ panel: ReturnPanel) -> Double {
        let series = (0..<panel.observations).map { t in
            weights.indices.reduce(0.0) { $0 + weights[$1] * panel.column($1)[t] }
        }
        let mean = series.reduce(0, +) / Double(series.count)
        var (own, whole) = (0.0, 0.0)
        for t in series.indices {
            let part = weights.indices.reduce(0.0) {
                members.contains($1) ? $0 + weights[$1] * panel.column($1)[t] : $0
            }
            own += part * (series[t] - mean)
            whole += series[t] * (series[t] - mean)
        }
        return own / whole
    }

    @Test(
        "are kept, and the answer is as good as any on a grid",
        arguments: [RiskMeasureCode.mv, .cvar, .maximumDrawdown], ObjectiveName.allCases)
    func grid(measure: RiskMeasureCode, objective: ObjectiveName) throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            let panel = try randomPanel(assets: 3, observations: 60, seed: seed)
            for (low, high) in [(nil, 0.4), (0.3, nil), (0.1, 0.45)] as [(Double?, Double?)] {
                var wanted = request(panel, measure, objective)
                let free = try solve(wanted, panel)
                // The asset that bears most, or least: its limit binds.
                let shares = (0..<3).map { share([$0], free.weights, panel) }
                let asset =
                    high != nil
                    ? shares.firstIndex(of: shares.max() ?? 0) ?? 0 : shares.firstIndex(of: shares.min() ?? 0) ?? 0
                wanted.constraints.riskContribution = [.init(name: panel.assets[asset], min: low, max: high)]
                let answer = try solve(wanted, panel)
                let own = share([asset], answer.weights, panel)
                #expect(own >= (low ?? -1) - 1e-9 && own <= (high ?? 1) + 1e-9)
                // Every portfolio of a grid that keeps the limit, by the definitions that `metrics` has.
                let steps = 60
                var best: Double?
                for i in 0...steps {
                    for j in 0...(steps - i) {
                        let w = [Double(i), Double(j), Double(steps - i - j)].map { $0 / Double(steps) }
                        let part = share([asset], w, panel)
                        guard part >= low ?? -1, part <= high ?? 1 else { continue }
                        let value = try value(of: w, wanted, panel)
                        best = max(best ?? -.infinity, value)
                    }
                }
                let bar = try #require(best)
                let found = try value(of: answer.weights, wanted, panel)
                #expect(
                    found >= bar - 1e-9 * abs(bar), "seed \(seed), \(low ?? -1) to \(high ?? 1): \(found), grid \(bar)")
            }
        }
    }

    /// The objective in its improving direction.
    private func value(of w: [Double], _ request: OptimizeRequest, _ panel: ReturnPanel) throws -> Double {
        let x = panel.portfolioReturns(w)
        let measure = try #require(RiskMeasures.measure(request.riskMeasure, RiskParameters(request)))
        let (risk, mean) = (measure.value(of: x), x.reduce(0, +) / Double(x.count))
        return switch request.objective {
        case .minimumRisk: -risk
        case .maximumReturn: mean
        case .utility: mean - request.riskAversion * (request.riskMeasure == .mv ? risk * risk : risk)
        case .sharpe: (mean - request.riskFreeRate / 252) / risk
        }
    }

    @Test("of every asset at once lead to equal contributions", arguments: [5, 12])
    func allEqual(count: Int) throws {
        let panel = try randomPanel(assets: count, observations: 120, seed: 3)
        var wanted = request(panel, .mv, .minimumRisk)
        let most = 1 / Double(count) + 1e-4
        wanted.constraints.riskContribution = panel.assets.map { .init(name: $0, min: nil, max: most) }
        let answer = try solve(wanted, panel)
        for i in panel.assets.indices { #expect(share([i], answer.weights, panel) <= most + 1e-9) }
        var parity = request(panel, .mv, .minimumRisk)
        parity.model = .riskParity
        let equal = try solve(parity, panel)
        for i in panel.assets.indices { #expect(abs(answer.weights[i] - equal.weights[i]) < 2e-3) }
    }

    @Test("of the least share of an asset are convex: proven to the last digits", arguments: ObjectiveName.allCases)
    func convex(objective: ObjectiveName) throws {
        let panel = try randomPanel(assets: 8, observations: 120, seed: 11)
        for measure in [RiskMeasureCode.mv, .cvar, .evar] {
            var wanted = request(panel, measure, objective)
            wanted.constraints.riskContribution = [.init(name: panel.assets[2], min: 0.2, max: nil)]
            let answer = try solve(wanted, panel)
            #expect(share([2], answer.weights, panel) >= 0.2 - 1e-9)
            #expect(answer.solution.dualityGap <= 1e-6 && answer.solution.status == "optimal")
        }
    }

    @Test("hold with groups, shorts, many assets, a limited number of assets and over a frontier")
    func combined() throws {
        let panel = try randomPanel(assets: 10, observations: 120, seed: 21)
        var wanted = request(panel, .cvar, .sharpe)
        wanted.constraints.groups = [.init("G", Array(panel.assets.prefix(5)))]
        wanted.constraints.riskContribution = [.init(name: "G", min: 0.2, max: 0.3)]
        #expect(abs(share([0, 1, 2, 3, 4], try solve(wanted, panel).weights, panel) - 0.25) <= 0.05 + 1e-9)
        var frontier = wanted
        frontier.objective = .minimumRisk
        frontier.frontier = .init(points: 4, axis: .expectedReturn, withWeights: true)
        let points = try #require(try solve(frontier, panel).frontier)
        for point in points {
            let own = share([0, 1, 2, 3, 4], try #require(point.weights), panel)
            #expect(own >= 0.2 - 1e-8 && own <= 0.3 + 1e-8)
        }
        var short = wanted
        short.constraints.lowerBound = .all(-0.2)
        short.constraints.short = 0.4
        #expect(share([0, 1, 2, 3, 4], try solve(short, panel).weights, panel) <= 0.3 + 1e-9)
        var few = wanted
        few.constraints.cardinality = .init(max: 5)
        let chosen = try solve(few, panel)
        #expect(chosen.weights.filter { $0 != 0 }.count <= 5)
        #expect(share([0, 1, 2, 3, 4], chosen.weights, panel) <= 0.3 + 1e-9)
        let many = try randomPanel(assets: 50, observations: 150, seed: 5)
        var large = request(many, .mv, .minimumRisk)
        large.constraints.riskContribution = many.assets.map { .init(name: $0, min: nil, max: 0.05) }
        let answer = try solve(large, many)
        for i in many.assets.indices { #expect(share([i], answer.weights, many) <= 0.05 + 1e-9) }
    }

    @Test("that nothing can keep are refused with what could be")
    func impossible() throws {
        let panel = try randomPanel(assets: 4, observations: 60, seed: 2)
        var wanted = request(panel, .mv, .minimumRisk)
        wanted.constraints.riskContribution = panel.assets.map { .init(name: $0, min: nil, max: 0.2) }
        let problem = try #require(caught { _ = try solve(wanted, panel) })
        #expect(problem.code == "OPT-101" && problem.conflict?.isEmpty == false && problem.relaxation?.isEmpty == false)
    }
}
