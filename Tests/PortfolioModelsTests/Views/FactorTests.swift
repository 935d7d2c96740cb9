import Foundation
import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Factor models", .enabled(if: Oracle.isPresent, "shared/oracle is absent"))
struct FactorTests {
    /// Riskfolio-Lib 7.4.0 on sp500_n10_T500 and prices_factors_5: a'mu, |mu|, a'Sigma a, |Sigma| with a_i proportional to i.
    static let peer: [(name: String, form: Double, norm: Double, quadratic: Double, frobenius: Double)] = [
        (
            "stepwise Forward pvalue", 0.0004911699268533894, 0.0038806219884390475, 9.356837883993308e-05,
            0.0019785021007748768
        ),
        (
            "stepwise Forward AIC", 0.0004911699268532762, 0.0038806219884283165, 9.32602030401736e-05,
            0.001981358175862851
        ),
        (
            "stepwise Forward SIC", 0.0004911699268528546, 0.003880621988427528, 9.431536387236593e-05,
            0.0019739351229218346
        ),
        (
            "stepwise Forward R2", 0.0004911699268516775, 0.0038806219884259647, 9.368176080572933e-05,
            0.001986391195509436
        ),
        (
            "stepwise Forward R2_A", 0.0004911699268531179, 0.003880621988428283, 9.326752668881095e-05,
            0.0019842194289644613
        ),
        (
            "stepwise Backward pvalue", 0.0004911699268530765, 0.0038806219884380436, 9.347059869722234e-05,
            0.0019697490837243185
        ),
        (
            "stepwise Backward AIC", 0.0004911699268538459, 0.0038806219884387526, 9.289543308307386e-05,
            0.0019737945295061326
        ),
        (
            "stepwise Backward SIC", 0.0004911699268527745, 0.0038806219884376185, 9.351399518563897e-05,
            0.0019661476938942633
        ),
        (
            "stepwise Backward R2", 0.0004911699268516776, 0.0038806219884259655, 9.368176080572929e-05,
            0.001986391195509436
        ),
        (
            "stepwise Backward R2_A", 0.0004911699268538867, 0.003880621988428996, 9.324073727029032e-05,
            0.0019843744280466044
        ),
        ("PCR", 0.0004911699268516672, 0.003880621988425932, 9.323456477202809e-05, 0.0019747010525837856),
    ]

    /// The factors' prices on the panel's dates and the day before.
    private func factors(_ panel: ReturnPanel) throws -> InlinePanel {
        let url = try #require(SharedFolder.url("data/prices_factors_5.csv"))
        let lines = try String(contentsOf: url, encoding: .utf8).split(whereSeparator: { $0.isNewline })
        let names = lines[0].split(separator: ",").dropFirst().map { String($0) }
        var dates: [JSONValue] = []
        var columns = names.map { _ in [JSONValue]() }
        let text = panel.dates.map { "\($0)" }
        let first = try #require(lines.firstIndex { $0.hasPrefix(text[0]) })
        for line in lines[(first - 1)...] {
            let cells = line.split(separator: ",")
            guard String(cells[0]) <= text[text.count - 1] else { break }
            dates.append(.string(String(cells[0])))
            for k in names.indices { columns[k].append(JSONValue(Double(cells[k + 1]) ?? .nan)) }
        }
        let body: JSONValue = [
            "assets": JSONValue(panel.assets), "model": "FM",
            "factors": [
                "prices": [
                    "dates": .array(dates), "values": .object(JSONObject(zip(names, columns).map { ($0, .array($1)) })),
                ]
            ],
        ]
        return try #require(try OptimizeRequest(json: body).factors?.panel)
    }

