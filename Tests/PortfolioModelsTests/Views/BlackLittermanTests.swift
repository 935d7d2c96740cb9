import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Black-Litterman")
struct BlackLittermanTests {
    private func request(_ panel: ReturnPanel, _ items: [ViewsRequest.View]) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = .blackLitterman
        request.periodsPerYear = 252
        var views = ViewsRequest()
        views.items = items
        request.views = views
        return request
    }

    private func view(_ weights: [(String, Double)], _ level: Double, confidence: Double? = nil) -> ViewsRequest.View {
        var view = ViewsRequest.View(weights: weights.map { .init($0.0, $0.1) }, level: level)
        view.confidence = confidence
        return view
    }

    private func mean(_ panel: ReturnPanel, _ items: [ViewsRequest.View]) throws -> [Double] {
        try MomentEstimation.estimate(request(panel, items), panel: panel, periodsPerYear: 252).mean
    }

    @Test("Without confidence in any view the prior stands; with all confidence the view holds exactly")
    func extremes() throws {
        let panel = try randomPanel(assets: 5, observations: 200, seed: 3)
        let none = try mean(panel, [view([("A0", 1), ("A1", -1)], 0.01, confidence: 0)])
        let prior = try MeanEstimators.make(MeanEstimatorRequest(.equilibrium), assets: panel.assets).estimate(panel)
        for (a, b) in zip(none, prior) { #expect(abs(a - b) <= 1e-15) }
        let all = try mean(panel, [view([("A0", 1), ("A1", -1)], 0.01, confidence: 1)])
        #expect(abs(all[0] - all[1] - 0.01) <= 1e-15)
    }

    @Test("Idzorek: a view of confidence c moves its portfolio c of the way", arguments: [0.1, 0.25, 0.5, 0.9])
    func idzorek(confidence: Double) throws {
        let panel = try randomPanel(assets: 4, observations: 150, seed: 9)
        let prior = try mean(panel, [view([("A2", 1)], 0.02, confidence: 0)])
        let found = try mean(panel, [view([("A2", 1)], 0.02, confidence: confidence)])
        #expect(abs(found[2] - (prior[2] + confidence * (0.02 - prior[2]))) <= 1e-15)
    }

    @Test("A view without a confidence counts half")
    func half() throws {
        let panel = try randomPanel(assets: 4, observations: 150, seed: 9)
        let plain = try mean(panel, [view([("A2", 1)], 0.02), view([("A0", 1), ("A3", -1)], 0.001)])
        let explicit = try mean(
            panel, [view([("A2", 1)], 0.02, confidence: 0.5), view([("A0", 1), ("A3", -1)], 0.001, confidence: 0.5)])
        #expect(plain == explicit)
    }

    @Test("The update without an inverse is that of the textbook with three")
    func textbook() throws {
        let panel = try randomPanel(assets: 6, observations: 300, seed: 21)
        let items = [view([("A0", 1), ("A1", -1)], 0.001), view([("A4", 1)], 0.002)]
        let found = try MomentEstimation.estimate(request(panel, items), panel: panel, periodsPerYear: 252)
        let sigma = SampleCovariance.estimate(panel)
        let rows = Matrix([[1, -1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]])
        let tau = 1.0 / 300
        let spread = sigma.scaled(by: tau)
        let precision = try Cholesky(factorising: spread).solve(Matrix.identity(6))
        let variances = (rows * spread * rows.transposed()).diagonal
        let errors = Matrix.diagonal(variances.map { 1 / $0 })
        var total = rows.transposed() * errors * rows
        for index in total.storage.indices { total.storage[index] += precision.storage[index] }
        let prior = try MeanEstimators.make(MeanEstimatorRequest(.equilibrium), assets: panel.assets).estimate(panel)
        let pull = zip(
            precision.multiplied(by: prior), (rows.transposed() * errors).multiplied(by: [0.001, 0.002])
        ).map { $0 + $1 }
        let factor = try Cholesky(factorising: total)
        for (a, b) in zip(found.mean, factor.solve(pull)) { #expect(abs(a - b) <= 1e-13) }
        let inverse = factor.solve(Matrix.identity(6))
        for index in sigma.storage.indices {
            let expected = sigma.storage[index] + inverse.storage[index]
            #expect(abs(found.covariance.storage[index] - expected) <= 1e-16)
        }
    }

    @Test("A singular covariance has a posterior too: perfectly correlated assets move together")
    func singular() throws {
        let a = (0..<60).map { Double(($0 * 7) % 11 - 5) / 500 }
        let panel = try madePanel([a, a.map { 2 * $0 }, a.map { -$0 + 0.0001 * Double($0 > 0 ? 1 : -1) }])
        let found = try mean(panel, [view([("A0", 1)], 0.003, confidence: 1)])
        #expect(found.allSatisfy { $0.isFinite })
        #expect(abs(found[0] - 0.003) <= 1e-15)
        #expect(abs(found[1] - 0.006) <= 1e-12)
    }

    @Test("Certain views that depend on each other are refused")
    func dependent() throws {
        let panel = try randomPanel(assets: 3, observations: 100, seed: 5)
        let items = [view([("A0", 1)], 0.01, confidence: 1), view([("A0", 1)], 0.02, confidence: 1)]
        #expect(problemCode { try mean(panel, items) } == "OPT-202")
    }

    @Test("A group in a view is the mean of its members")
    func groups() throws {
        let panel = try randomPanel(assets: 4, observations: 100, seed: 6)
        var wanted = request(panel, [view([("G", 1)], 0.004)])
        wanted.constraints.groups = [.init("G", ["A0", "A3"])]
        let found = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252).mean
        let expected = try mean(panel, [view([("A0", 0.5), ("A3", 0.5)], 0.004)])
        #expect(found == expected)
    }

    @Test("A prior that earns less than the rate has a negative risk aversion, which is said")
    func negative() throws {
        let panel = try randomPanel(assets: 3, observations: 100, seed: 5)
        var wanted = request(panel, [view([("A0", 1)], 0.01)])
        wanted.views?.riskFreeRate = 25.2
        let found = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252)
        #expect(found.warnings.map { $0.code } == ["negative_risk_aversion"])
    }
}
