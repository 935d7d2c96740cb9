import Foundation
import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

@Suite("Risk budgeting")
struct RiskBudgetingTests {
    private func request(_ panel: ReturnPanel, _ measure: RiskMeasureCode) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = .riskParity
        request.riskMeasure = measure
        request.periodsPerYear = 252
        return request
    }

    private func budgets(_ panel: ReturnPanel, _ shares: [Double]) -> [ConstraintRequest.AssetValue] {
        let total = shares.reduce(0, +)
        return zip(panel.assets, shares).map { .init($0, $1 / total) }
    }

    /// `ln rho(w) - sum b ln w`, from the registry's definition.
    private func objective(_ w: [Double], _ b: [Double], _ measure: RiskMeasureCode, _ panel: ReturnPanel) -> Double {
        guard let definition = RiskMeasures.measure(measure), w.allSatisfy({ $0 > 0 }) else { return .infinity }
        let degree = Double(type(of: definition).degree ?? 1)
        let risk = definition.value(of: panel.portfolioReturns(w))
        var sum = log(risk) / degree
        for i in w.indices { sum -= b[i] * log(w[i]) }
        return sum
    }

    @Test("uncorrelated assets: weights are the roots of the budgets over the deviations")
    func uncorrelated() throws {
        // Orthogonal columns of a Hadamard matrix: no correlation at all.
        let signs: [[Double]] = [
            [1, -1, 1, -1, 1, -1, 1, -1], [1, 1, -1, -1, 1, 1, -1, -1], [1, 1, 1, 1, -1, -1, -1, -1],
        ]
        let deviations = [0.01, 0.02, 0.005]
        let panel = try madePanel(zip(signs, deviations).map { sign, size in sign.map { $0 * size } })
        let shares = [0.2, 0.3, 0.5]
        var request = request(panel, .mv)
        request.riskBudget = budgets(panel, shares)
        let found = try PortfolioOptimization.run(request, panel: panel)
        let raw = zip(shares, deviations).map { $0.squareRoot() / $1 }
        for (own, expected) in zip(found.weights, raw.map { $0 / raw.reduce(0, +) }) {
            #expect(abs(own - expected) < 1e-14)
        }
    }

    @Test("extreme budgets are met", arguments: [RiskMeasureCode.mv, .cvar, .mad, .evar, .cdar, .kt])
    func extreme(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 6, observations: 200, seed: 5)
        var request = request(panel, measure)
        let shares = [1e-6, 0.5, 1e-3, 0.3, 0.1, 0.098999]
        request.riskBudget = budgets(panel, shares)
        let found = try PortfolioOptimization.run(request, panel: panel)
        let total = shares.reduce(0, +)
        for (own, share) in zip(found.riskContributions, shares) {
            #expect(abs(own / found.solution.risk / (share / total) - 1) < 1e-7, "\(measure)")
        }
        #expect(Verification.faults(request, panel: panel, result: found) == [])
    }

    @Test("constrained: no allowed portfolio is nearer the budgets", arguments: RiskMeasureCode.optimisable)
    func constrained(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 6, observations: 150, seed: 11)
        var request = request(panel, measure)
        request.constraints.upperBound = .byAsset([.init("A0", 0.12), .init("A3", 0.3)])
        request.constraints.lowerBound = .byAsset([.init("A5", 0.25)])
        request.constraints.groups = [.init("G", ["A1", "A2"])]
        request.constraints.groupLimits = [.init(group: "G", min: nil, max: 0.25)]
        request.constraints.linear = [
            .init(name: "pair", coefficients: [.init("A3", 1), .init("A4", -1)], min: nil, max: -0.05)
        ]
        let found: OptimizationResult
        do {
            found = try PortfolioOptimization.run(request, panel: panel)
        } catch {
            Issue.record("\(measure): \(error)")
            return
        }
        #expect(Verification.faults(request, panel: panel, result: found) == [], "\(measure)")
        let b = [Double](repeating: 1.0 / 6, count: 6)
        let own = objective(found.weights, b, measure, panel)
        // Random allowed portfolios near and far, by rejection.
        var numbers = RepeatableNumbers(seed: 3)
        var tried = 0
        for round in 0..<4000 {
            let reach = round % 2 == 0 ? 0.02 : 0.2
            var w = found.weights.map { $0 + reach * numbers.next() }
            let total = w.reduce(0, +)
            w = w.map { $0 / total }
            let isAllowed =
                w.allSatisfy { $0 > 0 } && w[0] <= 0.12 && w[3] <= 0.3 && w[5] >= 0.25 && w[1] + w[2] <= 0.25
                && w[3] - w[4] <= -0.05
            guard isAllowed else { continue }
            tried += 1
            #expect(objective(w, b, measure, panel) >= own - 1e-12, "\(measure)")
        }
        #expect(tried > 20)
    }

    @Test("turnover, a required return and a ceiling of risk are kept")
    func limits() throws {
        let panel = try randomPanel(assets: 5, observations: 250, seed: 2)
        let held = zip(panel.assets, [0.6, 0.1, 0.1, 0.1, 0.1]).map { ConstraintRequest.AssetValue($0, $1) }
        for measure in [RiskMeasureCode.mv, .cvar, .msv] {
            var request = request(panel, measure)
            let free = try PortfolioOptimization.run(request, panel: panel)
            request.constraints.turnover = .init(from: held, perAsset: nil, total: 0.3)
            request.constraints.minReturn = free.solution.expectedReturn * 0.9
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(measure)")
            let turned = zip(found.weights, held).reduce(0) { $0 + abs($1.0 - $1.1.value) }
            #expect(abs(turned - 0.3) < 1e-9, "\(measure): the turnover binds")
            #expect(found.solution.binding.contains { $0.constraint == "turnover.total" && $0.dual > 0 })
            request.constraints.turnover = nil
            request.constraints.minReturn = nil
            let deviation = try #require(free.risk.first { $0.name == "MV" }?.value)
            request.constraints.maxRisk = [.init(measure: .mv, level: 0.995 * deviation)]
            let capped = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: capped) == [], "\(measure)")
            let now = try #require(capped.risk.first { $0.name == "MV" }?.value)
            #expect(now <= 0.995 * deviation * (1 + 1e-8), "\(measure)")
        }
    }

    @Test("scenario probabilities count", arguments: [RiskMeasureCode.mad, .cvar, .msv, .cdar, .evar, .kt])
    func probabilities(measure: RiskMeasureCode) throws {
        // Twice the weight is the period twice, for measures that look at the distribution alone.
        let panel = try randomPanel(assets: 4, observations: 60, seed: 9)
        var weighted = request(panel, measure)
        weighted.scenarioWeights = .given((0..<60).map { $0 < 20 ? 2 : 1 })
        let found = try PortfolioOptimization.run(weighted, panel: panel)
        #expect(Verification.faults(weighted, panel: panel, result: found) == [])
        for own in found.riskContributions { #expect(abs(own / found.solution.risk - 0.25) < 1e-9, "\(measure)") }
        guard measure != .cdar, measure != .msv else { return }
        let longer = try madePanel(
            (0..<4).map { asset in
                (0..<20).flatMap { t in [panel.column(asset)[t], panel.column(asset)[t]] } + panel.column(asset)[20...]
            })
        let repeated = try PortfolioOptimization.run(request(longer, measure), panel: longer)
        for (a, b) in zip(found.weights, repeated.weights) { #expect(abs(a - b) < 1e-9, "\(measure)") }
    }

    @Test("degenerate panels: the right answer or a problem that says why")
    func degenerate() throws {
        var numbers = RepeatableNumbers(seed: 1)
        let a = (0..<40).map { _ in 0.01 * numbers.normal() }
        // Perfectly correlated: inverse volatility.
        let twins = try madePanel([a, a.map { 2 * $0 }])
        for measure in [RiskMeasureCode.mv, .mad, .cvar, .kt, .worstRealisation] {
            let found = try PortfolioOptimization.run(request(twins, measure), panel: twins)
            #expect(abs(found.weights[0] - 2.0 / 3) < 1e-8, "\(measure): \(found.weights)")
        }
        // One asset.
        let single = try madePanel([a])
        #expect(try PortfolioOptimization.run(request(single, .cvar), panel: single).weights == [1])
        #expect(try PortfolioOptimization.run(request(single, .mv), panel: single).weights == [1])
        // An asset without risk; two that cancel each other; a tail that is all gains.
        let constant = try madePanel([a, a.map { _ in 0.001 }])
        let opposite = try madePanel([a, a.map { -$0 }])
        let gains = try madePanel([a.map { abs($0) + 0.001 }, a.reversed().map { abs($0) + 0.002 }])
        for (panel, measure) in [
            (constant, RiskMeasureCode.mv), (constant, .mad), (opposite, .mv), (opposite, .cvar), (opposite, .msv),
            (gains, .cvar), (gains, .worstRealisation),
        ] {
            #expect(
                problemCode { try PortfolioOptimization.run(request(panel, measure), panel: panel) } == "OPT-203",
                "\(measure)")
        }
        // Fewer periods than assets.
        let short = try randomPanel(assets: 12, observations: 8, seed: 4)
        let found = try PortfolioOptimization.run(request(short, .mv), panel: short)
        for own in found.riskContributions { #expect(abs(own / found.solution.risk - 1.0 / 12) < 1e-9) }
    }

    @Test("a bound that leaves an asset nothing is a problem that names it")
    func noShare() throws {
        let panel = try randomPanel(assets: 3, observations: 50, seed: 8)
        var request = request(panel, .cvar)
        request.constraints.upperBound = .byAsset([.init("A1", 0)])
        let problem = try #require(caught { try PortfolioOptimization.run(request, panel: panel) })
        #expect(problem.code == "OPT-203" && problem.detail.contains("A1"))
        request.constraints.upperBound = .all(0.2)
        #expect(problemCode { try PortfolioOptimization.run(request, panel: panel) } == "OPT-101")
    }

    @Test("relaxed: a required return moves away from parity, and a larger penalty of single risks too")
    func relaxed() throws {
        let panel = try randomPanel(assets: 6, observations: 300, seed: 21)
        for version in OptimizeRequest.Relaxation.Version.allCases {
            var request = request(panel, .mv)
            request.model = .relaxedRiskParity
            request.relaxation = .init(version: version, lambda: 2)
            let free = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: free) == [], "\(version)")
            request.constraints.minReturn = free.solution.expectedReturn * 1.05
            request.constraints.upperBound = .all(0.4)
            let found = try PortfolioOptimization.run(request, panel: panel)
            #expect(Verification.faults(request, panel: panel, result: found) == [], "\(version)")
            #expect(found.solution.objectiveValue > free.solution.objectiveValue)
            #expect(found.solution.binding.contains { $0.constraint == "min_return" })
            // No allowed portfolio nearby is better.
            var numbers = RepeatableNumbers(seed: 6)
            let least = try #require(request.constraints.minReturn)
            for _ in 0..<500 {
                var w = found.weights.map { max($0 + 0.01 * numbers.next(), 0) }
                let total = w.reduce(0, +)
                w = w.map { $0 / total }
                let mean = zip(w, panel.assets.indices).reduce(0) {
                    $0 + $1.0 * panel.column($1.1).reduce(0, +) / Double(panel.observations)
                }
                guard mean >= least, w.allSatisfy({ $0 <= 0.4 }) else { continue }
                #expect(value(w, panel, version) >= found.solution.objectiveValue - 1e-12, "\(version)")
            }
        }
    }

    @Test(
        "relaxed: an asset that moves against the nearest portfolio of a required return; one that moves against all is said"
    )
    func edge() throws {
        var numbers = RepeatableNumbers(seed: 41)
        let factor = (0..<150).map { _ in numbers.normal() }
        let panel = try madePanel(
            [(1.0, 0.4), (0.9, 0.05), (-0.35, -0.1), (0.6, 0.02)].map { beta, drift in
                factor.map { 0.01 * (drift + beta * $0 + 0.5 * numbers.normal()) }
            })
        let means = panel.assets.indices.map { panel.column($0).reduce(0, +) / Double(panel.observations) }
        let (mean, most) = (means.reduce(0, +) / 4, try #require(means.max()))
        let covariance = try MomentEstimation.estimate(request(panel, .mv), panel: panel, periodsPerYear: 252)
            .covariance
        for version in OptimizeRequest.Relaxation.Version.allCases {
            for share in [0.05, 0.1, 0.15] {
                var request = request(panel, .mv)
                request.model = .relaxedRiskParity
                request.relaxation = .init(version: version, lambda: 2)
                let least = mean + share * (most - mean)
                request.constraints.minReturn = least
                let found = try PortfolioOptimization.run(request, panel: panel)
                #expect(Verification.faults(request, panel: panel, result: found) == [], "\(version) \(share)")
                let image = covariance.symmetricMultiplied(by: found.weights)
                #expect(image.allSatisfy { $0 >= -1e-10 * covariance[0, 0] })
                for _ in 0..<400 {
                    var w = found.weights.map { max($0 + 0.03 * numbers.next(), 0) }
                    let total = w.reduce(0, +)
                    w = w.map { $0 / total }
                    guard zip(w, means).reduce(0, { $0 + $1.0 * $1.1 }) >= least,
                        covariance.symmetricMultiplied(by: w).allSatisfy({ $0 >= 0 })
                    else { continue }
                    #expect(
                        value(w, panel, version) >= found.solution.objectiveValue - 1e-9
                            * covariance[0, 0].squareRoot(),
                        "\(version) \(share)")
                }
            }
        }
        var codes: Set<String> = []
        for version in OptimizeRequest.Relaxation.Version.allCases {
            for share in [0.2, 0.3, 0.4, 0.5] {
                var high = request(panel, .mv)
                high.model = .relaxedRiskParity
                high.relaxation = .init(version: version, lambda: 2)
                high.constraints.minReturn = mean + share * (most - mean)
                codes.insert(problemCode { try PortfolioOptimization.run(high, panel: panel) })
            }
        }
        #expect(codes.isSubset(of: ["no problem", "OPT-203"]) && codes.contains("OPT-203"), "\(codes)")
    }

    private func value(_ w: [Double], _ panel: ReturnPanel, _ version: OptimizeRequest.Relaxation.Version) -> Double {
        let columns = panel.assets.indices.map { panel.column($0) }
        let means = columns.map { $0.reduce(0, +) / Double($0.count) }
        func covariance(_ i: Int, _ j: Int) -> Double {
            zip(columns[i], columns[j]).reduce(0) { $0 + ($1.0 - means[i]) * ($1.1 - means[j]) }
                / Double(columns[i].count - 1)
        }
        var (variance, single, least) = (0.0, 0.0, Double.infinity)
        for i in w.indices {
            let image = w.indices.reduce(0.0) { $0 + covariance(i, $1) * w[$1] }
            variance += w[i] * image
            single += w[i] * w[i] * covariance(i, i)
            least = min(least, w[i] * image * Double(w.count))
        }
        let square = version == .a ? variance : version == .b ? 2 * variance : variance + 2 * single
        return square.squareRoot() - least.squareRoot()
    }

    @Test("factors bear their shares", arguments: [RiskMeasureCode.mv, .cvar, .mad, .kt, .cdar, .gmd])
    func factors(measure: RiskMeasureCode) throws {
        let loadings: [[Double]] = [[1, 0.2], [0.8, -0.3], [0.3, 1.1], [0.5, 0.6]]
        let (panel, factors) = try factorsGiven(seed: 31, loadings)
        var request = request(panel, measure)
        request.model = .factorRiskParity
        request.factors = factors
        request.riskBudget = [.init("F", 0.7), .init("G", 0.3)]
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [])
        for (factor, share) in [("F", 0.7), ("G", 0.3)] {
            let own = try #require(
                found.modelFigures.first { $0.name == "factor_risk_contribution.\(factor)" }?.value)
            #expect(abs(own / found.solution.risk - share) < 1e-9, "\(measure) \(factor)")
        }
        // Exposures times the risk's change with them: e_k = (B'w)_k, dw = M de.
        let exposures = (0..<2).map { k in zip(found.weights, loadings).reduce(0) { $0 + $1.0 * $1.1[k] } }
        #expect(exposures.allSatisfy { $0 > 0 })
        // The weights lie in the span of the loadings.
        let gram = Matrix((0..<2).map { i in (0..<2).map { j in loadings.reduce(0) { $0 + $1[i] * $1[j] } } })
        let determinant = gram[0, 0] * gram[1, 1] - gram[0, 1] * gram[1, 0]
        let inner = [
            (gram[1, 1] * exposures[0] - gram[0, 1] * exposures[1]) / determinant,
            (gram[0, 0] * exposures[1] - gram[1, 0] * exposures[0]) / determinant,
        ]
        for (w, row) in zip(found.weights, loadings) { #expect(abs(w - row[0] * inner[0] - row[1] * inner[1]) < 1e-12) }
        let total = found.riskContributions.reduce(0, +)
        #expect(abs(total - found.solution.risk) < 1e-9 * found.solution.risk)
    }
}
