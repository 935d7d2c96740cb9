import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Defects of Riskfolio-Lib 7.4.0 and skfolio 1.12 that are no other test's subject, by the numbers of sections 1.9 and 7 of
/// `shared/research/optimizer-features.md`: each shows that the right thing happens here.
///
/// Elsewhere: 2 `HoldingChoiceTests`, 3 `InfeasibilityTests`, 4 and 5 `UncertaintySetTests`, 9 `FactorTests`, 10 `EntropyPoolingTests`, the
/// splits of 11 `HierarchicalModelTests`, 29 `MeanVariancePropertyTests`, 43 `OracleFamilyTests`.
@Suite("Defects of the peers")
struct PeerDefectTests {
    private func solved(_ request: OptimizeRequest, _ panel: ReturnPanel) throws -> OptimizationResult {
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        return found
    }

    /// Riskfolio-Lib calls a function that does not exist above fifty assets, whatever the measure.
    @Test("1: fourth moments of more than fifty assets", arguments: [RiskMeasureCode.kt, .skt, .em, .esm])
    func manyAssets(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 60, observations: 130, seed: 81)
        let found = try solved(plainRequest(panel, measure, .minimumRisk), panel)
        #expect(found.solution.dualityGap <= 1e-8)
        let equal = [Double](repeating: 1 / 60, count: 60)
        let plain = try #require(RiskMeasures.measure(measure, RiskParameters(alpha: 0.05)))
            .value(of: panel.portfolioReturns(equal))
        #expect(found.solution.risk < plain)
    }

    /// Riskfolio-Lib leaves the concentration unscaled in the worst case's ratio and finds another portfolio than in its plain one.
    @Test("6: a least number of effective assets in the worst case's ratio is that of the plain ratio")
    func concentration() throws {
        let panel = try randomPanel(assets: 8, observations: 120, seed: 82)
        var plain = plainRequest(panel, .mv, .sharpe)
        plain.riskFreeRate = -0.5
        plain.constraints.effectiveAssets = 5
        let expected = try solved(plain, panel)
        var worst = plain
        worst.model = .worstCase
        worst.uncertainty = UncertaintyRequest()
        worst.uncertainty?.mean = .init(shape: .none)
        worst.uncertainty?.covariance = .init(shape: .none)
        let found = try solved(worst, panel)
        #expect(abs(found.weights.reduce(0) { $0 + $1 * $1 } - 0.2) <= 1e-9)
        #expect(
            abs(found.solution.objectiveValue - expected.solution.objectiveValue) <= 1e-8
                * abs(expected.solution.objectiveValue))
        for (one, other) in zip(found.weights, expected.weights) { #expect(abs(one - other) <= 1e-5) }
    }

    /// Riskfolio-Lib returns a corner portfolio, silently.
    @Test("6: a network in the worst case is refused by its name")
    func networkOfWorstCase() throws {
        let panel = try randomPanel(assets: 5, observations: 60, seed: 91)
        let body: JSONValue = [
            "assets": JSONValue(panel.assets), "model": "WorstCase", "objective": "MinRisk",
            "uncertainty": ["covariance": ["set": "none"]],
            "constraints": ["network": ["graph": "MST", "max": 1]],
        ]
        let request = try OptimizeRequest(json: body)
        let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(problem.errors.first?.pointer.description == "#/constraints/network")
    }

    /// Riskfolio-Lib reads the integer matrices of ordered averages in another shape than everywhere else.
    @Test("11: rules on which assets are held are the same for an ordered average and for its measure")
    func ordered() throws {
        let panel = try randomPanel(assets: 6, observations: 60, seed: 92)
        func solve(_ model: String, _ more: [(String, JSONValue)]) throws -> OptimizationResult {
            var body = JSONObject([
                ("assets", JSONValue(panel.assets)), ("model", .string(model)), ("objective", "MinRisk"),
                (
                    "constraints",
                    [
                        "cardinality": ["max": 3], "groups": ["G": JSONValue(Array(panel.assets[..<3]))],
                        "mutually_exclusive": [JSONValue([panel.assets[4], "G"])],
                    ]
                ),
            ])
            for (name, value) in more { body[name] = value }
            let request = try OptimizeRequest(json: .object(body))
            return try solved(request, panel)
        }
        let average = try solve("OWA", [("owa_weights", ["method": "gmd"])])
        let measure = try solve("Classic", [("risk_measure", "GMD")])
        #expect(abs(average.solution.risk - measure.solution.risk) <= 1e-8 * measure.solution.risk)
        #expect(average.weights.filter { $0 != 0 }.count <= 3)
        #expect(average.weights[4] == 0 || average.weights[..<3].allSatisfy { $0 == 0 })
    }

    /// Riskfolio-Lib's bounds of single assets are off a thousandfold beside limits of shares and shorts: a weight of 0.69 under 0.4.
    @Test("7: bounds of single assets hold beside limits of shares and shorts")
    func shares() throws {
        for seed in [87, 88, 89] as [UInt64] {
            let panel = try randomPanel(assets: 4, observations: 90, seed: seed)
            var wanted = plainRequest(panel, .mv, .minimumRisk)
            wanted.constraints.lowerBound = .all(-0.2)
            wanted.constraints.upperBound = .all(0.4)
            wanted.constraints.short = 0.2
            wanted.constraints.riskContribution = [.init(name: panel.assets[0], min: nil, max: 0.3)]
            let found = try solved(wanted, panel)
            #expect(found.weights.allSatisfy { $0 >= -0.2 && $0 <= 0.4 })
            #expect(found.weights.reduce(0) { $0 + max(-$1, 0) } <= 0.2 + 1e-9)
        }
    }

    /// Riskfolio-Lib reads `kelly="approx"` for the variance and for ratios only.
    @Test(
        "8: approximate growth counts for every measure and objective",
        arguments: [RiskMeasureCode.cvar, .mad, .ulcerIndex])
    func growth(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 5, observations: 90, seed: 83, scale: 0.06)
        for objective in [ObjectiveName.utility, .maximumReturn] {
            var wanted = plainRequest(panel, measure, objective)
            wanted.riskAversion = 0.02
            let plain = try solved(wanted, panel)
            wanted.kelly = .approx
            let found = try solved(wanted, panel)
            func growth(_ w: [Double]) -> Double {
                let x = panel.portfolioReturns(w)
                let mean = x.reduce(0, +) / Double(x.count)
                return mean - 0.5 * x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count - 1)
            }
            func value(_ w: [Double]) throws -> Double {
                let risk = try #require(RiskMeasures.measure(measure, RiskParameters(alpha: 0.05)))
                    .value(of: panel.portfolioReturns(w))
                return growth(w) - (wanted.objective == .utility ? 0.02 * risk : 0)
            }
            #expect(abs(try value(found.weights) - found.solution.objectiveValue) <= 1e-12)
            #expect(try value(found.weights) >= value(plain.weights) - 1e-12)
            #expect(zip(found.weights, plain.weights).contains { abs($0 - $1) > 1e-4 }, "\(measure) \(objective)")
        }
    }

    /// Riskfolio-Lib's table of figures ignores alpha in DaR, and takes the rate per period from annual means.
    @Test("11: alpha reaches the drawdown at risk, and the rate has the units of the mean")
    func table() throws {
        let panel = try randomPanel(assets: 3, observations: 250, seed: 84)
        func evaluated(_ alpha: Double, _ rate: Double) throws -> PortfolioEvaluation {
            var data = OptimizeRequest(assets: panel.assets)
            data.alpha = alpha
            data.riskFreeRate = rate
            data.periodsPerYear = 252
            return try PortfolioEvaluation.run(MetricsRequest(data: data, weights: [0.5, 0.3, 0.2]), panel: panel)
        }
        func figure(_ list: [OptimizeResponse.Figure], _ name: String) throws -> Double {
            try #require(list.first { $0.name == name }?.value)
        }
        let (narrow, wide) = (try evaluated(0.02, 0), try evaluated(0.3, 0))
        #expect(try figure(narrow.risk, "DaR") > figure(wide.risk, "DaR"))
        #expect(try figure(narrow.risk, "CDaR") > figure(wide.risk, "CDaR"))
        let rate = 0.0252
        let charged = try evaluated(0.02, rate)
        let risk = try figure(narrow.risk, "CDaR")
        let drop = try figure(narrow.ratios, "CDaR") - figure(charged.ratios, "CDaR")
        #expect(abs(drop - 0.0001 / risk) <= 1e-9 * abs(drop))
    }

    /// skfolio drops costs from the cone of EVaR, with a warning.
    @Test("44: costs count beside EVaR", arguments: [RiskMeasureCode.evar, .edar, .rlvar])
    func costs(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 4, observations: 80, seed: 85)
        let held = zip(panel.assets, [0.4, 0.3, 0.2, 0.1]).map { ConstraintRequest.AssetValue($0, $1) }
        var wanted = plainRequest(panel, measure, .minimumRisk)
        let free = try solved(wanted, panel)
        wanted.constraints.costs = .init(from: held, linear: .all(0.002), impact: nil)
        let some = try solved(wanted, panel)
        func traded(_ w: [Double]) -> Double { zip(w, held).reduce(0) { $0 + abs($1.0 - $1.1.value) } }
        #expect(traded(some.weights) < traded(free.weights) - 1e-3)
        let cost = 0.002 * traded(some.weights)
        #expect(abs(some.solution.objectiveValue - some.solution.risk - cost) <= 1e-10)
    }

    /// skfolio's ratio raises and Riskfolio-Lib returns a portfolio where nothing beats the rate.
    @Test(
        "29: where no portfolio beats the rate the ratio says so",
        arguments: [RiskMeasureCode.mv, .cvar, .maximumDrawdown, .evar])
    func nothingBeats(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 4, observations: 80, seed: 86)
        var wanted = plainRequest(panel, measure, .sharpe)
        wanted.riskFreeRate = 5
        #expect(problemCode { try PortfolioOptimization.run(wanted, panel: panel) } == "OPT-203")
    }
}
