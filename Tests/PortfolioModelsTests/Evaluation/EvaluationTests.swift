import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Metrics of given weights")
struct EvaluationTests {
    private static let golden = RiskMeasureTests.golden

    private static func shifted(_ by: Int, _ scale: Double, _ plus: Double) -> [Double] {
        golden.indices.map { golden[($0 + 20 - by) % 20] * scale + plus }
    }

    private static func panel() throws -> ReturnPanel {
        try madePanel([golden, shifted(5, 0.7, 0.0008), shifted(3, 0.5, -0.0002)])
    }

    @Test(
        "every value, ratio and contribution of the oracle in one call", .enabled(if: Oracle.isPresent, "no ../shared"),
        arguments: Oracle.windows)
    func oracle(window: String) throws {
        let panel = try Oracle.panel(window)
        for record in try Oracle.records("metrics", window) {
            var request = MetricsRequest(
                data: OptimizeRequest(assets: panel.assets), weights: try record.numbers("weights"))
            let rate = try #require(record["params"]).number("rf")
            request.data.periodsPerYear = 252
            request.data.riskFreeRate = 252 * rate
            let found = try PortfolioEvaluation.run(request, panel: panel)
            #expect(found.risk.count == RiskMeasureCode.allCases.count)
            for (name, list) in [("values", found.risk), ("ratios", found.ratios)] {
                for figure in list {
                    let expected = try #require(record[name]).number(figure.name)
                    let value = try #require(figure.value, "\(name) \(figure.name)")
                    #expect(abs(value - expected) <= 1e-9 * abs(expected), "\(name) \(figure.name)")
                }
            }
            for split in found.contributions {
                guard let theirs = record["risk_contributions"]?[split.code]?.arrayValue?.compactMap({ $0.doubleValue })
                else { continue }
                let size = theirs.reduce(0) { $0 + abs($1) }
                for (own, other) in zip(split.values, theirs) {
                    // Theirs are finite differences.
                    #expect(abs(try #require(own) - other) <= 2e-4 * size, "\(split.code)")
                }
            }
        }
    }

