import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing
import WireFormat

/// Right answer or typed error, never a NaN: every model of the registry on panels that break textbook formulas.
@Suite("Models on degenerate panels")
struct DegenerateModelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var model: ModelName
        var panel: String

        var testDescription: String { "\(model.rawValue), \(panel)" }
    }

    static let panels = [
        "one asset", "two assets", "constant", "one constant", "perfectly correlated", "perfectly opposed",
        "nearly singular", "fewer periods than assets", "as many periods as assets", "two periods", "tiny", "zeros",
    ]

    static let cases = ModelName.allCases.flatMap { model in panels.map { Case(model: model, panel: $0) } }

    private func panel(_ name: String) throws -> ReturnPanel {
        let wave = (0..<40).map { Double(($0 * 13) % 17 - 8) / 800 + 0.001 }
        let other = (0..<40).map { Double(($0 * 5) % 11 - 5) / 400 + 0.001 }
        var numbers = RepeatableNumbers(seed: 77)
        switch name {
        case "one asset": return try madePanel([wave])
        case "two assets": return try madePanel([wave, other])
        case "constant":
            return try madePanel([[Double](repeating: 0.001, count: 40), [Double](repeating: 0.002, count: 40)])
        case "one constant": return try madePanel([wave, [Double](repeating: 0.0003, count: 40), other])
        case "perfectly correlated":
            return try madePanel([wave, wave.map { 2 * $0 + 0.001 }, wave, other, other, wave])
        case "perfectly opposed": return try madePanel([wave, wave.map { 0.001 - $0 }])
        case "nearly singular":
            return try madePanel([
                wave, wave.map { $0 + 1e-11 * numbers.next() }, other, other.map { $0 * (1 + 1e-12) },
            ])
        case "fewer periods than assets": return try randomPanel(assets: 30, observations: 12, seed: 1)
        case "as many periods as assets": return try randomPanel(assets: 12, observations: 12, seed: 2)
        case "two periods": return try randomPanel(assets: 3, observations: 2, seed: 3)
        case "tiny": return try randomPanel(assets: 6, observations: 60, seed: 4, scale: 1e-12)
        default: return try madePanel([[Double](repeating: 0, count: 40), wave, [Double](repeating: 0, count: 40)])
        }
    }

    /// A request of the model with all that it needs.
    private func request(_ model: ModelName, _ panel: ReturnPanel) -> OptimizeRequest {
        var request = OptimizeRequest(assets: panel.assets)
        request.model = model
        request.periodsPerYear = 252
        let size = panel.returns.maximumMagnitude
        switch model {
        case .blackLitterman, .blackLittermanFactors, .entropyPooling:
            var views = ViewsRequest()
            let name = model == .blackLittermanFactors ? "F0" : panel.assets[0]
            views.items = [.init(weights: [.init(name, 1)], level: 0.1 * size)]
            request.views = views
        case .worstCase:
            var sets = UncertaintyRequest()
            (sets.mean.samples, sets.covariance.samples) = (60, 60)
            (sets.mean.window, sets.covariance.window) = (2, 2)
            request.uncertainty = sets
        case .benchmarkTracking:
            request.constraints.benchmark = panel.assets.map { .init($0, 1 / Double(panel.assets.count)) }
        case .resampled:
            request.resampling = ResamplingRequest()
            request.resampling?.samples = 5
        default: break
        }
        if [.factorModel, .blackLittermanFactors, .factorRiskParity].contains(model) {
            var numbers = RepeatableNumbers(seed: 78)
            var factors = FactorRequest()
            factors.selection = .none
            factors.panel = InlinePanel(
                kind: .returns, dates: panel.dates, assets: ["F0", "F1"],
                values: (0..<2).map { _ in panel.dates.map { _ in size * numbers.normal() } })
            request.factors = factors
        }
        return request
    }

    private static let typed: Set = [
        "DAT-002", "DAT-004", "OPT-101", "OPT-201", "OPT-202", "OPT-203", "REQ-104", "REQ-105",
    ]

    @Test("every answer is proven and finite, every refusal says why", arguments: cases)
    func answers(one: Case) throws {
        let panel = try panel(one.panel)
        var plain = request(one.model, panel)
        let measures: [RiskMeasureCode] =
            [.classic, .riskParity, .hierarchicalRiskParity, .nearOptimal].contains(one.model)
            ? [.mv, .cvar, .mad, .ulcerIndex] : [.mv]
        for measure in measures {
            for objective in one.model.hasObjective ? ObjectiveName.allCases : [.minimumRisk] {
                plain.riskMeasure = measure
                plain.objective = objective
                let label = "\(measure.rawValue) \(objective.rawValue)"
                var result: OptimizationResult?
                let problem = caught { result = try PortfolioOptimization.run(plain, panel: panel) }
                if let problem {
                    #expect(Self.typed.contains(problem.code), "\(label): \(problem)")
                    #expect(!problem.detail.contains("nan") && !problem.detail.isEmpty, "\(label): \(problem.detail)")
                    continue
                }
                let found = try #require(result, "\(label)")
                #expect(Verification.faults(plain, panel: panel, result: found) == [], "\(label)")
                let figures = found.metrics + found.risk + found.modelFigures
                #expect(figures.allSatisfy { $0.value?.isFinite ?? true }, "\(label)")
                #expect(found.weights.allSatisfy { $0.isFinite }, "\(label)")
                #expect(abs(found.weights.reduce(0, +) - 1) <= 1e-9, "\(label)")
            }
        }
    }
}
