import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Frontiers of models with figures of their own: worst cases and four moments.
@Suite("Frontiers of worst cases and of four moments")
struct ModelFrontierTests {
    private static let periods = 252.0

    private func request(_ panel: ReturnPanel, _ model: ModelName) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = model
        request.objective = .minimumRisk
        request.periodsPerYear = Self.periods
        return request
    }

    private func aversion(_ second: Double, _ third: Double, _ fourth: Double) -> OptimizeRequest.MomentAversion {
        var aversion = OptimizeRequest.MomentAversion()
        (aversion.variance, aversion.skewness, aversion.kurtosis) = (second, third, fourth)
        return aversion
    }

    private func frontier(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ axis: FrontierAxis, points: Int = 7
    ) throws -> [OptimizeResponse.FrontierPoint] {
        var wanted = request
        wanted.frontier = .init(points: points, axis: axis, withWeights: true)
        let found = try PortfolioOptimization.run(wanted, panel: panel)
        #expect(Verification.faults(wanted, panel: panel, result: found) == [])
        return try #require(found.frontier)
    }

    @Test("without uncertainty they are the plain frontiers", arguments: FrontierAxis.allCases)
    func plain(axis: FrontierAxis) throws {
        let panel = try randomPanel(assets: 6, observations: 90, seed: 51)
        for isCVaR in [false, true] {
            var certain = request(panel, .worstCase)
            certain.uncertainty = UncertaintyRequest()
            if isCVaR {
                certain.riskMeasure = .cvar
                certain.uncertainty?.wassersteinRadius = 0
            } else {
                certain.uncertainty?.mean = .init(shape: .none)
                certain.uncertainty?.covariance = .init(shape: .none)
            }
            var plain = request(panel, .classic)
            plain.riskMeasure = certain.riskMeasure
            let own = try frontier(certain, panel, axis)
            let theirs = try frontier(plain, panel, axis)
            #expect(own.count == theirs.count)
            // The grid begins at the return of the least risk, which the proof of that risk leaves open by about a millionth: points are
            // compared at their own returns.
            for (one, other) in zip(own, theirs) {
                #expect(abs(one.expectedReturn - other.expectedReturn) <= 1e-6 * abs(other.expectedReturn) + 1e-9)
            }
            for point in own.dropLast() {
                var one = plain
                one.constraints.minReturn = point.expectedReturn / Self.periods - 1e-13
                let risk = try PortfolioOptimization.run(one, panel: panel).solution.risk * Self.periods.squareRoot()
                #expect(abs(point.risk - risk) <= 1e-8 * risk, "\(axis) \(isCVaR): \(point.risk), \(risk)")
            }
        }
    }

    @Test(
        "each point is the answer of a solve of its own", arguments: [RiskMeasureCode.cvar, .cdar, .ulcerIndex, .evar])
    func single(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 8, observations: 200, seed: 58)
        var plain = request(panel, .classic)
        plain.riskMeasure = measure
        for point in try frontier(plain, panel, .expectedReturn, points: 9).dropLast() {
            var one = plain
            one.constraints.minReturn = point.expectedReturn / Self.periods - 1e-13
            let risk = try PortfolioOptimization.run(one, panel: panel).solution.risk * Self.periods.squareRoot()
            #expect(abs(point.risk - risk) <= 1e-8 * risk, "\(measure): \(point.risk), \(risk)")
        }
    }

    @Test("four moments with the variance alone are mean-variance", arguments: FrontierAxis.allCases)
    func variance(axis: FrontierAxis) throws {
        let panel = try randomPanel(assets: 6, observations: 90, seed: 52)
        var moments = request(panel, .fourMoments)
        moments.momentAversion = aversion(1, 0, 0)
        let own = try frontier(moments, panel, axis)
        #expect(own.count == 7)
        let least = try frontier(request(panel, .classic), panel, .expectedReturn)
        #expect(abs(own[0].risk - least[0].risk * least[0].risk) <= 1e-8 * own[0].risk)
        #expect(abs(own[6].risk - least[6].risk * least[6].risk) <= 1e-8 * own[6].risk)
        for point in own {
            var one = request(panel, .classic)
            one.constraints.minReturn = point.expectedReturn / Self.periods - 1e-12
            let deviation = try PortfolioOptimization.run(one, panel: panel).solution.risk
            let variance = deviation * deviation * Self.periods
            #expect(abs(point.risk - variance) <= 1e-7 * variance, "\(axis)")
        }
    }

    /// What a utility of return less `aversion` times risk finds.
    private func utility(
        _ request: OptimizeRequest, _ panel: ReturnPanel, aversion: Double
    ) throws -> (expectedReturn: Double, risk: Double) {
        var wanted = request
        wanted.objective = .utility
        if request.model == .fourMoments {
            let base = request.momentAversion ?? .init()
            wanted.momentAversion = self.aversion(
                aversion * base.variance, aversion * base.skewness, aversion * base.kurtosis)
        } else {
            wanted.riskAversion = aversion
        }
        let found = try PortfolioOptimization.run(wanted, panel: panel)
        func figure(_ name: String) throws -> Double {
            try #require(found.modelFigures.first { $0.name == name }?.value)
        }
        if request.model == .fourMoments {
            return (found.solution.expectedReturn, try figure("moment_risk") / aversion)
        }
        return (try figure("worst_return"), try figure("worst_risk"))
    }

    static let kinds = ["boxes", "ellipsoids", "mean alone", "shorts", "four moments"]

    @Test("each point is the best one for a taste between risk and return", arguments: kinds)
    func supported(kind: String) throws {
        let panel = try randomPanel(assets: 5, observations: 140, seed: 53, scale: 0.02)
        var wanted = request(panel, kind == "four moments" ? .fourMoments : .worstCase)
        if kind != "four moments" {
            var sets = UncertaintyRequest()
            let isBox = kind == "boxes" || kind == "mean alone"
            sets.mean = .init(shape: isBox ? .box : .ellipsoid, method: isBox ? .delta : .normal)
            sets.mean.radius = .value(0.3)
            sets.covariance = .init(
                shape: kind == "mean alone" ? .none : isBox ? .box : .ellipsoid, method: isBox ? .delta : .normal)
            wanted.uncertainty = sets
        }
        if kind == "shorts" { wanted.constraints.short = 0.3 }
        for axis in FrontierAxis.allCases {
            let points = try frontier(wanted, panel, axis)
            try #require(points.count >= 4, "\(points.count)")
            for point in points.dropFirst().dropLast() {
                let level = point.expectedReturn / Self.periods
                let scale = kind == "four moments" ? Self.periods : Self.periods.squareRoot()
                // The more averse, the less return: by bisection to the point's.
                var (low, high) = (1e-4, 1e6)
                var found = (expectedReturn: 0.0, risk: 0.0)
                for _ in 0..<60 {
                    let middle = (low * high).squareRoot()
                    found = try utility(wanted, panel, aversion: middle)
                    if found.expectedReturn > level { low = middle } else { high = middle }
                    if high / low < 1 + 1e-10 { break }
                }
                #expect(abs(found.expectedReturn - level) <= 1e-6 * abs(level) + 1e-9, "\(kind) \(axis)")
                let miss = abs(found.risk * scale - point.risk) / point.risk
                #expect(miss <= 1e-6, "\(kind) \(axis): \(point.risk), by utility \(found.risk * scale)")
            }
        }
    }

    @Test("no random portfolio has a better worst case than a point of Wasserstein's frontier")
    func wasserstein() throws {
        let panel = try randomPanel(assets: 5, observations: 100, seed: 54)
        var wanted = request(panel, .worstCase)
        wanted.riskMeasure = .cvar
        wanted.uncertainty = UncertaintyRequest()
        wanted.uncertainty?.wassersteinRadius = 0.0002
        let points = try frontier(wanted, panel, .expectedReturn)
        try #require(points.count >= 3)
        var numbers = RepeatableNumbers(seed: 55)
        let means = panel.assets.indices.map { panel.column($0).reduce(0, +) / Double(panel.observations) }
        for _ in 0..<3000 {
            var w = panel.assets.map { _ in abs(numbers.next() * numbers.next()) }
            let total = w.reduce(0, +)
            w = w.map { $0 / total }
            let largest = w.max() ?? 0
            let worstReturn = zip(means, w).reduce(0) { $0 + $1.0 * $1.1 } - 0.0002 * largest
            let cvar = try #require(RiskMeasures.measure(.cvar, RiskParameters(alpha: 0.05)))
                .value(of: panel.portfolioReturns(w))
            let worstRisk = cvar + 0.0002 / 0.05 * largest
            for point in points where worstReturn >= point.expectedReturn / Self.periods + 1e-12 {
                #expect(worstRisk >= point.risk / Self.periods.squareRoot() * (1 - 1e-9))
            }
        }
        // And the points' own weights give their figures.
        for point in points {
            let w = try #require(point.weights)
            let worst = zip(means, w).reduce(0) { $0 + $1.0 * $1.1 } - 0.0002 * (w.max() ?? 0)
            #expect(abs(worst * Self.periods - point.expectedReturn) <= 1e-9)
        }
    }

    @Test("constraints hold on every point, in whatever units levels are given")
    func constrained() throws {
        let panel = try randomPanel(assets: 6, observations: 120, seed: 56)
        for model in [ModelName.worstCase, .fourMoments] {
            var wanted = request(panel, model)
            wanted.constraints.upperBound = .all(0.4)
            for axis in FrontierAxis.allCases {
                wanted.constraints.isAnnual = false
                let points = try frontier(wanted, panel, axis)
                wanted.constraints.isAnnual = true
                let annual = try frontier(wanted, panel, axis)
                #expect(points.count == annual.count)
                for (point, other) in zip(points, annual) {
                    let weights = try #require(point.weights)
                    #expect(weights.allSatisfy { $0 <= 0.4 })
                    #expect(abs(weights.reduce(0, +) - 1) <= 1e-12)
                    #expect(abs(point.risk - other.risk) <= 1e-7 * point.risk, "\(model) \(axis)")
                }
            }
        }
    }

    @Test("one asset has one point")
    func single() throws {
        let panel = try randomPanel(assets: 1, observations: 60, seed: 57)
        for model in [ModelName.worstCase, .fourMoments] {
            let points = try frontier(request(panel, model), panel, .risk)
            #expect(points.count == 1)
        }
    }
}
