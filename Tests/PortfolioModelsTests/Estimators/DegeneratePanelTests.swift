import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Right answer or typed error, never a NaN: every estimator on panels that break textbook formulas.
@Suite("Estimators on degenerate panels")
struct DegeneratePanelTests {
    static let panels = [
        "one asset", "two assets", "constant", "one constant", "perfectly correlated", "perfectly opposed",
        "fewer periods than assets", "as many periods as assets", "two periods", "tiny", "huge", "zeros",
    ]

    static func panel(_ name: String) throws -> ReturnPanel {
        let wave = (0..<40).map { Double(($0 * 13) % 17 - 8) / 800 }
        let other = (0..<40).map { Double(($0 * 5) % 11 - 5) / 400 }
        switch name {
        case "one asset": return try madePanel([wave])
        case "two assets": return try madePanel([wave, other])
        case "constant":
            return try madePanel([[Double](repeating: 0.001, count: 40), [Double](repeating: 0.002, count: 40)])
        case "one constant": return try madePanel([wave, [Double](repeating: 0.0003, count: 40), other])
        case "perfectly correlated":
            return try madePanel([wave, wave.map { 2 * $0 + 0.001 }, wave, other, other, wave])
        case "perfectly opposed": return try madePanel([wave, wave.map { -$0 }])
        case "fewer periods than assets": return try randomPanel(assets: 30, observations: 12, seed: 1)
        case "as many periods as assets": return try randomPanel(assets: 12, observations: 12, seed: 2)
        case "two periods": return try randomPanel(assets: 3, observations: 2, seed: 3)
        case "tiny": return try randomPanel(assets: 6, observations: 60, seed: 4, scale: 1e-12)
        case "huge": return try randomPanel(assets: 6, observations: 60, seed: 4, scale: 1e6)
        default: return try madePanel([[Double](repeating: 0, count: 40), wave, [Double](repeating: 0, count: 40)])
        }
    }

    @Test("Every mean is finite or refused", arguments: panels)
    func means(name: String) throws {
        let panel = try Self.panel(name)
        for method in MeanMethod.allCases where method != .custom {
            for target in MeanTarget.allCases {
                var request = MeanEstimatorRequest(method)
                request.target = target
                do {
                    let found = try MeanEstimators.make(request, assets: panel.assets).estimate(panel)
                    #expect(found.count == panel.assets.count)
                    #expect(found.allSatisfy { $0.isFinite }, "\(method) \(target) \(found)")
                } catch {
                    #expect(["DAT-002", "OPT-202", "OPT-203"].contains(error.code), "\(method) \(error)")
                }
            }
        }
    }

    @Test(
        "Every covariance is finite, symmetric and positive semidefinite once repaired, or refused", arguments: panels)
    func covariances(name: String) throws {
        let panel = try Self.panel(name)
        for method in CovarianceMethod.allCases where method != .custom {
            for target in method == .ledoit ? ShrinkageTarget.allCases : [.identity] {
                for detone in [false, true] {
                    var request = CovarianceEstimatorRequest(method)
                    request.target = target
                    request.detone = detone
                    do {
                        let found = try CovarianceEstimators.make(request).estimate(panel).matrix
                        #expect(found.isFinite, "\(method)")
                        #expect(found == found.transposed(), "\(method)")
                        #expect(found.diagonal.allSatisfy { $0 >= -1e-18 }, "\(method)")
                        let repaired = try PositiveSemidefinite.repair(found)?.matrix ?? found
                        let eigen = try SymmetricEigen(repaired).values
                        #expect((eigen.first ?? 0) >= -1e-11 * (eigen.last ?? 0), "\(method) \(eigen.first ?? 0)")
                    } catch {
                        let code = (error as? Problem)?.code ?? "\(error)"
                        #expect(["DAT-002", "OPT-202"].contains(code), "\(method) \(error)")
                    }
                }
            }
        }
    }

    @Test("Every estimator makes a portfolio that passes verification, or a typed problem", arguments: panels)
    func portfolios(name: String) throws {
        let panel = try Self.panel(name)
        for method in CovarianceMethod.allCases where method != .custom && method != .gl {
            for mean in [MeanMethod.hist, .ewma1, .jamesStein, .equilibrium] {
                var request = OptimizeRequest(assets: panel.assets)
                request.periodsPerYear = 252
                request.meanEstimator.method = mean
                request.covarianceEstimator.method = method
                request.objective = .minimumRisk
                do {
                    let result = try PortfolioOptimization.run(request, panel: panel)
                    #expect(Verification.faults(request, panel: panel, result: result) == [], "\(method) \(mean)")
                } catch {
                    #expect(["DAT-002", "OPT-202", "OPT-203", "OPT-201"].contains(error.code), "\(method) \(error)")
                }
            }
        }
    }

    @Test("Uncertainty sets are finite or refused", arguments: panels)
    func sets(name: String) throws {
        let panel = try Self.panel(name)
        let w = [Double](repeating: 1 / Double(panel.assets.count), count: panel.assets.count)
        for method in UncertaintyRequest.Method.allCases {
            for shape in method == .delta ? [UncertaintyRequest.Shape.box] : [.box, .ellipsoid] {
                for isDiagonal in [true, false] {
                    var request = UncertaintyRequest()
                    request.mean = .init(shape: shape, method: method)
                    request.covariance = .init(shape: shape, method: method)
                    (request.mean.samples, request.covariance.samples) = (60, 60)
                    (request.mean.window, request.covariance.window) = (2, 2)
                    (request.mean.isDiagonal, request.covariance.isDiagonal) = (isDiagonal, isDiagonal)
                    do {
                        let found = try UncertaintySets(request, panel: panel)
                        let covariance = SampleCovariance.estimate(panel)
                        #expect(found.mean?.worstReturn(w, mean: HistoricalMean.estimate(panel)).isFinite == true)
                        #expect(found.covariance?.worstVariance(w, covariance: covariance).isFinite == true)
                    } catch {
                        #expect(["DAT-002", "OPT-202", "OPT-301"].contains(error.code), "\(method) \(error)")
                    }
                }
            }
        }
    }

    @Test("Entropy pooling on a degenerate panel holds its view or says that it cannot", arguments: panels)
    func pooling(name: String) throws {
        let panel = try Self.panel(name)
        var view = ViewsRequest.View(weights: [.init("A0", 1)], level: 0.0001)
        view.sense = .atLeast
        do {
            let found = try EntropyPooling([view], panel: panel, groups: [], prior: nil, alpha: 0.05, place: .root)
            #expect(Vector.dot(panel.column(0), found.probabilities) >= 0.0001 - 1e-9 * panel.returns.maximumMagnitude)
        } catch {
            #expect(["OPT-101", "OPT-201"].contains(error.code))
        }
    }
}