    @Test(
        "factor contributions are Riskfolio-Lib 7.4.0's",
        arguments: [
            ("MV", [0.00677108797199624, 0.0007895098686294105, 0.0003060203348179469]),
            ("CVaR", [0.01057345990778725, 0.0028913502111975915, -0.0012568101261322387]),
            ("MDD", [0.018186225674490648, 0.003360656708779393, -0.0022268817284156373]),
            ("UCI", [0.00975093206020834, 0.0010565382516640152, -0.0010071383709280904]),
            ("KT", [7.1545219094538e-05, 1.0061683901811084e-05, 2.432130639777735e-06]),
            ("MAD", [0.005950774269447071, 0.00041453078112966977, 0.0001970999434042067]),
        ])
    func factors(code: String, expected: [Double]) throws {
        let measure = try #require(
            RiskMeasureCode(rawValue: code).flatMap { RiskMeasures.measure($0, RiskParameters(alpha: 0.1)) })
        let (panel, weights) = (try Self.panel(), [0.5, 0.3, 0.2])
        let split = try FactorContributions(loadings: Matrix([[1, 0.2], [0.3, -0.1], [-0.2, 0.9]]))
        let degree = Double(type(of: measure).degree ?? 1)
        let margins = panel.returns.transposedMultiplied(
            by: measure.sensitivity(at: panel.portfolioReturns(weights))
        ).map { $0 / degree }
        let found = split.contributions(weights: weights, margins: margins)
        // Theirs are finite differences.
        for (own, other) in zip(found.factors + [found.residual], expected) {
            #expect(abs(own - other) <= 1e-6 * abs(other) + 1e-10, "\(own) \(other)")
        }
    }

    @Test("a factor that repeats another, or loads on nothing, is no obstacle")
    func singularFactors() throws {
        let split = try FactorContributions(loadings: Matrix([[1, 1, 0], [0.5, 0.5, 0], [2, 2, 0]]))
        let found = split.contributions(weights: [0.2, 0.3, 0.5], margins: [0.01, 0.02, 0.03])
        #expect(abs(found.factors[0] - found.factors[1]) < 1e-15)
        #expect(found.factors[2] == 0)
        #expect(abs(found.factors.reduce(found.residual, +) - 0.023) < 1e-15)
    }

    @Test("Brinson attribution is Riskfolio-Lib 7.4.0's, and a class that one side lacks is all allocation")
    func brinson() throws {
        let panel = try Self.panel()
        let classes = [ConstraintRequest.Group("X", ["A0", "A1"]), ConstraintRequest.Group("Y", ["A2"])]
        let found = BrinsonAttribution.of(
            weights: [0.5, 0.3, 0.2], benchmark: [0.3, 0.3, 0.4], classes: classes, panel: panel)
        let expected = [
            [0.0008014749056801354, -0.0013464763489361793, -0.0004488254496453933, -0.0009938268929014372],
            [0.0012022123585202027, 0, 0, 0.0012022123585202027],
        ]
        for (row, numbers) in zip(found.rows, expected) {
            let own = [row.allocation, row.selection, row.interaction, row.total]
            for (a, b) in zip(own, numbers) { #expect(abs(a - b) < 1e-15) }
        }
        let excess = found.portfolioReturn - found.benchmarkReturn
        #expect(abs(found.rows.reduce(0) { $0 + $1.total } - excess) < 1e-15)
        let sided = BrinsonAttribution.of(
            weights: [0.5, 0.5, 0], benchmark: [0.6, 0, 0.4],
            classes: [.init("P", ["A0"]), .init("Q", ["A1"]), .init("R", ["A2"])], panel: panel)
        for row in sided.rows {
            #expect(row.total.isFinite && row.selection == 0 && row.interaction == 0, "\(row.name)")
        }
        let difference = sided.portfolioReturn - sided.benchmarkReturn
        #expect(abs(sided.rows.reduce(0) { $0 + $1.total } - difference) < 1e-15)
    }

    @Test("the table of drawdowns, by hand")
    func drawdowns() throws {
        let x = [-0.1, 0.2, -0.5, 0.5, 0.4, 0.1, -0.02, -0.03]
        let panel = try madePanel([x])
        let table = DrawdownTable.of(x, dates: panel.dates, limit: 10)
        #expect(table.count == 3)
        // 1.08 -> 0.54 -> 0.81 -> 1.134
        #expect(abs(table[0].depth - 0.5) < 1e-15)
        #expect(table[0].peak == panel.dates[1] && table[0].trough == panel.dates[2])
        #expect(table[0].recovery == panel.dates[4])
        #expect([table[0].periodsToTrough, table[0].periodsToRecovery, table[0].periods] == [1, 2, 3])
        #expect(table[1].peak == nil && abs(table[1].depth - 0.1) < 1e-15)
        #expect(table[2].recovery == nil && table[2].periods == 2)
        #expect(abs(table[2].depth - (1 - 0.98 * 0.97)) < 1e-15)
        #expect(DrawdownTable.of([-1, 0.5], dates: Array(panel.dates.prefix(2)), limit: 1)[0].depth == 1)
        #expect(DrawdownTable.of(x, dates: panel.dates, limit: 0).isEmpty)
    }

    @Test("against a benchmark: by hand, and itself")
    func benchmark() throws {
        let panel = try Self.panel()
        var request = MetricsRequest(data: OptimizeRequest(assets: panel.assets), weights: [0.5, 0.3, 0.2])
        request.benchmark = [0.5, 0.3, 0.2]
        var found = try PortfolioEvaluation.run(request, panel: panel)
        func metric(_ name: String) -> Double? { found.metrics.first { $0.name == name }.flatMap { $0.value } }
        #expect(metric("tracking_error") == 0)
        #expect(found.metrics.contains { $0.name == "information_ratio" && $0.value == nil })
        #expect(abs(try #require(metric("beta")) - 1) < 1e-14)
        #expect(abs(try #require(metric("alpha"))) < 1e-15)
        request.benchmark = nil
        request.benchmarkReturns = .init(dates: nil, values: panel.portfolioReturns([0.5, 0.3, 0.2]).map { $0 / 2 })
        found = try PortfolioEvaluation.run(request, panel: panel)
        #expect(abs(try #require(metric("beta")) - 2) < 1e-13)
        #expect(abs(try #require(metric("correlation")) - 1) < 1e-14)
        request.benchmarkReturns = .init(dates: nil, values: [0.1])
        #expect(problemCode { try PortfolioEvaluation.run(request, panel: panel) } == "REQ-104")
    }

    @Test("one asset, constant returns, a total loss and weights of zero: null with a warning, never NaN")
    func degenerate() throws {
        for (columns, weights) in [
            ([[0.01, -0.02, 0.03]], [1.0]), ([[0.01, 0.01, 0.01]], [1.0]), ([[0, 0, 0]], [1.0]),
            ([[0.1, -1, 0.2]], [1.0]),
            ([[0.1, -0.2, 0.2], [0.1, 0.3, -0.1]], [0.0, 0.0]), ([[0.1, -0.9, 0.2]], [3.0]), ([[0.01, 0.02]], [-1.0]),
        ] {
            let panel = try madePanel(columns)
            for convention in Convention.allCases {
                var request = MetricsRequest(data: OptimizeRequest(assets: panel.assets), weights: weights)
                request.data.convention = convention
                let found = try PortfolioEvaluation.run(request, panel: panel)
                let answer = found.response(
                    request: request, revision: nil, fingerprint: "",
                    meta: .init(
                        version: "", engine: "", solveMilliseconds: 0, totalMilliseconds: 0, cached: false,
                        requestID: nil, periodsPerYear: 252, convention: convention), warnings: [])
                let text = answer.json.serialized()
                #expect(!text.contains("nan") && !text.contains("inf"))
                #expect(
                    found.ratios.contains { $0.value == nil }
                        == found.warnings.contains { ["undefined_ratio", "not_in_convention"].contains($0.code) })
            }
        }
    }
}

