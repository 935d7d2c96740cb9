import ConvexSolver
import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Hierarchical models")
struct HierarchicalModelTests {
    private static func models(_ input: HierarchicalInput) -> [any HierarchicalModel] {
        let request = {
            var request = OptimizeRequest(assets: input.panel.assets); request.objective = .minimumRisk; return request
        }()
        let nested = NestedMeanRisk(request: request, parameters: RiskParameters(), riskFreeRate: 0, deadline: .none)
        return [
            HierarchicalRiskParity(input), HierarchicalEqualRisk(input),
            HierarchicalEqualRisk(input, isEqualWithin: true),
            NestedClusters(input, inner: nested, outer: nested),
            NestedClusters(input, inner: NestedNaive(input.risk), outer: NestedNaive(input.risk)),
            SchurComplementary(input),
        ]
    }

    private func check(_ weights: [Double], _ limits: WeightLimits, _ label: String) {
        #expect(abs(weights.reduce(0, +) - limits.budget) <= 1e-12, "\(label)")
        #expect(limits.hold(weights), "\(label): \(weights)")
    }

    @Test("every measure of the registry splits; vol and equal too", arguments: [3, 17])
    func measures(assets: Int) throws {
        let panel = try randomPanel(assets: assets, observations: 90, seed: 11)
        let codes = RiskMeasures.all.map { $0.code.rawValue } + ["vol", "equal"]
        #expect(codes.count == 38)
        for code in codes {
            var input = try HierarchicalInput(panel)
            input.risk = try #require(HierarchicalRisk(code: code))
            for model in [
                HierarchicalRiskParity(input), HierarchicalEqualRisk(input),
                HierarchicalEqualRisk(input, isEqualWithin: true),
            ] as [any HierarchicalModel] {
                let solution = try model.solve()
                check(solution.weights, input.limits, "\(code) \(type(of: model))")
                #expect(solution.weights.allSatisfy { $0 > 0 }, "\(code)")
            }
        }
    }

