import ConvexSolver
import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Requests for hierarchical and naive models")
struct ModelDispatchTests {
    private static let models: [ModelName] = [
        .hierarchicalRiskParity, .hierarchicalEqualRisk, .hierarchicalEqualRisk2, .nestedClusters, .schurComplement,
        .equalWeight, .inverseVolatility, .inverseVariance, .maximumDiversification, .maximumDecorrelation,
        .benchmarkTracking,
    ]

    private static func request(_ model: ModelName, _ panel: ReturnPanel) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = model
        request.periodsPerYear = 252
        if model == .nestedClusters { request.objective = .minimumRisk }
        if model == .benchmarkTracking {
            request.constraints.benchmark = panel.assets.prefix(3).map { .init($0, 1.0 / 3) }
        }
        return request
    }

    @Test("each model answers and passes verification", arguments: models)
    func answers(model: ModelName) throws {
        for seed in UInt64(1)...4 {
            let panel = try randomPanel(assets: 5 + Int(seed), observations: 120, seed: seed)
            var request = Self.request(model, panel)
            for change in 0..<4 {
                switch change {
                case 1: request.constraints.upperBound = .all(0.3)
                case 2: request.covarianceEstimator.method = .ledoit
                case 3:
                    request.constraints.groups = [.init("first", [panel.assets[0], panel.assets[1]])]
                    request.constraints.groupLimits = [.init(group: "first", min: 0.45, max: 0.5)]
                default: break
                }
                let result = try PortfolioOptimization.run(request, panel: panel)
                #expect(Verification.faults(request, panel: panel, result: result) == [], "\(model) \(seed) \(change)")
                if change == 3 {
                    let total = result.weights[0] + result.weights[1]
                    #expect(total >= 0.45 - 1e-9 && total <= 0.5 + 1e-9)
                    // Programs keep groups by themselves; rules are moved, with a warning, where they break them.
                    let isMoved = result.warnings.contains { $0.code == "moved_to_constraints" }
                    #expect(isMoved == result.solution.method.hasSuffix("+projection"))
                    if model == .equalWeight { #expect(isMoved) }
                }
                // A broken answer does not pass.
                var broken = result
                broken.weights[0] += 0.01
                #expect(Verification.faults(request, panel: panel, result: broken) != [])
            }
        }
    }

    @Test("the request's clustering, measure and convention reach the model")
    func members() throws {
        let panel = try randomPanel(assets: 10, observations: 150, seed: 3)
        var request = Self.request(.hierarchicalRiskParity, panel)
        var clustering = ClusteringRequest()
        clustering.codependence = .spearman
        clustering.linkage = .ward
        request.clustering = clustering
        request.riskMeasure = .cvar
        var input = try HierarchicalInput(panel)
        input.clustering.codependence.measure = .spearman
        input.risk = .measure(.cvar)
        let expected = try HierarchicalRiskParity(input).solve().weights
        let result = try PortfolioOptimization.run(request, panel: panel)
        #expect(result.weights == expected)
        #expect(
            result.solution.risk == ConditionalValueAtRisk(RiskParameters()).value(of: panel.portfolioReturns(expected))
        )
        request.riskMeasure = .mv
        request.hierarchicalRisk = .volatility
        input.risk = .volatility
        #expect(
            try PortfolioOptimization.run(request, panel: panel).weights
                == HierarchicalRiskParity(input).solve().weights)
        // Limits: afterwards by default, during the splits with skfolio's convention.
        request.constraints.upperBound = .all(0.12)
        input.limits = try WeightLimits(lower: .init(repeating: 0, count: 10), upper: .init(repeating: 0.12, count: 10))
        #expect(
            try PortfolioOptimization.run(request, panel: panel).weights
                == HierarchicalRiskParity(input).solve().weights)
        request.convention = .skfolio
        input.limitRule = .duringSplits
        #expect(
            try PortfolioOptimization.run(request, panel: panel).weights
                == HierarchicalRiskParity(input).solve().weights)
    }

    @Test("a codependence of the caller's own, in any order of assets")
    func customCodependence() throws {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 8)
        let covariance = SampleCovariance.estimate(panel)
        var request = Self.request(.hierarchicalEqualRisk, panel)
        let plain = try PortfolioOptimization.run(request, panel: panel).weights
        let order = [3, 1, 4, 0, 2]
        var clustering = ClusteringRequest()
        clustering.codependence = .custom
        clustering.matrix = NamedMatrix(
            assets: order.map { panel.assets[$0] }, values: order.map { i in order.map { covariance[i, $0] } })
        request.clustering = clustering
        let own = try PortfolioOptimization.run(request, panel: panel).weights
        for (a, b) in zip(plain, own) { #expect(abs(a - b) <= 1e-12) }
    }

    @Test("constraints that cannot hold, or that the model cannot keep, are refused by name")
    func refusals() throws {
        let panel = try randomPanel(assets: 6, observations: 60, seed: 4)
        for model in Self.models {
            var request = Self.request(model, panel)
            request.constraints.upperBound = .all(0.1)
            let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
            #expect(problem.code == "OPT-101", "\(model)")
            #expect(
                problem.conflict?.contains("upper_bound") == true && problem.relaxation?.isEmpty == false, "\(model)")
            request = Self.request(model, panel)
            request.constraints.effectiveAssets = 3
            #expect(problemCode { try PortfolioOptimization.run(request, panel: panel) } == "REQ-105", "\(model)")
        }
    }

    @Test("equal, inverse volatility and inverse variance are their formulas")
    func naive() throws {
        let panel = try randomPanel(assets: 7, observations: 80, seed: 6)
        let variance = SampleCovariance.estimate(panel).diagonal
        for (model, value) in [
            (.equalWeight, { _ in 1 }), (.inverseVolatility, { 1 / $0.squareRoot() }), (.inverseVariance, { 1 / $0 }),
        ] as [(ModelName, (Double) -> Double)] {
            let weights = try PortfolioOptimization.run(Self.request(model, panel), panel: panel).weights
            let total = variance.map(value).reduce(0, +)
            for (own, one) in zip(weights, variance) { #expect(abs(own - value(one) / total) <= 1e-14) }
        }
    }

    /// Stationarity over the simplex: the slope is the same for all held assets and no better for the others.
    @Test("diversification, decorrelation and tracking are optimal")
    func programs() throws {
        for seed in UInt64(1)...6 {
            let panel = try randomPanel(assets: 12, observations: 150, seed: seed)
            let sigma = SampleCovariance.estimate(panel)
            let deviation = sigma.diagonal.map { $0.squareRoot() }
            func stationary(_ w: [Double], _ slope: [Double], _ label: String) {
                let level = zip(w, slope).reduce(0) { $0 + $1.0 * $1.1 }
                let size = slope.reduce(0) { max($0, abs($1)) }
                for i in w.indices {
                    #expect(slope[i] <= level + 1e-8 * size, "\(label)")
                    if w[i] > 1e-9 { #expect(abs(slope[i] - level) <= 1e-7 * size, "\(label)") }
                }
            }
            var w = try PortfolioOptimization.run(Self.request(.maximumDiversification, panel), panel: panel).weights
            let image = sigma.symmetricMultiplied(by: w)
            let variance = Vector.dot(w, image)
            let sum = Vector.dot(w, deviation)
            stationary(w, w.indices.map { deviation[$0] / sum - image[$0] / variance }, "diversification")
            w = try PortfolioOptimization.run(Self.request(.maximumDecorrelation, panel), panel: panel).weights
            let correlation = sigma.scaled(rows: deviation.map { 1 / $0 }, columns: deviation.map { 1 / $0 })
            stationary(w, correlation.symmetricMultiplied(by: w).map { -$0 }, "decorrelation")
            // A benchmark outside: the average of the first three and noise.
            var request = Self.request(.benchmarkTracking, panel)
            let exact = try PortfolioOptimization.run(request, panel: panel)
            #expect(exact.solution.objectiveValue < 1e-8)
            for i in 0..<12 { #expect(abs(exact.weights[i] - (i < 3 ? 1.0 / 3 : 0)) <= 1e-5) }
            var numbers = RepeatableNumbers(seed: seed)
            let series = panel.column(0).map { 0.5 * $0 + 0.01 * numbers.normal() }
            request.constraints.benchmark = []
            request.constraints.benchmarkReturns = .init(dates: nil, values: series)
            w = try PortfolioOptimization.run(request, panel: panel).weights
            let rest = zip(panel.portfolioReturns(w), series).map { $0 - $1 }
            stationary(w, panel.returns.transposedMultiplied(by: rest).map { -$0 }, "tracking")
        }
    }
}