@Suite("Sharpe ratio inference")
struct SharpeInferenceTests {
    @Test("the example of The Deflated Sharpe Ratio: 2.5 a year over 1,250 days, the best of 100 with variance 1/2")
    func deflated() throws {
        let found = SharpeInference(
            ratio: 2.5 / 250.0.squareRoot(), shape: SeriesShape(skewness: -3, kurtosis: 10, count: 1250), count: 1250)
        let benchmark = SharpeInference.expectedMaximum(trials: 100, deviation: (0.5 / 250).squareRoot())
        #expect(abs(benchmark - 0.1132) < 5e-5)
        #expect(abs(try #require(found.probabilistic(above: benchmark)) - 0.9004) < 5e-5)
    }

    @Test("the example of The Sharpe Ratio Efficient Frontier: 24 months, not normal")
    func probabilistic() throws {
        let shape = SeriesShape(skewness: -2.448, kurtosis: 10.164, count: 24)
        let found = SharpeInference(ratio: 0.458, shape: shape, count: 24)
        #expect(abs(try #require(found.probabilistic()) - 0.913) < 1e-3)
        let normal = SharpeInference(ratio: 0.458, shape: SeriesShape(skewness: 0, kurtosis: 3, count: 24), count: 24)
        #expect(abs(try #require(normal.probabilistic()) - 0.982) < 1e-3)
        // At the minimum track record the probability is the confidence.
        let least = try #require(found.minimumTrackRecord(confidence: 0.95))
        let there = SharpeInference(ratio: 0.458, shape: shape, count: Int(least.rounded()))
        #expect(abs(try #require(there.probabilistic()) - 0.95) < 2e-3)
        #expect(normal.minimumTrackRecord(above: 0.5) == nil)
    }

    @Test("skfolio 1.12.2's numbers")
    func skfolio() throws {
        let x = RiskMeasureTests.golden.map { $0 + 0.003 }
        let plain = try #require(SharpeInference(of: x, rate: 0))
        #expect(abs(try #require(plain.probabilistic()) - 0.7990218130535451) < 1e-12)
        let excess = try #require(SharpeInference(of: x, rate: 0.0005))
        #expect(abs(try #require(excess.probabilistic(above: 0.1)) - 0.6108686562521396) < 1e-12)
        let trials = [0.1, 0.05, -0.02, 0.2, 0.11]
        let mean = trials.reduce(0, +) / 5
        let deviation = (trials.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4).squareRoot()
        let benchmark = SharpeInference.expectedMaximum(trials: 5, deviation: deviation)
        #expect(abs(try #require(plain.probabilistic(above: benchmark)) - 0.6699275996577865) < 1e-12)
    }

    @Test("no spread, too few periods: nothing to infer")
    func degenerate() {
        #expect(SharpeInference(of: [0.01, 0.01, 0.01], rate: 0) == nil)
        #expect(SharpeInference(of: [0.01, 0.02], rate: 0) == nil)
        #expect(SharpeInference.expectedMaximum(trials: 1, deviation: 1) == 0)
    }
}