    /// Contributions to a compounded drawdown do not add up to it, and need not for the answer to be right.
    @Test("every measure's answer passes verification", arguments: RiskMeasures.all.map { $0.code })
    func answers(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 7, observations: 150, seed: 14)
        for model in [ModelName.hierarchicalRiskParity, .hierarchicalEqualRisk, .hierarchicalEqualRisk2] {
            var request = OptimizeRequest(assets: panel.assets)
            request.model = model
            request.riskMeasure = measure
            request.periodsPerYear = 252
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(model) \(measure)")
        }
    }

    /// Section 1.9 and the oracle's note: Riskfolio-Lib's weights add up to the number of clusters.
    @Test("HERC with equal risks adds up to one: halves of halves, equal within")
    func equalRisk() throws {
        let panel = try randomPanel(assets: 12, observations: 200, seed: 5)
        var input = try HierarchicalInput(panel)
        input.risk = .equal
        input.clustering.clusters = 4
        let solution = try HierarchicalEqualRisk(input).solve()
        check(solution.weights, input.limits, "equal")
        let clusters = try #require(solution.clusters)
        let totals = Dendrogram.groups(clusters).map { $0.reduce(0) { $0 + solution.weights[$1] } }
        for total in totals { #expect([0.5, 0.25, 0.125].contains { abs(total - $0) < 1e-12 }) }
    }

    /// Section 1.9, number 11: Riskfolio-Lib's splits ignore p of EM and ESM, and HRP's kappa of gains.
    @Test("parameters of the measures reach the splits")
    func parameters() throws {
        let panel = try randomPanel(assets: 8, observations: 120, seed: 2)
        var input = try HierarchicalInput(panel)
        for (code, change) in [
            ("EM", { (p: inout RiskParameters) in p.power = 4 }), ("ESM", { $0.power = 4 }),
            ("RVRG", { $0.kappaGain = 0.9 }), ("CVaR", { $0.alpha = 0.2 }), ("FLPM", { $0.target = 0.01 }),
        ] as [(String, (inout RiskParameters) -> Void)] {
            input.risk = try #require(HierarchicalRisk(code: code))
            input.parameters = RiskParameters()
            let plain = try HierarchicalRiskParity(input).solve().weights
            change(&input.parameters)
            #expect(plain != (try HierarchicalRiskParity(input).solve().weights), "\(code)")
        }
    }

    @Test("one asset, two assets, copies of one another, fewer periods than assets")
    func degenerate() throws {
        for n in [1, 2, 3, 4, 5, 30] {
            let random = try randomPanel(assets: n, observations: 25, seed: UInt64(n))
            let copies = try madePanel((0..<n).map { _ in random.column(0) })
            let mirrored = try madePanel((0..<n).map { i in random.column(0).map { i % 2 == 0 ? $0 : -$0 } })
            for panel in [random, copies, mirrored] {
                for linkage in LinkageMethod.allCases {
                    var input = try HierarchicalInput(panel)
                    input.clustering.linkage = linkage
                    for (index, model) in Self.models(input).enumerated() {
                        do {
                            let solution = try model.solve()
                            check(solution.weights, input.limits, "\(n) \(linkage) \(index)")
                            #expect(solution.weights.allSatisfy { $0.isFinite })
                            if n == 1 { #expect(solution.weights == [1]) }
                        } catch {
                            // Naive branches of mirrored copies have no risk at all: a typed refusal, never NaN.
                            #expect(
                                panel == mirrored && error.code == "OPT-203", "\(n) \(linkage) \(index) \(error)")
                        }
                    }
                    if panel == copies, n > 1 {
                        let weights = try HierarchicalEqualRisk(
                            {
                                var one = input; one.clustering.clusters = 1; return one
                            }()
                        ).solve().weights
                        for weight in weights { #expect(abs(weight - 1 / Double(n)) <= 1e-12) }
                    }
                }
            }
        }
    }

    @Test("constant returns are refused by name, except alone")
    func constantReturns() throws {
        let panel = try madePanel([
            [0.01, -0.02, 0.03, 0.01], [0.001, 0.001, 0.001, 0.001], [0.02, 0.01, -0.03, 0.02],
        ])
        for model in Self.models(try HierarchicalInput(panel)) {
            let problem = try #require(caught { try model.solve() })
            #expect(["DAT-004", "OPT-203"].contains(problem.code))
            #expect(problem.detail.contains("A1"))
        }
        let alone = try madePanel([[0.001, 0.001, 0.001]])
        for model in Self.models(try HierarchicalInput(alone)) { #expect(try model.solve().weights == [1]) }
    }

    @Test("limits hold under both rules; where they do not bind nothing changes", arguments: WeightLimitRule.allCases)
    func limits(rule: WeightLimitRule) throws {
        var numbers = RepeatableNumbers(seed: 9)
        for case_ in 0..<60 {
            let n = 2 + numbers.pick(14)
            let panel = try randomPanel(assets: n, observations: 60, seed: UInt64(case_))
            var input = try HierarchicalInput(panel)
            input.clustering.linkage = LinkageMethod.allCases[case_ % 8]
            let free = try Self.models(input).map { try $0.solve().weights }
            input.limitRule = rule
            let unbound = try Self.models(input).map { try $0.solve().weights }
            for (a, b) in zip(free, unbound) { for (x, y) in zip(a, b) { #expect(abs(x - y) <= 1e-14) } }
            // Random limits around a random allowed portfolio.
            let inside = (0..<n).map { _ in abs(numbers.next()) + 0.01 }
            let total = inside.reduce(0, +)
            input.limits = try WeightLimits(
                lower: inside.map { max($0 / total - 0.1 * abs(numbers.next()), 0) },
                upper: inside.map { $0 / total + 0.1 * abs(numbers.next()) })
            for (index, model) in Self.models(input).enumerated() {
                check(try model.solve().weights, input.limits, "case \(case_), model \(index)")
            }
        }
    }

    /// skfolio 1.12.2, HierarchicalRiskParity with Ward's linkage, min_weights 0.05 and max_weights 0.15.
    @Test("limits that contradict the budget are infeasible")
    func contradictoryLimits() throws {
        #expect(problemCode { try WeightLimits(lower: [0.6, 0.6], upper: [1, 1]) } == "OPT-101")
        #expect(problemCode { try WeightLimits(lower: [0, 0], upper: [0.4, 0.4]) } == "OPT-101")
        #expect(problemCode { try WeightLimits(lower: [0.5, 0], upper: [0.4, 1]) } == "OPT-101")
    }

    @Test("Schur: gamma 0 is HRP of the variance, and the variance falls with gamma")
    func schur() throws {
        for seed in UInt64(1)...8 {
            let panel = try randomPanel(assets: 9, observations: 300, seed: seed)
            let input = try HierarchicalInput(panel)
            let parity = try HierarchicalRiskParity(input).solve().weights
            let none = try SchurComplementary(input, gamma: 0).solve().weights
            for (a, b) in zip(parity, none) { #expect(abs(a - b) <= 1e-12) }
            func variance(_ w: [Double]) -> Double { Vector.dot(w, input.covariance.symmetricMultiplied(by: w)) }
            var last = variance(parity)
            for gamma in [0.1, 0.3, 0.5, 0.8, 1] {
                let value = variance(try SchurComplementary(input, gamma: gamma).solve().weights)
                #expect(value <= last * (1 + 1e-9))
                last = value
            }
        }
    }

    @Test("a deadline that has passed stops a model")
    func deadline() throws {
        var input = try HierarchicalInput(try randomPanel(assets: 6, observations: 50, seed: 1))
        input.deadline = .after(.seconds(-1))
        for model in Self.models(input) { #expect(problemCode { try model.solve() } == "SYS-201") }
    }

    @Test("codependence refuses what makes no sense")
    func badOptions() throws {
        let panel = try randomPanel(assets: 3, observations: 20, seed: 1)
        for options in [
            Codependence.Options(measure: .mutualInformation, binning: .count(1)),
            .init(measure: .mutualInformation, binning: .count(5000)), .init(measure: .tail, tailProbability: 0),
            .init(measure: .gerber1, gerberThreshold: 1), .init(measure: .custom),
            .init(measure: .custom, covariance: .identity(2)),
            .init(measure: .custom, covariance: Matrix([[1, 2, 0], [2, 1, 0], [0, 0, 1]])),
            .init(measure: .custom, covariance: Matrix([[1, 0.1, 0], [0.2, 1, 0], [0, 0, 1]])),
            .init(measure: .custom, covariance: Matrix([[0, 0, 0], [0, 1, 0], [0, 0, 1]])),
        ] {
            #expect(["REQ-102", "REQ-104", "REQ-105"].contains(problemCode { try Codependence(panel, options) }))
        }
        let given = SampleCovariance.estimate(panel)
        let own = try Codependence(panel, .init(measure: .custom, covariance: given)).distance
        let pearson = try Codependence(panel).distance
        for (a, b) in zip(own.storage, pearson.storage) { #expect(abs(a - b) <= 1e-8) }
        #expect(problemCode { try HierarchicalClustering(panel, .init(clusters: 4)) } == "REQ-104")
    }

    @Test("correlation by ranks against the plain definition, ties included")
    func kendall() throws {
        var numbers = RepeatableNumbers(seed: 21)
        for length in [2, 3, 7, 8, 9, 16, 17, 33, 100] {
            let x = (0..<length).map { _ in Double(numbers.pick(length / 2 + 2)) }
            let y = (0..<length).map { _ in Double(numbers.pick(length / 3 + 2)) }
            guard Set(x).count > 1, Set(y).count > 1 else { continue }
            var (difference, untiedX, untiedY) = (0.0, 0.0, 0.0)
            for s in 0..<length {
                for t in 0..<s {
                    let (a, b) = ((x[s] - x[t]).signum(), (y[s] - y[t]).signum())
                    difference += a * b
                    untiedX += a * a
                    untiedY += b * b
                }
            }
            let expected = difference / (untiedX * untiedY).squareRoot()
            let own = KendallRankCorrelation.matrix(Matrix(rows: length, columns: 2, columnMajor: x + y))[0, 1]
            #expect(abs(own - expected) <= 1e-14, "T = \(length)")
        }
    }
}

extension Double {
    fileprivate func signum() -> Double { self > 0 ? 1 : self < 0 ? -1 : 0 }
}
