import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// The rest of the peers' defects: parameters that their networks and clusters do not read, growth beside limits of shares, what one call
/// leaves behind for the next, contributions by differences, causes that all look alike.
@Suite("Defects of the peers: networks, state, contributions")
struct PeerDefectSequelTests {
    private func solved(_ request: OptimizeRequest, _ panel: ReturnPanel) throws -> OptimizationResult {
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        return found
    }

    /// Riskfolio-Lib prints the same line and returns None for a contradiction, a failed solver and a missing one, and an unknown measure is
    /// an UnboundLocalError.
    @Test("3: causes are told apart")
    func causes() throws {
        let panel = try randomPanel(assets: 4, observations: 60, seed: 61)
        var tight = plainRequest(panel, .cvar, .minimumRisk)
        tight.constraints.upperBound = .all(0.2)
        #expect(problemCode { try PortfolioOptimization.run(tight, panel: panel) } == "OPT-101")
        var dear = plainRequest(panel, .cvar, .sharpe)
        dear.riskFreeRate = 9
        #expect(problemCode { try PortfolioOptimization.run(dear, panel: panel) } == "OPT-203")
        let value = plainRequest(panel, .valueAtRisk, .minimumRisk)
        let unfit = try #require(caught { try PortfolioOptimization.run(value, panel: panel) })
        #expect(unfit.errors.first?.pointer.description == "#/risk_measure")
        let unknown = caught {
            try OptimizeRequest(json: ["assets": JSONValue(panel.assets), "risk_measure": "CVAR2"])
        }
        #expect(unknown?.errors.first?.pointer.description == "#/risk_measure")
    }

