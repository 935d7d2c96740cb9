import PortfolioModels
import Testing
import WireFormat

@Suite("Risk measures")
struct RiskMeasureTests {
    /// T = 20, from `shared/research/optimizer-features.md` section 7: figures of Riskfolio-Lib 7.4.0, alpha 0.1.
    static let golden = [
        0.0120, -0.0085, 0.0034, -0.0210, 0.0156, 0.0071, -0.0132, 0.0098, -0.0047, 0.0203, -0.0310, 0.0065, 0.0012,
        -0.0154,
        0.0189, -0.0023, 0.0041, -0.0176, 0.0110, 0.0007,
    ]

    static let goldenValues: [(RiskMeasureCode, Double, Double)] = [
        (.mv, 0.0139905410, 1e-10), (.mad, 0.0112460000, 1e-10), (.msv, 0.0107305153, 1e-10),
        (.flpm, 0.0056850000, 1e-10),
        (.slpm, 0.0108161429, 1e-10), (.valueAtRisk, 0.0210, 1e-12), (.cvar, 0.0260, 1e-12),
        (.evar, 0.0287875961, 1e-8),
        (.rlvar, 0.0293529109, 1e-8), (.tailGini, 0.0284997479, 1e-10), (.worstRealisation, 0.0310, 1e-12),
        (.gmd, 0.0161952632, 1e-10), (.range, 0.0513, 1e-12), (.valueAtRiskRange, 0.0399, 1e-12),
        (.cvarRange, 0.0456, 1e-12), (.tailGiniRange, 0.0484497126, 1e-10), (.evarRange, 0.0485953483, 1e-8),
        (.rlvarRange, 0.0492330168, 1e-8), (.maximumDrawdown, 0.0387, 1e-12), (.averageDrawdown, 0.0175, 1e-12),
        (.drawdownAtRisk, 0.0356, 1e-12), (.cdar, 0.03715, 1e-12), (.edar, 0.0377222548, 1e-8),
        (.ulcerIndex, 0.0207428783, 1e-10), (.rldar, 0.0379208208, 1e-8),
        (.relativeMaximumDrawdown, 0.0385687622, 1e-10),
        (.relativeAverageDrawdown, 0.0177944251, 1e-10), (.relativeCDaR, 0.0372421495, 1e-10),
        (.relativeUlcerIndex, 0.0209979366, 1e-10), (.kt, 2.911828e-4, 1e-10), (.skt, 2.524754e-4, 1e-10),
    ]

    @Test("every code has one measure in the registry")
    func registry() {
        #expect(RiskMeasures.all.map { $0.code }.count == RiskMeasureCode.allCases.count)
        for code in RiskMeasureCode.allCases { #expect(RiskMeasures.measure(code) != nil, "\(code.rawValue)") }
    }

    @Test("agrees with the golden vector", arguments: goldenValues)
    func golden(code: RiskMeasureCode, expected: Double, tolerance: Double) throws {
        let measure = try #require(RiskMeasures.measure(code, RiskParameters(alpha: 0.1)))
        #expect(abs(measure.value(of: Self.golden) - expected) <= tolerance)
    }

    @Test("the moment of order six has its own value")
    func power() throws {
        let parameters = RiskParameters(power: 3)
        #expect(abs(EvenMoment(parameters).value(of: Self.golden) - 3.839519e-4) < 1e-10)
        #expect(abs(EvenSemiMoment(parameters).value(of: Self.golden) - 3.670795e-4) < 1e-10)
    }

    @Test(
        "agrees with the oracle's values, ratios and contributions", .enabled(if: Oracle.isPresent, "no ../shared"),
        arguments: Oracle.windows)
    func oracle(window: String) throws {
        let panel = try Oracle.panel(window)
        var compared = 0
        for record in try Oracle.records("metrics", window) {
            let weights = try record.numbers("weights")
            let x = panel.portfolioReturns(weights)
            let target = try #require(record["params"]).number("mar")
            for member in try #require(record["values"]?.objectValue).members {
                let parameters = RiskParameters(power: member.key.hasSuffix("_p3") ? 3 : 2, target: target)
                guard let code = RiskMeasureCode(rawValue: member.key.replacing("_p3", with: "")) else {
                    #expect(["mean", "variance"].contains(member.key), "\(member.key) is not a code")
                    continue
                }
                let expected = try #require(member.value.doubleValue)
                let value = try #require(RiskMeasures.measure(code, parameters)).value(of: x)
                // The oracle prints 14 digits; RLVaR's come from a search of its own.
                #expect(abs(value - expected) <= 1e-9 * expected, "\(member.key) \(value) \(expected)")
                compared += 1
            }
            for member in record["risk_contributions"]?.objectValue?.members ?? [] {
                guard let code = RiskMeasureCode(rawValue: member.key) else { continue }
                let measure = try #require(RiskMeasures.measure(code, RiskParameters(target: target)))
                let own = measure.contributions(weights: weights, panel: panel)
                let theirs = try #require(member.value.arrayValue).compactMap { $0.doubleValue }
                let size = theirs.reduce(0) { $0 + abs($1) }
                let miss = zip(own, theirs).reduce(0) { max($0, abs($1.0 - $1.1)) }
                // Theirs are finite differences, of a fourth root of rounding at best.
                #expect(miss <= 2e-4 * size, "contributions of \(member.key): \(miss / size)")
                compared += 1
            }
        }
        #expect(compared > 200)
    }

