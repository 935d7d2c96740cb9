import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Where a portfolio without risk exists, it is found, and its risk of nothing is its own proof.
@Suite("Riskless portfolios")
struct RisklessPortfolioTests {
    private static let wave = (0..<40).map { Double(($0 * 13) % 17 - 8) / 800 + 0.001 }
    private static let other = (0..<40).map { Double(($0 * 5) % 11 - 5) / 400 + 0.001 }
    private static func still(_ value: Double) -> [Double] { [Double](repeating: value, count: 40) }

    private static let deviations: [RiskMeasureCode] = [
        .mv, .kt, .mad, .gmd, .msv, .skt, .em, .esm, .cvarRange, .tailGiniRange, .evarRange, .rlvarRange, .range,
    ]
    private static let drawdowns: [RiskMeasureCode] = [
        .maximumDrawdown, .averageDrawdown, .cdar, .edar, .rldar, .ulcerIndex, .flpm, .slpm,
    ]

    private func solve(
        _ panel: ReturnPanel, _ measure: RiskMeasureCode, _ objective: ObjectiveName,
        _ change: (inout OptimizeRequest) -> Void = { _ in }
    ) throws -> OptimizationResult {
        var request = OptimizeRequest(assets: panel.assets)
        request.periodsPerYear = 252
        request.riskMeasure = measure
        request.objective = objective
        change(&request)
        let found = try PortfolioOptimization.run(request, panel: panel)
        #expect(Verification.faults(request, panel: panel, result: found) == [], "\(measure) \(objective)")
        return found
    }

    @Test(
        "constant returns: every measure of deviation or drawdown is brought to nothing", arguments: [0.001, 0, -0.002])
    func constant(level: Double) throws {
        let panel = try madePanel([Self.still(level), Self.still(level + 0.001)])
        for measure in Self.deviations + (level >= 0 ? Self.drawdowns : []) {
            let found = try solve(panel, measure, .minimumRisk)
            #expect(abs(found.solution.risk) <= 1e-12, "\(measure)")
            #expect(found.solution.dualityGap <= Verification.fullProof, "\(measure)")
        }
    }

    @Test("opposed assets cancel each other: one portfolio is without risk, to the last digits of its halves")
    func opposed() throws {
        let panel = try madePanel([Self.wave, Self.wave.map { 0.001 - $0 }])
        for measure in Self.deviations + Self.drawdowns {
            let found = try solve(panel, measure, .minimumRisk)
            // A quadratic program knows the variance to 1e-16 of the assets' own, and so a deviation to 1e-8.
            #expect(abs(found.solution.risk) <= (measure == .mv ? 1e-10 : 1e-12), "\(measure)")
            // Drawdowns leave room beside the halves: the series is above zero there.
            guard Self.deviations.contains(measure) else { continue }
            #expect(abs(found.weights[0] - 0.5) <= 1e-9, "\(measure): \(found.weights)")
        }
    }

    @Test(
        "opposed assets under Utility: the next unit of return is not worth its risk",
        arguments: deviations.filter { $0 != .evarRange } + [.slpm, .flpm, .ulcerIndex])
    func opposedUtility(measure: RiskMeasureCode) throws {
        let panel = try madePanel([Self.wave, Self.wave.map { 0.001 - $0 }])
        // A variance next to nothing costs nothing; measures of the first degree do.
        let found = try solve(panel, measure, .utility) { $0.riskAversion = 2 }
        let x = panel.portfolioReturns(found.weights)
        let value = try #require(RiskMeasures.measure(measure, RiskParameters(alpha: 0.05))).value(of: x)
        let mean = x.reduce(0, +) / Double(x.count)
        for share in stride(from: 0.0, through: 1, by: 0.01) {
            let y = panel.portfolioReturns([share, 1 - share])
            let risk = try #require(RiskMeasures.measure(measure, RiskParameters(alpha: 0.05))).value(of: y)
            let square: (Double) -> Double = { measure == .mv ? $0 * $0 : $0 }
            let other = y.reduce(0, +) / Double(y.count) - 2 * square(risk)
            #expect(mean - 2 * square(value) >= other - 1e-10, "\(share)")
        }
    }

