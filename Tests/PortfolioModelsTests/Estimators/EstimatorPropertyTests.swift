import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Estimators: properties")
struct EstimatorPropertyTests {
    private func covariance(_ method: CovarianceMethod, _ panel: ReturnPanel) throws -> Matrix {
        try CovarianceEstimators.make(CovarianceEstimatorRequest(method)).estimate(panel).matrix
    }

    @Test(
        "Scaling the returns scales means and covariances, but for the tolerances of gl",
        arguments: CovarianceMethod.allCases.filter { $0 != .custom && $0 != .gl })
    func homogeneous(method: CovarianceMethod) throws {
        let panel = try randomPanel(assets: 7, observations: 120, seed: 6)
        let scaled = try ReturnPanel(
            assets: panel.assets, dates: panel.dates, returns: panel.returns.scaled(by: 8))
        let found = try covariance(method, scaled)
        let expected = try covariance(method, panel).scaled(by: 64)
        #expect(EstimatorOracleTests.distance(found, expected) <= 1e-9)
    }

    @Test(
        "The order of the assets does not matter",
        arguments: CovarianceMethod.allCases.filter { $0 != .custom && $0 != .gl })
    func permuted(method: CovarianceMethod) throws {
        let panel = try randomPanel(assets: 7, observations: 120, seed: 16)
        let order = [3, 0, 6, 2, 5, 1, 4]
        let moved = try ReturnPanel(
            assets: order.map { panel.assets[$0] }, dates: panel.dates, returns: panel.returns.selecting(columns: order)
        )
        let found = try covariance(method, moved)
        let expected = try covariance(method, panel).submatrix(rows: order, columns: order)
        #expect(EstimatorOracleTests.distance(found, expected) <= 1e-9)
    }

    @Test("CAPM and equilibrium agree where the market prices its own risk; a given aversion scales it")
    func equilibrium() throws {
        let panel = try randomPanel(assets: 5, observations: 90, seed: 2)
        func mean(_ method: MeanMethod, _ aversion: Double? = nil) throws -> [Double] {
            var request = MeanEstimatorRequest(method)
            request.riskAversion = aversion
            request.marketWeights = [.init("A0", 0.5), .init("A3", 0.5)]
            return try MeanEstimators.make(request, assets: panel.assets, riskFreeRate: 0.0001).estimate(panel)
        }
        let market = zip(panel.column(0), panel.column(3)).map { ($0 + $1) / 2 }
        let centred = SeriesMath.centred(market)
        let variance = Vector.dot(centred, centred)
        for (asset, value) in try mean(.capitalAssetPricing).enumerated() {
            let beta = Vector.dot(SeriesMath.centred(panel.column(asset)), centred) / variance
            #expect(abs(value - (0.0001 + beta * (SeriesMath.mean(market) - 0.0001))) <= 1e-14)
        }
        #expect(try mean(.capitalAssetPricing) == (try mean(.equilibrium)))
        let (three, six) = (try mean(.equilibrium, 3), try mean(.equilibrium, 6))
        for (a, b) in zip(three, six) { #expect(abs(2 * (a - 0.0001) - (b - 0.0001)) <= 1e-16) }
    }

    @Test("Shrinkage towards one figure keeps means between it and the sample's, BS and JS")
    func shrinkage() throws {
        let panel = try randomPanel(assets: 6, observations: 250, seed: 77)
        let sample = HistoricalMean.estimate(panel)
        let grand = sample.reduce(0, +) / 6
        var request = MeanEstimatorRequest(.bayesStein)
        request.target = .grandMean
        for (value, own) in zip(try MeanEstimators.make(request, assets: panel.assets).estimate(panel), sample) {
            #expect(abs(value - grand) <= abs(own - grand))
        }
    }

    @Test("Pairwise covariance equals the sample's on a complete panel, and pairs' own means with gaps")
    func pairwise() throws {
        let panel = try randomPanel(assets: 4, observations: 50, seed: 5)
        #expect(
            EstimatorOracleTests.distance(try covariance(.pairwise, panel), SampleCovariance.estimate(panel)) <= 1e-13)
        var gaps = panel.returns
        for t in 0..<20 { gaps[t, 0] = .nan }
        for t in 35..<50 { gaps[t, 2] = .nan }
        let found = try PairwiseCovariance.estimate(gaps, assets: panel.assets).matrix
        let common = Array(20..<35)
        let a = SeriesMath.centred(common.map { panel.returns[$0, 0] })
        let b = SeriesMath.centred(common.map { panel.returns[$0, 2] })
        #expect(abs(found[0, 2] - Vector.dot(a, b) / 14) <= 1e-16)
        for t in 0..<34 { gaps[t, 0] = .nan }
        #expect(problemCode { try PairwiseCovariance.estimate(gaps, assets: panel.assets) } == "DAT-002")
    }

