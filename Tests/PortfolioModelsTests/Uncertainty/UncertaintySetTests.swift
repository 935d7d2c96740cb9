import LinearAlgebra
import RealModule
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

@Suite("Uncertainty sets")
struct UncertaintySetTests {
    private func sets(
        _ panel: ReturnPanel, mean: UncertaintyRequest.Set, covariance: UncertaintyRequest.Set
    ) throws -> UncertaintySets {
        var request = UncertaintyRequest()
        request.mean = mean
        request.covariance = covariance
        return try UncertaintySets(request, panel: panel)
    }

    private func set(
        _ shape: UncertaintyRequest.Shape, _ method: UncertaintyRequest.Method,
        _ change: (inout UncertaintyRequest.Set) -> Void = { _ in }
    ) -> UncertaintyRequest.Set {
        var set = UncertaintyRequest.Set(shape: shape, method: method)
        change(&set)
        return set
    }

    @Test(
        "Worst returns and variances are the oracle's", .enabled(if: Oracle.isPresent, "shared/oracle is absent"),
        arguments: ["sp500_n10_T500", "sp500_n20_T1008"])
    func oracle(window: String) throws {
        let panel = try Oracle.panel(window)
        let mean = HistoricalMean.estimate(panel)
        let covariance = SampleCovariance.estimate(panel)
        let box = try sets(
            panel, mean: set(.box, .delta) { $0.delta = 0.1 }, covariance: set(.box, .delta) { $0.delta = 0.1 })
        let ellipsoid = try sets(
            panel, mean: set(.ellipsoid, .normal) { ($0.radius, $0.isDiagonal) = (.general, false) },
            covariance: set(.ellipsoid, .normal) { ($0.radius, $0.isDiagonal) = (.general, false) })
        var checked = 0
        for record in try Oracle.records("worst_case", window) where record["worst_ret"]?.doubleValue != nil {
            let w = try record.numbers("weights")
            let ownMean = record["U_mean"]?.stringValue.map { $0 == "box" ? box.mean : ellipsoid.mean } ?? nil
            let ownCovariance =
                record["U_cov"]?.stringValue.map { $0 == "box" ? box.covariance : ellipsoid.covariance } ?? nil
            let worst = ownMean?.worstReturn(w, mean: mean) ?? Vector.dot(mean, w)
            let variance =
                ownCovariance?.worstVariance(w, covariance: covariance)
                ?? Vector.dot(w, covariance.symmetricMultiplied(by: w))
            #expect(abs(worst - (try record.number("worst_ret"))) <= 1e-9 * abs(worst) + 1e-14)
            #expect(abs(variance - (try record.number("worst_variance"))) <= 1e-9 * variance)
            checked += 1
        }
        #expect(checked >= 13)
    }