    /// Riskfolio-Lib's limits of variance shares leave the variance out of approximate growth in every objective but the ratio.
    @Test("7: approximate growth beside limits of shares counts the variance")
    func growthBesideShares() throws {
        let panel = try randomPanel(assets: 4, observations: 90, seed: 62, scale: 0.06)
        for objective in [ObjectiveName.utility, .maximumReturn] {
            var wanted = plainRequest(panel, .mv, objective)
            wanted.kelly = .approx
            wanted.riskAversion = 0.05
            wanted.constraints.riskContribution = [.init(name: panel.assets[0], min: nil, max: 0.4)]
            let found = try solved(wanted, panel)
            let x = panel.portfolioReturns(found.weights)
            let mean = x.reduce(0, +) / Double(x.count)
            let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count - 1)
            let risk = objective == .utility ? 0.05 * variance : 0
            #expect(variance > 1e-6)
            #expect(abs(found.solution.objectiveValue - (mean - 0.5 * variance - risk)) <= 1e-12)
        }
    }

    /// Riskfolio-Lib's `centrality_vector` and `connected_assets` read no `alpha_tail`.
    @Test("11: the parameters of a codependence reach networks")
    func parameters() throws {
        let panel = try randomPanel(assets: 9, observations: 150, seed: 63)
        for (name, member, values) in [
            ("tail", "alpha_tail", [0.05, 0.3]), ("gerber1", "threshold", [0.2, 0.9]),
            ("mutual_info", "bins", [3, 12]),
        ] as [(String, String, [Double])] {
            var seen: [[Double]] = []
            for value in values {
                let number = member == "bins" ? JSONValue(Int(value)) : JSONValue(value)
                let request = try OptimizeRequest(json: [
                    "assets": JSONValue(panel.assets),
                    "constraints": [
                        "centrality": .object(
                            JSONObject([
                                ("measure", "Degree"), ("graph", "MST"), ("codependence", .string(name)),
                                (member, number),
                                ("max", 9),
                            ])),
                        "network": .object(
                            JSONObject([("codependence", .string(name)), (member, number), ("max", 1)])),
                    ],
                ])
                // What was read is written back.
                #expect(
                    try OptimizeRequest(json: request.json).constraints.centrality == request.constraints.centrality)
                #expect(try OptimizeRequest(json: request.json).constraints.network == request.constraints.network)
                var options = Codependence.Options(measure: try #require(Codependence.Measure(rawValue: name)))
                switch member {
                case "alpha_tail": options.tailProbability = value
                case "threshold": options.gerberThreshold = value
                default: options.binning = .count(Int(value))
                }
                let own = try AssetNetwork(panel, graph: .minimumSpanningTree, codependence: options)
                let centrality = try #require(
                    try CentralityLimits(request: request.constraints, panel: panel).coefficients())
                let expected = try own.centrality(.degree)
                #expect(centrality == expected)
                let wanted = try #require(request.constraints.network)
                let centres = try HeldTogether.neighbourhoods(wanted, panel)
                for set in centres {
                    #expect(panel.assets.indices.contains { Set(own.neighbours[$0] + [$0]) == Set(set) }, "\(name)")
                }
                seen.append(centrality)
            }
            #expect(seen[0] != seen[1], "\(member) changes nothing")
        }
    }

    /// Riskfolio-Lib's `related_assets` reads no `opt_k_method`.
    @Test("11: the way to count clusters reaches their limits")
    func clusterCount() throws {
        var isDifferent = false
        for seed in 64...90 as ClosedRange<UInt64> {
            let panel = try randomPanel(assets: 12, observations: 80, seed: seed)
            var counts: [Int] = []
            for method in ["twodiff", "stdsil"] {
                let request = try OptimizeRequest(json: [
                    "assets": JSONValue(panel.assets),
                    "constraints": [
                        "clusters": ["clustering": ["linkage": "ward", "method_k": .string(method)], "max": 1]
                    ],
                ])
                let wanted = try #require(request.constraints.clusters)
                counts.append(Set(try HeldTogether.labels(wanted, panel)).count)
            }
            if counts[0] != counts[1] { isDifferent = true }
        }
        #expect(isDifferent)
    }

    /// Riskfolio-Lib's `mvsk_optimization` leaves its solvers behind, `reset_all` leaves limits, a frontier resets the caller's own.
    @Test("11: an answer is the same whatever was asked before")
    func state() throws {
        let panel = try randomPanel(assets: 6, observations: 80, seed: 65)
        let plain = plainRequest(panel, .cvar, .minimumRisk)
        let before = try solved(plain, panel)
        var other = plainRequest(panel, .mv, .utility)
        other.model = .fourMoments
        _ = try solved(other, panel)
        var limited = plain
        limited.constraints.cardinality = .init(max: 2)
        limited.constraints.maxRisk = [.init(measure: .mad, level: 0.02)]
        _ = try solved(limited, panel)
        var frontier = plain
        frontier.frontier = .init(points: 5, axis: .risk)
        _ = try solved(frontier, panel)
        let after = try solved(plain, panel)
        #expect(after.weights == before.weights)
        #expect(after.solution.objectiveValue == before.solution.objectiveValue)
    }

    /// Both peers take contributions from differences, each a cone solve for the entropic measures, and at a corner they do not add up.
    @Test(
        "12, 42: contributions add up to the risk to the last digits, at corners too",
        arguments: [RiskMeasureCode.cvar, .evar, .rlvar, .edar, .cdar, .worstRealisation, .gmd, .tailGini])
    func contributions(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 5, observations: 100, seed: 66)
        var parity = plainRequest(panel, measure, .minimumRisk)
        let least = try solved(parity, panel)
        #expect(abs(least.riskContributions.reduce(0, +) - least.solution.risk) <= 1e-12)
        guard measure != .worstRealisation else { return }
        parity.model = .riskParity
        let equal = try solved(parity, panel)
        #expect(abs(equal.riskContributions.reduce(0, +) - equal.solution.risk) <= 1e-12)
        for share in equal.riskContributions {
            #expect(abs(share / equal.solution.risk - 0.2) <= 1e-8, "\(measure) \(equal.riskContributions)")
        }
    }

    /// Riskfolio-Lib repairs the assets' covariance where the factors' is none, and goes on with the factors' as it is.
    @Test("9: factors whose covariance is none have their own mended, and the model is made of that")
    func indefiniteFactors() throws {
        let loadings: [[Double]] = [[1, 0.2], [0.8, -0.3], [0.3, 1.1]]
        var (panel, wanted) = try factorsGiven(seed: 12, loadings)
        wanted.scenarios = .model
        let third = try randomPanel(assets: 1, observations: panel.observations, seed: 3).returns.column(0)
        wanted.panel?.assets = panel.assets
        wanted.panel?.values.append(third.map { Optional($0) })
        wanted.loadings = zip(panel.assets, loadings).map { asset, row in
            (
                asset: asset,
                factors: zip(panel.assets, row + [0.5]).map { ConstraintRequest.AssetValue($0, $1) }
            )
        }
        var request = OptimizeRequest(assets: panel.assets)
        request.model = .factorModel
        request.factors = wanted
        request.covarianceEstimator.method = .custom
        let indefinite = [[1e-4, 9e-5, -9e-5], [9e-5, 1e-4, 9e-5], [-9e-5, 9e-5, 1e-4]]
        let repair = try #require(try PositiveSemidefinite.repair(Matrix(indefinite)))
        func moments(_ values: [[Double]]) throws -> Moments {
            request.covarianceEstimator.matrix = NamedMatrix(assets: panel.assets, values: values)
            return try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        }
        let mended = try moments(indefinite)
        let direct = try moments((0..<3).map { repair.matrix.row($0) })
        #expect(direct.warnings == [])
        #expect(mended.warnings.map { $0.pointer } == [JSONPointer(["factors"])])
        for (a, b) in zip(mended.covariance.storage, direct.covariance.storage) { #expect(abs(a - b) <= 1e-18) }
    }

    /// Riskfolio-Lib divides by the sum of the weights whatever its sign: a portfolio that owes its factors comes out as one that holds them.
    @Test("factor risk parity whose weights add up to less than nothing is refused, not turned over")
    func turnedOver() throws {
        let loadings: [[Double]] = [[-1, 0.1], [-0.8, -0.2], [-0.9, 0.2]]
        let (panel, factors) = try factorsGiven(seed: 68, loadings)
        var request = plainRequest(panel, .mv, .minimumRisk)
        request.model = .factorRiskParity
        request.factors = factors
        let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(problem.code == "OPT-203" && problem.detail.contains("adds up to -"), "\(problem.detail)")
    }

    // MARK: Degenerate panels

    /// Two assets that cancel each other exactly: the riskless mixture is the corner of every measure, and the best utility of most.
    @Test(
        "two assets that cancel each other: Utility is answered with a proof", arguments: RiskMeasureCode.optimisable)
    func opposed(measure: RiskMeasureCode) throws {
        let wave = (0..<40).map { Double(($0 * 13) % 17 - 8) / 800 + 0.001 }
        let panel = try madePanel([wave, wave.map { 0.001 - $0 }])
        for objective in [ObjectiveName.utility, .minimumRisk, .maximumReturn] {
            var wanted = plainRequest(panel, measure, objective)
            wanted.riskAversion = 2
            let found = try solved(wanted, panel)
            #expect(found.solution.dualityGap <= Verification.fullProof, "\(objective)")
        }
    }

    /// As many periods as assets: some mixture has no return below the target, and the ratio has no maximum, or one that is proven.
    @Test("as many periods as assets: ratios of partial moments and drawdowns", arguments: [12, 13])
    func square(observations: Int) throws {
        for seed in 70...74 as ClosedRange<UInt64> {
            let panel = try randomPanel(assets: 12, observations: observations, seed: seed)
            for measure in [RiskMeasureCode.slpm, .flpm, .msv, .ulcerIndex] {
                let wanted = plainRequest(panel, measure, .sharpe)
                do {
                    _ = try solved(wanted, panel)
                } catch let problem as Problem {
                    #expect(problem.code == "OPT-203", "\(measure) \(seed): \(problem.detail)")
                }
            }
        }
    }

    // MARK: Walk-forward

    @Test("each fit of a walk-forward is the fit alone, to the bit", arguments: [RiskMeasureCode.cvar, .mv, .mad])
    func alone(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 8, observations: 160, seed: 67)
        let request = try BacktestRequest(json: [
            "assets": JSONValue(panel.assets), "risk_measure": .string(measure.rawValue), "objective": "MinRisk",
            "backtest": ["train": 100, "rebalance": 10, "drift": false],
        ])
        let backtest = try Backtest(request, panel: panel)
        let figures = try backtest.run()
        for index in (0..<backtest.fits).reversed() {
            let outcome = try backtest.fit(index)
            #expect(outcome.weights == figures.fits[index].weights)
        }
    }
}
