import Testing
import WireFormat

@testable import PortfolioModels

/// The golden vector of `research/optimizer-features.md` section 7. The figures were printed by skfolio 1.12.2, PyPortfolioOpt 1.6.0 and
/// Riskfolio-Lib 7.4.0.
@Suite("Conventions")
struct ConventionTests {
    private static let golden = RiskMeasureTests.golden

    private func value(
        _ code: RiskMeasureCode, _ alpha: Double = 0.1, _ convention: Convention, target: Double? = nil
    ) throws -> Double {
        let parameters = RiskParameters(alpha: alpha, target: target ?? 0)
        return try #require(
            ConventionalRisk(code, parameters, convention: convention, hasTarget: target != nil)
        ).value(of: Self.golden)
    }

    @Test(
        "skfolio's numbers where its definitions differ",
        arguments: [
            (RiskMeasureCode.valueAtRisk, 0.05, 0.021), (.valueAtRisk, 0.07, 0.021), (.valueAtRisk, 0.1, 0.0176),
            (.drawdownAtRisk, 0.05, 0.0356), (.drawdownAtRisk, 0.1, 0.031),
            (.relativeDrawdownAtRisk, 0.05, 0.03591553684281201), (.relativeDrawdownAtRisk, 0.1, 0.031),
            (.cvar, 0.05, 0.031), (.cvar, 0.07, 0.02814285714285715), (.cvar, 0.1, 0.026),
            (.evar, 0.1, 0.0287875961302),
            (.cdar, 0.1, 0.03715), (.edar, 0.1, 0.0377222547998), (.flpm, 0.1, 0.005623),
            (.slpm, 0.1, 0.0107305152669728),
            (.kt, 0.1, 8.478739625227316e-08), (.skt, 0.1, 6.374385227088776e-08), (.mv, 0.1, 0.0139905410),
            (.mad, 0.1, 0.011246), (.msv, 0.1, 0.0107305152669728), (.gmd, 0.1, 0.0161952632),
            (.worstRealisation, 0.1, 0.031),
            (.maximumDrawdown, 0.1, 0.0387), (.averageDrawdown, 0.1, 0.0175), (.ulcerIndex, 0.1, 0.0207428783),
            (.relativeMaximumDrawdown, 0.1, 0.0385687622), (.relativeCDaR, 0.1, 0.0372421495),
        ])
    func skfolio(code: RiskMeasureCode, alpha: Double, expected: Double) throws {
        let found = try value(code, alpha, .skfolio)
        #expect(abs(found - expected) <= 2e-9 * expected + 5e-11, "\(found)")
    }

    @Test("a target that the caller names is the target in every convention")
    func target() throws {
        #expect(abs(try value(.flpm, 0.1, .skfolio, target: 0) - 0.005685) < 1e-12)
        #expect(abs(try value(.slpm, 0.1, .skfolio, target: 0) - 0.010816142906249947) < 1e-12)
        #expect(abs(try value(.flpm, 0.1, .riskfolio, target: 0) - 0.005685) < 1e-12)
    }

    @Test(
        "Riskfolio-Lib's quantiles are those of ceil(alpha T)",
        arguments: [(0.05, 0.031), (0.07, 0.021), (0.1, 0.021)])
    func riskfolio(alpha: Double, expected: Double) throws {
        #expect(try value(.valueAtRisk, alpha, .riskfolio) == expected)
    }

    @Test("skewness and kurtosis as each prints them")
    func shape() throws {
        let shape = try #require(SeriesShape(Self.golden))
        let report = shape.printed(.riskfolio)
        #expect(abs(try #require(report.skewness) + 0.5509726385) < 1e-9)
        #expect(abs(try #require(report.kurtosis) + 0.3418115981) < 1e-9)
        #expect(abs(try #require(shape.printed(.skfolio).skewness) + 0.5087573997249946) < 1e-13)
        #expect(abs(try #require(shape.printed(.skfolio).kurtosis) - 2.452144488707236) < 1e-13)
        #expect(SeriesShape([0.01, 0.01, 0.01]) == nil)
    }

    @Test(
        "each measure of each convention is homogeneous, its contributions add up, and its sensitivity is its derivative"
    )
    func derivative() throws {
        for convention in Convention.allCases {
            for code in ConventionalRisk.codes(of: convention) {
                let parameters = RiskParameters(alpha: 0.07)
                let measure = try #require(
                    ConventionalRisk(code, parameters, convention: convention, hasTarget: false))
                let slope = measure.sensitivity(at: Self.golden)
                let largest = slope.reduce(0) { max($0, abs($1)) }
                for t in Self.golden.indices {
                    var (up, down) = (Self.golden, Self.golden)
                    up[t] += 1e-6
                    down[t] -= 1e-6
                    let difference = (measure.value(of: up) - measure.value(of: down)) / 2e-6
                    #expect(
                        abs(slope[t] - difference) <= 2e-3 * (abs(difference) + largest),
                        "\(convention) \(code.rawValue) \(t)")
                }
                guard let degree = measure.degree else { continue }
                let panel = try randomPanel(assets: 4, observations: 150, seed: 7)
                let weights = [0.1, 0.4, 0.3, 0.2]
                let total = measure.value(of: panel.portfolioReturns(weights))
                let sum = measure.contributions(weights: weights, panel: panel).reduce(0, +)
                #expect(abs(sum - total) <= 1e-8 * total, "\(convention) \(code.rawValue) \(degree)")
            }
        }
    }

    /// Two assets: the golden vector, and itself five days later times 0.7 plus 0.0008.
    private func pair() throws -> ReturnPanel {
        let golden = Self.golden
        let shifted = golden.indices.map { golden[($0 + 15) % 20] * 0.7 + 0.0008 }
        return try madePanel([golden, shifted])
    }

    @Test("PyPortfolioOpt's performance: compound returns of the assets, semi-deviation below zero by T")
    func pypfopt() throws {
        var request = MetricsRequest(data: OptimizeRequest(assets: ["A0", "A1"]), weights: [0.6, 0.4])
        request.data.convention = .pypfopt
        request.data.riskFreeRate = 0.02
        request.data.periodsPerYear = 252
        let found = try PortfolioEvaluation.run(request, panel: try pair())
        func metric(_ name: String) throws -> Double {
            try #require(found.metrics.first { $0.name == name }?.value)
        }
        #expect(abs(try metric("expected_return") - 0.03425479908345215) < 1e-14)
        #expect(abs(try metric("volatility") - 0.15278604895694398) < 1e-14)
        #expect(abs(try metric("sharpe_ratio") - 0.09329908837075326) < 1e-13)
        #expect(abs(try metric("semi_deviation") - 0.10272000322429901) < 1e-14)
        #expect(abs(try metric("sortino_ratio") - 0.1387733512072174) < 1e-13)
        #expect(found.risk.filter { $0.value != nil }.map { $0.name } == ["MV", "MSV", "CVaR", "CDaR"])
        #expect(found.warnings.contains { $0.code == "not_in_convention" })
    }

    @Test("optimize answers in the convention, and its weights do not depend on it")
    func optimize() throws {
        var request = OptimizeRequest(assets: ["A0", "A1"])
        request.objective = .minimumRisk
        request.periodsPerYear = 252
        let panel = try pair()
        let plain = try PortfolioOptimization.run(request, panel: panel)
        for convention in [Convention.skfolio, .pypfopt] {
            request.convention = convention
            let other = try PortfolioOptimization.run(request, panel: panel)
            try Verification.check(request, panel: panel, result: other)
            #expect(other.weights == plain.weights)
            #expect(other.risk.first { $0.name == "KT" }?.value != plain.risk.first { $0.name == "KT" }?.value)
        }
    }
}