    /// An asset that begins late must not shorten the others' histories.
    @Test("A request with gaps: pairs by their own periods, in prices and returns, in a backtest's windows too")
    func gaps() throws {
        let panel = try randomPanel(assets: 3, observations: 60, seed: 6)
        var series = (0..<3).map { asset in panel.column(asset).map { Optional($0) } }
        for t in 0..<25 { series[2][t] = nil }
        series[0][40] = nil
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.objective = .minimumRisk
        request.covarianceEstimator.method = .pairwise
        let inline = InlinePanel(kind: .returns, dates: panel.dates, assets: panel.assets, values: series)
        let loaded = try ReturnPanel.inline(inline, request: request)
        #expect(loaded.observations == 34)
        let moments = try MomentEstimation.estimate(request, panel: loaded, periodsPerYear: 252)
        let whole = SampleCovariance.estimate(panel)
        // The second asset has all periods, the third's pairs the last 35.
        #expect(abs(moments.covariance[1, 1] - whole[1, 1]) <= 1e-15)
        let a = SeriesMath.centred(Array(panel.column(1)[25...]))
        let b = SeriesMath.centred(Array(panel.column(2)[25...]))
        #expect(abs(moments.covariance[1, 2] - Vector.dot(a, b) / 34) <= 1e-15)
        let found = try PortfolioOptimization.run(request, panel: loaded)
        #expect(Verification.faults(request, panel: loaded, result: found) == [])
        // Prices: a missing one takes both its returns.
        var prices = series.map { _ in [Double?]() }
        for asset in 0..<3 {
            var level = 100.0
            for t in 0..<60 {
                level *= 1 + panel.returns[t, asset]
                prices[asset].append(series[asset][t] == nil ? nil : level)
            }
        }
        let priced = InlinePanel(kind: .prices, dates: panel.dates, assets: panel.assets, values: prices)
        let gapped = try #require(try ReturnPanel.inline(priced, request: request).gapped)
        #expect(gapped.dates.count == 59)
        #expect(gapped.isKnown.filter { !$0 }.count == 25 + 2)
        request.covarianceEstimator.method = .hist
        #expect(try ReturnPanel.inline(inline, request: request).gapped == nil)
        // A window of the panel has the gaps of its own dates.
        let window = try loaded.periods([10..<30])
        let inside = try #require(window.gapped)
        #expect(inside.dates.first == window.dates.first && inside.dates.last == window.dates.last)
        #expect(inside.dates.count == 21)
    }

