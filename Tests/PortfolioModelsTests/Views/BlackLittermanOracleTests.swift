import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Black-Litterman against the oracle", .enabled(if: Oracle.isPresent, "shared/oracle is absent"))
struct BlackLittermanOracleTests {
    /// The request that a record of views stands for.
    private func request(_ record: JSONValue, panel: ReturnPanel) throws -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.model = .blackLitterman
        var views = ViewsRequest()
        views.isEquilibrium = record["equilibrium"] == .bool(true)
        let rows = try EstimatorOracleTests.matrix(record["views"]?["P"])
        let levels = (record["views"]?["Q"]?.arrayValue ?? []).compactMap { $0.doubleValue }
        for (k, level) in levels.enumerated() {
            let weights = zip(panel.assets, rows.row(k)).filter { $1 != 0 }
                .map { ConstraintRequest.AssetValue($0, $1) }
            views.items.append(.init(weights: weights, level: level))
        }
        request.views = views
        return request
    }

    @Test("The posterior agrees to 1e-10", arguments: EstimatorOracleTests.windows)
    func posterior(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("black_litterman", window).filter { $0["kind"]?.stringValue == "posterior" }
        #expect(records.count == 2)
        for record in records {
            let wanted = try request(record, panel: panel)
            let found = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252)
            let expected = try record.numbers("mu")
            let size = expected.reduce(0) { max($0, abs($1)) }
            for (a, b) in zip(found.mean, expected) { #expect(abs(a - b) <= 1e-10 * size) }
            #expect(
                EstimatorOracleTests.distance(found.covariance, try EstimatorOracleTests.matrix(record["cov"])) <= 1e-10
            )
            let sample = SampleCovariance.estimate(panel)
            var warnings: [PortfolioWarning] = []
            let prior = try BlackLitterman.prior(
                try #require(wanted.views), mean: HistoricalMean.estimate(panel), covariance: sample,
                assets: panel.assets, riskFreeRate: 0, warnings: &warnings)
            #expect(warnings.isEmpty)
            for (a, b) in zip(prior, try record.numbers("prior_mean")) { #expect(abs(a - b) <= 1e-10 * size) }
        }
    }

    @Test(
        "Portfolios of the posterior mean reach the oracle's value and pass verification",
        arguments: EstimatorOracleTests.windows)
    func portfolios(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("black_litterman", window)
        var checked = 0
        for record in records where record["kind"]?.stringValue == "portfolio" {
            let views = try #require(
                records.first {
                    $0["kind"]?.stringValue == "posterior" && $0["equilibrium"] == record["equilibrium"]
                })
            var wanted = try request(views, panel: panel)
            let objective = try oracleRequest(record, panel: panel)
            wanted.objective = objective.objective
            let code = try record.text("rm")
            wanted.riskMeasure = try #require(RiskMeasureCode(rawValue: code))
            wanted.riskFreeRate = objective.riskFreeRate
            wanted.riskAversion = objective.riskAversion
            let result = try PortfolioOptimization.run(wanted, panel: panel)
            let value = try record.number("value")
            // Mean-variance is solved to the last digits; of the others the record itself is good to 2e-8.
            let tolerance = wanted.riskMeasure == .mv ? 1e-8 : 1e-7
            #expect(abs(result.solution.objectiveValue - value) <= tolerance * abs(value), "\(wanted.objective)")
            #expect(Verification.faults(wanted, panel: panel, result: result) == [])
            #expect(abs(result.riskContributions.reduce(0, +) - result.solution.risk) <= 1e-10)
            // The metrics stay those of the sample.
            let mean = zip(HistoricalMean.estimate(panel), result.weights).reduce(0) { $0 + $1.0 * $1.1 }
            let annual = try #require(result.metrics.first { $0.name == "expected_return" }?.value)
            #expect(abs(annual - 252 * mean) <= 1e-12)
            checked += 1
        }
        #expect(checked == 14)
    }

    @Test("Verification rejects weights that are not the optimum of the posterior")
    func rejected() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        let record = try #require(
            try Oracle.records("black_litterman", "sp500_n10_T500").first { $0["kind"]?.stringValue == "posterior" })
        let wanted = try request(record, panel: panel)
        var plain = wanted
        plain.model = .classic
        plain.views = nil
        let sample = try PortfolioOptimization.run(plain, panel: panel)
        var forged = try PortfolioOptimization.run(wanted, panel: panel)
        forged.weights = sample.weights
        #expect(!Verification.faults(wanted, panel: panel, result: forged).isEmpty)
    }
}