    private func request(_ panel: ReturnPanel, model: ModelName = .factorModel) throws -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.model = model
        var wanted = FactorRequest()
        wanted.panel = try factors(panel)
        wanted.scenarios = .model
        request.factors = wanted
        return request
    }

    private func expect(
        _ found: Moments, _ form: Double, _ norm: Double, _ quadratic: Double, _ frobenius: Double, _ name: String
    ) {
        let n = found.mean.count
        let a = (1...n).map { Double($0) / Double(n * (n + 1) / 2) }
        #expect(abs(Vector.dot(a, found.mean) - form) <= 1e-9 * norm, "\(name)")
        #expect(abs(Vector.norm2(found.mean) - norm) <= 1e-9 * norm, "\(name)")
        #expect(
            abs(Vector.dot(a, found.covariance.symmetricMultiplied(by: a)) - quadratic) <= 1e-9 * frobenius, "\(name)")
        #expect(abs(Vector.norm2(found.covariance.storage) - frobenius) <= 1e-9 * frobenius, "\(name)")
    }

    @Test("Every way to choose factors gives the peer's moments")
    func selections() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        for row in Self.peer {
            var wanted = try request(panel)
            let words = row.name.split(separator: " ").map { String($0) }
            wanted.factors?.selection = try #require(FactorRequest.Selection(rawValue: words[0]))
            if words.count == 3 {
                wanted.factors?.direction = try #require(FactorRequest.Direction(rawValue: words[1]))
                wanted.factors?.criterion = try #require(FactorRequest.Criterion(rawValue: words[2]))
            }
            let found = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252)
            expect(found, row.form, row.norm, row.quadratic, row.frobenius, row.name)
            #expect(found.scenarios?.rows == panel.observations)
        }
    }

    @Test("With historical scenarios the model gives the mean alone")
    func historical() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        var wanted = try request(panel)
        let model = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252)
        wanted.factors?.scenarios = .historical
        let found = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252)
        #expect(found.mean == model.mean)
        #expect(found.covariance == SampleCovariance.estimate(panel))
        #expect(found.scenarios == nil)
    }

    @Test("Black-Litterman with factor views gives the peer's moments, Bayesian and augmented")
    func views() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        var wanted = try request(panel, model: .blackLittermanFactors)
        wanted.factors?.scenarios = .historical
        var views = ViewsRequest()
        views.riskFreeRate = 252 * 0.00005
        let ofFactors: [ViewsRequest.View] = [
            .init(weights: [.init("MTUM", 1), .init("QUAL", -1)], level: 0.0002),
            .init(weights: [.init("SIZE", 1)], level: 0.0004),
        ]
        let ofAssets: [ViewsRequest.View] = [
            .init(weights: [.init(panel.assets[0], 1), .init(panel.assets[1], -1)], level: 0.0002),
            .init(weights: [.init(panel.assets[4], 1)], level: 0.0006),
        ]
        views.items = ofFactors
        wanted.views = views
        func found() throws -> Moments { try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252) }
        expect(
            try found(), 0.0005311713195525511, 0.004390298669272527, 0.00010503614821421707, 0.0021723149275963047,
            "BLB")
        wanted.views?.flavor = .augmented
        expect(
            try found(), 0.00071350574267785, 0.005496761215013601, 9.387549320933087e-05, 0.0020010727392010164,
            "ABL, factors alone")
        wanted.views?.items = ofAssets + ofFactors
        expect(
            try found(), 0.0006923450375463047, 0.005076370278872307, 9.385471462901505e-05, 0.002000227530422355,
            "ABL, equilibrium")
        wanted.views?.isEquilibrium = false
        expect(
            try found(), 0.000632106473239477, 0.006595162397172749, 9.385471462901505e-05, 0.002000227530422355,
            "ABL, means")
        wanted.views?.flavor = .bayesian
        #expect(problemCode { try found() } == "REQ-104")
    }

    @Test("Estimators of mean and covariance enter Black-Litterman")
    func estimators() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        var wanted = OptimizeRequest(assets: panel.assets)
        wanted.model = .blackLitterman
        wanted.meanEstimator.method = .jamesStein
        wanted.covarianceEstimator.method = .ledoit
        var views = ViewsRequest()
        views.riskFreeRate = 252 * 0.00005
        let sample = SampleCovariance.estimate(panel)
        let equal = [Double](repeating: 0.1, count: 10)
        // The peer took delta of the plain sample.
        views.riskAversion =
            (Vector.dot(HistoricalMean.estimate(panel), equal) - 0.00005)
            / Vector.dot(equal, sample.symmetricMultiplied(by: equal))
        views.items = [
            .init(weights: [.init(panel.assets[0], 1), .init(panel.assets[1], -1)], level: 0.0002),
            .init(weights: [.init(panel.assets[4], 1)], level: 0.0006),
        ]
        wanted.views = views
        let found = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252)
        expect(
            found, 0.0005931137457255061, 0.002301618827146793, 9.24475161657049e-05, 0.0019614580410201358, "BL")
    }

    @Test("A constant is no factor: shrinkage of the factors' covariance is that of the factors alone")
    func constant() throws {
        // Riskfolio-Lib lets the column of ones into Sigma_f, which shifts Ledoit-Wolf by about a fifth here.
        let panel = try Oracle.panel("sp500_n10_T500")
        var wanted = try request(panel)
        wanted.covarianceEstimator.method = .ledoit
        let aligned = try FactorPanel.aligned(try #require(wanted.factors), to: panel, loaded: nil)
        let own = try LedoitWolfShrinkage().estimate(aligned).matrix
        let loadings = try FactorLoadings(try #require(wanted.factors), panel: panel, factors: aligned)
        let found = try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252).covariance
        let systematic = loadings.matrix * own * loadings.matrix.transposed()
        for i in 0..<10 { for j in 0..<i { #expect(abs(found[i, j] - systematic[i, j]) <= 1e-17) } }
        wanted.covarianceEstimator.method = .fixed
        #expect(try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252).covariance.isFinite)
    }

    @Test("An exact factor structure is recovered, constant included")
    func exact() throws {
        let factors = try randomPanel(assets: 2, observations: 80, seed: 4)
        let columns = (0..<3).map { asset in
            (0..<80).map { t in
                0.001 * Double(asset) + Double(asset + 1) * factors.returns[t, 0] - 0.5 * factors.returns[t, 1]
            }
        }
        let panel = try madePanel(columns)
        var wanted = FactorRequest()
        wanted.symbols = factors.assets
        let found = try FactorLoadings(wanted, panel: panel, factors: factors)
        for asset in 0..<3 {
            #expect(abs(found.constants[asset] - 0.001 * Double(asset)) <= 1e-14)
            #expect(abs(found.matrix[asset, 0] - Double(asset + 1)) <= 1e-11)
            #expect(abs(found.matrix[asset, 1] + 0.5) <= 1e-11)
        }
    }

    @Test("A date on which a factor has no figure is refused by name")
    func gap() throws {
        let panel = try Oracle.panel("sp500_n10_T500")
        var wanted = try request(panel)
        wanted.factors?.panel?.dates.remove(at: 40)
        let problem = caught { try MomentEstimation.estimate(wanted, panel: panel, periodsPerYear: 252) }
        #expect(problem?.code == "DAT-003")
        #expect(problem?.detail.contains("\(panel.dates[39])") == true)
    }
}

@Suite("Student's t")
struct StudentTTests {
    @Test(
        "Tail probabilities agree with tables",
        arguments: [
            (12.706204736432095, 1.0, 0.05), (2.2281388519649385, 10.0, 0.05), (3.169272667175838, 10.0, 0.01),
            (1.9647389829672888, 498.0, 0.05), (0.0, 5.0, 1.0),
        ])
    func tables(value: Double, degrees: Double, probability: Double) {
        #expect(abs(StudentT.twoSided(value, degrees: degrees) - probability) <= 1e-10)
        #expect(abs(StudentT.twoSided(-value, degrees: degrees) - probability) <= 1e-10)
    }
}