    @Test("Higham's correlation is the nearest: never farther than the clipped one, with the textbook's answer")
    func higham() throws {
        // N. J. Higham (2002), section 4: the nearest to tridiag(1, 1, 1) of order three.
        let matrix = Matrix([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
        let found = try NearestCorrelation.to(matrix)
        // On the boundary b = 2 a^2 - 1; stationary where 4 a^3 - a - 1 = 0.
        let (a, b) = (found[0, 1], found[0, 2])
        #expect(abs(4 * a * a * a - a - 1) <= 1e-7)
        #expect(abs(b - (2 * a * a - 1)) <= 1e-7)
        #expect(abs(a - 0.7607) < 5e-5 && abs(b - 0.1573) < 5e-5)
        let clip = try #require(try PositiveSemidefinite.repair(matrix, method: .clip))
        let near = try #require(try PositiveSemidefinite.repair(matrix, method: .higham))
        func away(_ m: Matrix) -> Double {
            zip(m.storage, matrix.storage).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        #expect(away(near.matrix) <= away(clip.matrix))
        #expect(near.largestChange > 0.2)
        #expect(near.warning(["covariance_estimator"]).code == "covariance_repaired")
        #expect(try PositiveSemidefinite.repair(Matrix([[1, 1], [1, 1]])) == nil)
    }

    @Test("A covariance that is not positive semidefinite is mended with a warning, and its answer is verified")
    func mended() throws {
        let panel = try randomPanel(assets: 3, observations: 60, seed: 9)
        var request = OptimizeRequest(assets: panel.assets)
        request.objective = .minimumRisk
        request.covarianceEstimator.method = .custom
        request.covarianceEstimator.matrix = NamedMatrix(
            assets: ["A2", "A1", "A0"], values: [[1e-4, 1e-4, 0], [1e-4, 1e-4, 1e-4], [0, 1e-4, 1e-4]])
        for repair in PSDRepair.allCases {
            request.covarianceEstimator.repair = repair
            let result = try PortfolioOptimization.run(request, panel: panel)
            #expect(result.warnings.contains { $0.code == "covariance_repaired" })
            #expect(Verification.faults(request, panel: panel, result: result) == [])
        }
    }

    @Test("Custom figures are taken by name")
    func custom() throws {
        let panel = try randomPanel(assets: 2, observations: 30, seed: 9)
        var request = OptimizeRequest(assets: panel.assets)
        request.objective = .minimumRisk
        request.meanEstimator.method = .custom
        request.meanEstimator.values = [.init("A1", 0.002), .init("A0", 0.001)]
        request.covarianceEstimator.method = .custom
        request.covarianceEstimator.matrix = NamedMatrix(assets: ["A1", "A0"], values: [[4e-4, 0], [0, 1e-4]])
        let result = try PortfolioOptimization.run(request, panel: panel)
        #expect(abs(result.weights[0] - 0.8) <= 1e-9)
        #expect(abs(result.solution.expectedReturn - 0.0012) <= 1e-12)
        #expect(abs(result.solution.risk - (8e-5).squareRoot()) <= 1e-12)
        #expect(Verification.faults(request, panel: panel, result: result) == [])
    }

    @Test("Scenario weights reach mean and covariance; equal ones change nothing")
    func scenarioWeights() throws {
        let panel = try randomPanel(assets: 3, observations: 80, seed: 9)
        var request = OptimizeRequest(assets: panel.assets)
        request.scenarioWeights = .given([Double](repeating: 7, count: 80))
        let equal = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        for (a, b) in zip(equal.mean, HistoricalMean.estimate(panel)) { #expect(abs(a - b) <= 1e-17) }
        #expect(EstimatorOracleTests.distance(equal.covariance, SampleCovariance.estimate(panel)) <= 1e-13)
        // A period of weight two counts as if it were there twice.
        var weights = [Double](repeating: 1, count: 80)
        weights[5] = 2
        request.scenarioWeights = .given(weights)
        let found = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let x = panel.column(1)
        #expect(abs(found.mean[1] - (x.reduce(0, +) + x[5]) / 81) <= 1e-16)
        request.scenarioWeights = .halfLife(10)
        let recent = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252).scenarioWeights
        let weight = try #require(recent)
        #expect(abs(weight[69] / weight[79] - 0.5) <= 1e-12)
    }

    @Test("Comoments contract without a tensor to the portfolio's own moments")
    func contraction() throws {
        let panel = try randomPanel(assets: 4, observations: 70, seed: 15)
        let w = [0.4, -0.1, 0.5, 0.2]
        let moments = CoMoments(panel)
        let (skew, kurt) = (try moments.coskewness(), try moments.cokurtosis())
        let pairs = (0..<4).flatMap { i in (0..<4).map { j in w[i] * w[j] } }
        let third = Vector.dot(w, skew.multiplied(by: pairs))
        let fourth = Vector.dot(pairs, kurt.multiplied(by: pairs))
        #expect(abs(moments.contraction(w, power: 3).value - third) <= 1e-12 * abs(third) + 1e-20)
        #expect(abs(moments.contraction(w, power: 4).value - fourth) <= 1e-12 * fourth)
        let gradient = moments.contraction(w, power: 4).gradient
        #expect(abs(Vector.dot(gradient, w) - 4 * fourth) <= 1e-12 * fourth)
        let wide = try randomPanel(assets: 70, observations: 20, seed: 1)
        #expect(problemCode { try CoMoments(wide).cokurtosis() } == "OPT-301")
        #expect(CoMoments(wide).contraction([Double](repeating: 1 / 70.0, count: 70), power: 4).value > 0)
    }
}