    @Test("is homogeneous of its degree, and contributions add up to the risk", arguments: RiskMeasureCode.allCases)
    func homogeneous(code: RiskMeasureCode) throws {
        let measure = try #require(RiskMeasures.measure(code))
        guard let degree = type(of: measure).degree else { return }
        let risk = measure.value(of: Self.golden)
        for scale in [1e-6, 3, 1e3] {
            let scaled = measure.value(of: Self.golden.map { scale * $0 })
            let expected = risk * (degree == 2 ? scale * scale : scale)
            #expect(abs(scaled - expected) <= 1e-9 * expected)
        }
        let panel = try randomPanel(assets: 4, observations: 150, seed: 7)
        let weights = [0.1, 0.4, 0.3, 0.2]
        let total = measure.value(of: panel.portfolioReturns(weights))
        let sum = measure.contributions(weights: weights, panel: panel).reduce(0, +)
        #expect(abs(sum - total) <= 1e-8 * total)
    }

    @Test("its sensitivity is its derivative", arguments: RiskMeasureCode.allCases)
    func derivative(code: RiskMeasureCode) throws {
        let measure = try #require(RiskMeasures.measure(code, RiskParameters(alpha: 0.1)))
        let slope = measure.sensitivity(at: Self.golden)
        for t in Self.golden.indices {
            let step = 1e-6
            var up = Self.golden
            var down = Self.golden
            up[t] += step
            down[t] -= step
            let difference = (measure.value(of: up) - measure.value(of: down)) / (2 * step)
            #expect(
                abs(slope[t] - difference) <= 2e-3 * (abs(difference) + slope.reduce(0) { max($0, abs($1)) }),
                "t = \(t)")
        }
    }

    @Test("is finite for odd series", arguments: RiskMeasureCode.allCases)
    func degenerate(code: RiskMeasureCode) throws {
        let measure = try #require(RiskMeasures.measure(code))
        let series = [
            [], [0.01], [0, 0, 0], [0.02, 0.02], [-0.01, -0.01, -0.01], [1e-300, -1e-300], [1e3, -0.5, 2e3],
        ]
        for x in series {
            #expect(measure.value(of: x).isFinite, "\(x)")
            #expect(measure.sensitivity(at: x).allSatisfy { $0.isFinite }, "\(x)")
            #expect(measure.sensitivity(at: x).count == x.count)
        }
    }

    @Test("RLVaR lies between EVaR and the worst realisation")
    func ordering() {
        let evar = EntropicValueAtRisk(RiskParameters(alpha: 0.1)).value(of: Self.golden)
        var last = evar
        for kappa in [1e-3, 0.1, 0.5, 0.9, 0.999] {
            let value = RelativisticValueAtRisk(RiskParameters(alpha: 0.1, kappa: kappa)).value(of: Self.golden)
            #expect(value >= last - 1e-9)
            #expect(value <= 0.0310 + 1e-12)
            last = value
        }
        let nearEntropic = RelativisticValueAtRisk(RiskParameters(alpha: 0.1, kappa: 1e-3)).value(of: Self.golden)
        #expect(abs(nearEntropic - evar) < 1e-6)
    }
}