    @Test("A box holds the estimate, by every method")
    func holds() throws {
        // Riskfolio-Lib takes the quantiles 0.025 and 0.975 of a hundred: both its bounds lie below the estimate.
        let panel = try randomPanel(assets: 4, observations: 250, seed: 8)
        let covariance = SampleCovariance.estimate(panel)
        for method in UncertaintyRequest.Method.allCases {
            let wanted = set(.box, method) { $0.samples = 500 }
            let found = try sets(panel, mean: wanted, covariance: wanted)
            guard case .box(let lower, let upper)? = found.covariance, case .box(let widths)? = found.mean else {
                Issue.record("\(method) made no boxes")
                continue
            }
            #expect(widths.allSatisfy { $0 > 0 })
            for index in covariance.storage.indices {
                #expect(lower.storage[index] <= covariance.storage[index])
                #expect(upper.storage[index] >= covariance.storage[index])
            }
            for i in 0..<4 { #expect(upper[i, i] > covariance[i, i] && lower[i, i] < covariance[i, i]) }
        }
    }

    @Test(
        "Resampled means spread as the theory says for independent returns",
        arguments: [UncertaintyRequest.Method.stationary, .circular, .moving])
    func spread(method: UncertaintyRequest.Method) throws {
        let panel = try randomPanel(assets: 3, observations: 400, seed: 31)
        let wanted = set(.box, method) { ($0.samples, $0.window) = (4000, 1) }
        let theory = try sets(panel, mean: set(.box, .normal), covariance: set(.none, .normal))
        let found = try sets(panel, mean: wanted, covariance: set(.none, .normal))
        guard case .box(let expected)? = theory.mean, case .box(let widths)? = found.mean else {
            Issue.record("no boxes")
            return
        }
        for (a, b) in zip(widths, expected) { #expect(abs(a / b - 1) < 0.06) }
        #expect(found.covariance == nil)
    }

    @Test("The same seed gives the same set, another seed another")
    func seeds() throws {
        let panel = try randomPanel(assets: 3, observations: 100, seed: 2)
        let first = set(.ellipsoid, .stationary) { ($0.samples, $0.seed) = (300, 1) }
        let second = set(.ellipsoid, .stationary) { ($0.samples, $0.seed) = (300, 2) }
        #expect(try sets(panel, mean: first, covariance: first) == (try sets(panel, mean: first, covariance: first)))
        #expect(try sets(panel, mean: first, covariance: first) != (try sets(panel, mean: second, covariance: second)))
    }

    @Test("Each radius is its own: a number for the covariance leaves the mean's alone")
    func radii() throws {
        // Riskfolio-Lib writes a numeric method_k_sigma over k_mu.
        let panel = try randomPanel(assets: 3, observations: 120, seed: 3)
        let found = try sets(
            panel, mean: set(.ellipsoid, .normal), covariance: set(.ellipsoid, .normal) { $0.radius = .value(2.5) })
        guard case .ellipsoid(_, let mean)? = found.mean, case .ellipsoid(_, let covariance)? = found.covariance else {
            Issue.record("no ellipsoids")
            return
        }
        #expect(abs(mean * mean - 7.814727903251179) <= 1e-10)
        #expect(covariance == 2.5)
    }

    @Test(
        "A full ellipsoid of resampled covariances is neither singular nor NaN, and agrees with the normal one in size")
    func full() throws {
        // With diag = False Riskfolio-Lib inverts a singular N^2 x N^2 matrix.
        let panel = try randomPanel(assets: 3, observations: 500, seed: 12)
        let covariance = SampleCovariance.estimate(panel)
        let wanted = set(.ellipsoid, .circular) { ($0.samples, $0.window, $0.isDiagonal) = (4000, 1, false) }
        let found = try sets(panel, mean: wanted, covariance: wanted)
        let normal = try sets(
            panel, mean: set(.none, .normal), covariance: set(.ellipsoid, .normal) { $0.isDiagonal = false })
        let w = [0.5, 0.3, 0.2]
        let own = try #require(found.covariance).worstVariance(w, covariance: covariance)
        let theory = try #require(normal.covariance).worstVariance(w, covariance: covariance)
        let variance = Vector.dot(w, covariance.symmetricMultiplied(by: w))
        #expect(own.isFinite && own > variance)
        // The generator's tails are lighter than normal ones: its fourth moments, hence the spread, are smaller.
        #expect((own - variance) / (theory - variance) > 0.6 && (own - variance) / (theory - variance) < 1.1)
    }

    @Test("The three shapes agree where they say the same")
    func shapes() throws {
        let panel = try randomPanel(assets: 3, observations: 60, seed: 44)
        let s = SampleCovariance.estimate(panel)
        let normal = CovarianceUncertainty.Shape.normal(covariance: s, observations: 60)
        // (I + K)(S x S) / T written out.
        var full = Matrix(rows: 9, columns: 9)
        for i in 0..<3 {
            for j in 0..<3 {
                for k in 0..<3 {
                    for l in 0..<3 { full[i + 3 * j, k + 3 * l] = (s[i, k] * s[j, l] + s[i, l] * s[j, k]) / 60 }
                }
            }
        }
        let a = Matrix([[1, 0.2, -0.3], [0.2, 0.5, 0.1], [-0.3, 0.1, 2]])
        let expected = CovarianceUncertainty.Shape.full(full).quadratic(a)
        #expect(abs(normal.quadratic(a) - expected) <= 1e-12 * expected)
        var variances = Matrix(rows: 3, columns: 3)
        for i in 0..<3 { for j in 0..<3 { variances[i, j] = full[i + 3 * j, i + 3 * j] } }
        let diagonal = CovarianceUncertainty.Shape.full(.diagonal(full.diagonal)).quadratic(a)
        #expect(
            abs(CovarianceUncertainty.Shape.independent(variances: variances).quadratic(a) - diagonal) <= 1e-12
                * diagonal)
    }

    @Test("A block longer than the sample is refused")
    func window() throws {
        let panel = try randomPanel(assets: 2, observations: 20, seed: 1)
        let wanted = set(.box, .moving) { $0.window = 21 }
        #expect(problemCode { try sets(panel, mean: wanted, covariance: wanted) } == "REQ-104")
        #expect(
            problemCode {
                try sets(panel, mean: set(.box, .moving) { $0.window = 20 }, covariance: set(.none, .normal))
            } == "no problem")
    }

    @Test("Quantiles of the normal and chi-square distributions agree with tables")
    func quantiles() {
        #expect(abs(NormalDistribution.quantile(0.975) - 1.959963984540054) <= 1e-14)
        #expect(abs(NormalDistribution.quantile(0.001) + 3.090232306167813) <= 1e-13)
        #expect(NormalDistribution.quantile(0.5) == 0)
        for (p, k, x) in [
            (0.95, 1.0, 3.841458820694124), (0.95, 10, 18.307038053275146), (0.99, 210, 260.5947239346351),
            (0.05, 3, 0.35184631774927144),
        ] {
            #expect(abs(ChiSquare.cumulative(x, degrees: k) - p) <= 1e-8, "\(k)")
            #expect(abs(ChiSquare.quantile(p, degrees: k) - x) <= 1e-6 * x, "\(k)")
        }
    }
}
