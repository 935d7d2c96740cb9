import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Estimators against the oracle", .enabled(if: Oracle.isPresent, "shared/oracle is absent"))
struct EstimatorOracleTests {
    static let windows = ["sp500_n10_T500", "sp500_n20_T1008"]

    /// The estimator's request as the wire would carry it.
    static func request<R>(
        _ member: String, _ record: JSONValue, _ pick: (OptimizeRequest) -> R
    ) throws -> R {
        let names = [
            "bWidth": "bandwidth", "mkt_comp": "market_components", "alpha": "alpha", "d": "d",
            "threshold": "threshold", "detone": "detone", "target": "target",
        ]
        var estimator = JSONObject([("method", .string(try record.text("method")))])
        for item in record["params"]?.objectValue?.members ?? [] {
            // Riskfolio-Lib's alpha is given to every kind of denoising and read by shrink alone.
            if item.key == "alpha", ["fixed", "spectral"].contains(try record.text("method")) { continue }
            if let name = names[item.key] { estimator[name] = item.value }
        }
        var object = JSONObject([("assets", ["A", "B"])])
        object[member] = .object(estimator)
        return pick(try OptimizeRequest(json: .object(object)))
    }

    static func matrix(_ value: JSONValue?) throws -> Matrix {
        let rows = (value?.arrayValue ?? []).map { ($0.arrayValue ?? []).compactMap { $0.doubleValue } }
        guard let width = rows.first?.count, rows.allSatisfy({ $0.count == width }) else {
            throw Oracle.Failure.malformed("value")
        }
        return Matrix(rows)
    }

    /// The largest difference relative to the largest entry.
    static func distance(_ a: Matrix, _ b: Matrix) -> Double {
        zip(a.storage, b.storage).reduce(0) { max($0, abs($1.0 - $1.1)) } / b.maximumMagnitude
    }

    @Test("Every mean agrees to 1e-10", arguments: windows)
    func means(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("estimators", window).filter { $0["kind"]?.stringValue == "mean" }
        #expect(records.count == 12)
        for record in records {
            let request = try Self.request("mean_estimator", record) { $0.meanEstimator }
            let method = request.method
            let found = try MeanEstimators.make(request, assets: panel.assets).estimate(panel)
            let expected = try record.numbers("value")
            let size = expected.reduce(0) { max($0, abs($1)) }
            #expect(found.count == expected.count)
            for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 1e-10 * size, "\(method) \(a) \(b)") }
        }
    }

    @Test("Every covariance agrees: 1e-10 where closed, 1e-8 for the graphical lasso", arguments: windows)
    func covariances(window: String) throws {
        let panel = try Oracle.panel(window)
        let records = try Oracle.records("estimators", window).filter { $0["kind"]?.stringValue == "covariance" }
        #expect(records.count == 17)
        for record in records {
            let request = try Self.request("covariance_estimator", record) { $0.covarianceEstimator }
            let method = request.method
            let found = try CovarianceEstimators.make(request).estimate(panel)
            let expected = try Self.matrix(record["value"])
            let distance = Self.distance(found.matrix, expected)
            #expect(distance <= (method == .gl ? 1e-8 : 1e-10), "\(method) \(distance)")
            #expect(found.matrix == found.matrix.transposed(), "\(method)")
            #expect(found.warnings.isEmpty)
        }
    }

    @Test("The Marchenko-Pastur fit agrees", arguments: windows)
    func marchenkoPastur(window: String) throws {
        let record = try #require(
            try Oracle.records("estimators", window).first { $0["kind"]?.stringValue == "marchenko_pastur" })
        let panel = try Oracle.panel(window)
        let eigen = try SymmetricEigen(Correlation(of: SampleCovariance.estimate(panel)).matrix)
        for (a, b) in zip(eigen.values.reversed(), try record.numbers("correlation_eigenvalues")) {
            #expect(abs(a - b) <= 1e-12 * abs(b) + 1e-13)
        }
        let fit = MarchenkoPasturFit(eigenvalues: eigen.values, ratio: try record.number("q"), bandwidth: 0.01)
        #expect(abs(fit.variance - (try record.number("variance"))) <= 1e-6)
        #expect(abs(fit.largestNoiseEigenvalue - (try record.number("max_noise_eigenvalue"))) <= 1e-6)
        #expect(Double(eigen.values.count { $0 > fit.largestNoiseEigenvalue }) == (try record.number("factors_kept")))
    }

    @Test("Comoments agree to 1e-12", arguments: windows)
    func comoments(window: String) throws {
        let full = try Oracle.panel(window)
        for record in try Oracle.records("estimators", window) {
            let kind = record["kind"]?.stringValue
            guard kind == "coskewness" || kind == "cokurtosis" || kind == "semi_cokurtosis" else { continue }
            let columns = (record["assets"]?.arrayValue ?? []).compactMap { $0.stringValue }
                .compactMap { full.assets.firstIndex(of: $0) }
            let panel = try ReturnPanel(
                assets: columns.map { full.assets[$0] }, dates: full.dates,
                returns: full.returns.selecting(columns: columns))
            let moments = CoMoments(panel, isSemi: kind == "semi_cokurtosis")
            let found = try kind == "coskewness" ? moments.coskewness() : moments.cokurtosis()
            #expect(Self.distance(found, try Self.matrix(record["value"])) <= 1e-12, "\(kind ?? "")")
        }
    }
}