    @Test(
        "series that are all ties: the tail's average of a hedged portfolio",
        arguments: [ObjectiveName.minimumRisk, .utility])
    func ties(objective: ObjectiveName) throws {
        let panel = try madePanel([Self.wave, Self.wave.map { 0.001 - $0 }])
        let found = try solve(panel, .tailGini, objective) { $0.riskAversion = 2 }
        #expect(abs(found.solution.risk + 0.0005) <= 1e-9)
    }

    @Test(
        "fewer periods than assets: Utility is proven",
        arguments: [RiskMeasureCode.tailGini, .tailGiniRange, .ulcerIndex])
    func fewPeriods(measure: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 30, observations: 12, seed: 90)
        let found = try solve(panel, measure, .utility) { $0.riskAversion = 2 }
        #expect(found.solution.dualityGap <= Verification.fullProof)
    }

    @Test("an asset that never falls, between bounds and groups of the others")
    func bounded() throws {
        let panel = try madePanel([Self.wave.map { abs($0) + 0.0001 }, Self.wave, Self.other])
        for measure in Self.drawdowns {
            let free = try solve(panel, measure, .minimumRisk)
            #expect(abs(free.solution.risk) <= 1e-12, "\(measure)")
            // Under a bound the others make up for what they lose, or do not: at 0.6 they do, at 0.34 they cannot.
            let most = try solve(panel, measure, .minimumRisk) { $0.constraints.upperBound = .all(0.6) }
            #expect(most.weights.allSatisfy { $0 <= 0.6 } && abs(most.solution.risk) <= 1e-12, "\(measure)")
            let even = try solve(panel, measure, .minimumRisk) { $0.constraints.upperBound = .all(0.34) }
            #expect(even.weights.allSatisfy { $0 <= 0.34 } && even.solution.risk > 1e-6, "\(measure)")
        }
    }

    @Test("a ratio with a riskless portfolio above the rate has no maximum")
    func unlimited() throws {
        let panel = try madePanel([Self.still(0.0004), Self.wave, Self.other])
        for measure in [RiskMeasureCode.msv, .slpm, .ulcerIndex, .mad, .cdar] {
            let problem = caught { _ = try solve(panel, measure, .sharpe) }
            #expect(problem?.code == "OPT-203", "\(measure): \(problem?.detail ?? "answered")")
        }
        let zeros = try madePanel([Self.still(0), Self.wave, Self.still(0)])
        let problem = caught { _ = try solve(zeros, .mv, .sharpe) { $0.model = .fourMoments } }
        #expect(problem?.code == "OPT-203", "\(problem?.detail ?? "answered")")
    }

    @Test("four moments of a constant series are nothing")
    func moments() throws {
        let panel = try madePanel([Self.still(0.001), Self.still(0.002)])
        let found = try solve(panel, .mv, .minimumRisk) { $0.model = .fourMoments }
        #expect(abs(found.solution.objectiveValue) <= 1e-20)
    }

    @Test("utility: all in the riskless corner where risk costs more than it earns, none of it where risk is cheap")
    func utility() throws {
        let panel = try madePanel([Self.still(0.0009), Self.wave, Self.other])
        for measure in [RiskMeasureCode.msv, .mad] {
            let averse = try solve(panel, measure, .utility) { $0.riskAversion = 50 }
            #expect(averse.weights[0] > 1 - 1e-9, "\(measure): \(averse.weights)")
            let bold = try solve(panel, measure, .utility) { $0.riskAversion = 1e-4 }
            #expect(bold.weights[0] < 1e-9, "\(measure): \(bold.weights)")
        }
        // Drawdowns leave room beside the corner: the largest mean of all that never fall.
        for measure in [RiskMeasureCode.ulcerIndex, .slpm] {
            let averse = try solve(panel, measure, .utility) { $0.riskAversion = 50 }
            #expect(abs(averse.solution.risk) <= 1e-12, "\(measure): \(averse.weights)")
            #expect(averse.solution.expectedReturn >= 0.0009 - 1e-12)
        }
    }

    @Test("risk has nothing to share out where a portfolio is without it")
    func parity() throws {
        let panel = try randomPanel(assets: 20, observations: 8, seed: 91)
        for measure in [RiskMeasureCode.msv, .slpm, .mad, .ulcerIndex] {
            let problem = caught { _ = try solve(panel, measure, .minimumRisk) { $0.model = .riskParity } }
            if let problem { #expect(problem.code == "OPT-203", "\(measure): \(problem.detail)") }
        }
    }
}
