import ConvexSolver
import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// A tail of drawdowns solved on the periods that decide it is that of all of them.
@Suite("Periods of drawdowns")
struct DrawdownPeriodTests {
    private static let codes: [RiskMeasureCode] = [.maximumDrawdown, .cdar]

    private func problem(_ panel: ReturnPanel, _ code: RiskMeasureCode, upper: Double = 1) throws -> MeanRisk {
        var request = OptimizeRequest(assets: panel.assets)
        request.riskMeasure = code
        request.periodsPerYear = 252
        if upper < 1 { request.constraints.upperBound = .all(upper) }
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: 252)
        let parameters = RiskParameters()
        return MeanRisk(
            model: ScenarioModel(panel: panel),
            measure: try #require(RiskMeasures.measure(code, parameters) as? any ConvexRiskMeasure),
            covariance: moments.covariance,
            constraints: try ConstraintSet(
                request: request, mean: moments.mean, periodsPerYear: 252, panel: panel, parameters: parameters),
            parameters: parameters, reward: Reward(), deadline: .none)
    }

    @Test("the risk of all periods, with a proof for all of them", arguments: codes)
    func objectives(code: RiskMeasureCode) throws {
        var reduced = 0
        for seed in 1...6 {
            let panel = try randomPanel(assets: 4 + 2 * seed, observations: 200 + 90 * seed, seed: UInt64(seed))
            let few = try problem(panel, code, upper: seed % 2 == 0 ? 0.4 : 1)
            for objective in [ObjectiveName.minimumRisk, .utility, .sharpe] {
                guard let (own, theirs) = try reducedAndWhole(few, objective) else { continue }
                reduced += 1
                func risk(_ weights: [Double]) -> Double { few.measure.value(of: panel.portfolioReturns(weights)) }
                func value(_ weights: [Double]) -> Double {
                    let mean = Vector.dot(few.model.mean, weights) * few.model.unit
                    return switch objective {
                    case .minimumRisk: -risk(weights)
                    case .utility: mean - 2 * risk(weights)
                    default: mean / risk(weights)
                    }
                }
                let (a, b) = (value(own.weights), value(theirs.weights))
                #expect(abs(a - b) <= 1e-8 * max(abs(a), 1e-3), "\(seed) \(objective)")
                let evidence = try #require(own.evidence.first?.evidence)
                #expect(evidence.duals[0].count == panel.observations)
                let minorant = evidence.minorant(at: own.weights, few.model)
                let size = risk(own.weights)
                // One attempt: an answer has several, until one proves to 1e-9.
                let miss = abs(minorant.value(at: own.weights) - size)
                #expect(miss <= Verification.fullProof * size, "\(seed) \(objective)")
            }
        }
        #expect(reduced >= 12)
    }

    @Test("joined periods never have more risk, and as much where none is missing", arguments: codes)
    func bounds(code: RiskMeasureCode) throws {
        let panel = try randomPanel(assets: 5, observations: 400, seed: 12)
        let whole = try problem(panel, code)
        let periods = try #require(DrawdownPeriods(whole.model, measure: whole.measure))
        let tail: any RiskMeasure =
            code == .cdar ? ConditionalValueAtRisk(RiskParameters()) : WorstRealisation(RiskParameters())
        var numbers = RepeatableNumbers(seed: 5)
        for _ in 0..<20 {
            let raw = (0..<5).map { _ in abs(numbers.normal()) }
            let w = raw.map { $0 / raw.reduce(0, +) }
            let risk = whole.measure.value(of: panel.portfolioReturns(w)) / whole.model.unit
            var kept = periods.likely(at: [[1, 0, 0, 0, 0]])
            func joined() -> Double {
                // Periods that are left out have no drawdown to speak of.
                let some = DrawdownSeries(periods.part(kept).returns.multiplied(by: w), compounded: false).asReturns
                return tail.value(of: ReturnSeries(some + [Double](repeating: 0, count: 400 - kept.count)))
            }
            #expect(joined() <= risk * (1 + 1e-12))
            kept = Set(kept).union(periods.missing(at: w, kept: kept)).sorted()
            #expect(periods.missing(at: w, kept: kept).isEmpty)
            #expect(abs(joined() - risk) <= 1e-10 * risk)
        }
    }

    @Test("a joined period's price is that of each of its parts")
    func prices() throws {
        let panel = try randomPanel(assets: 3, observations: 120, seed: 3)
        let whole = try problem(panel, .maximumDrawdown)
        let periods = try #require(DrawdownPeriods(whole.model, measure: whole.measure))
        let all = periods.spread([3, 5], [1, 4])
        #expect(all.prefix(6) == [3, 3, 5, 5, 5, 0])
        #expect(periods.part([1, 4]).returns.rows == 2)
        let (plain, joined) = (whole.model.returns, periods.part([1, 4]).returns)
        let sum: Double = plain.column(2)[2...4].reduce(0, +)
        #expect(abs(joined.column(2)[1] - sum) < 1e-12)
    }
}
