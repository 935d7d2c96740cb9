import LinearAlgebra
import WireFormat

/// A panel of returns in the units of the solver: divided by the median standard deviation of its assets, each scenario with its
/// probability.
struct ScenarioModel: Sendable {
    let panel: ReturnPanel
    /// T probabilities, adding up to one.
    let probabilities: [Double]
    /// Whether somebody gave the probabilities: measures are then those of `WeightedRisk`.
    let isWeighted: Bool
    /// One unit of the solver as a return.
    let unit: Double
    /// T x N, in units.
    let returns: Matrix
    /// T x N, less the mean of each column.
    let centred: Matrix
    /// In units.
    let mean: [Double]

    /// A measure as it is under the model's probabilities.
    func weighted(_ measure: any ConvexRiskMeasure, _ parameters: RiskParameters) -> any ConvexRiskMeasure {
        guard isWeighted,
            let risk = WeightedRisk(type(of: measure).code, parameters, probabilities: probabilities)
        else { return measure }
        return measure.weighted(risk)
    }

    var count: Int { returns.rows }
    var assets: Int { returns.columns }
    /// What turns a probability into the share of a sum of squares with divisor T - 1.
    var unbiased: Double { Double(count) / Double(max(count - 1, 1)) }

    /// - Parameters:
    ///   - mean: expected returns per period, where they are not the sample's.
    ///   - probabilities: nil where all scenarios count the same.
    init(panel: ReturnPanel, mean: [Double]? = nil, probabilities: [Double]? = nil) {
        let (count, assets) = (panel.returns.rows, panel.returns.columns)
        let weights = probabilities ?? [Double](repeating: 1 / Double(count), count: count)
        let sample = panel.returns.transposedMultiplied(by: weights)
        let middle = panel.returns.subtracting(fromColumns: sample)
        let deviations = middle.columnSquares(weights: weights).map { $0.squareRoot() }
        let median = deviations.sorted()[assets / 2]
        let typical = median > 0 ? median : (deviations.max() ?? 0)
        let largest = panel.returns.maximumMagnitude
        let unit = max(typical, 1e-9 * largest) > 0 ? max(typical, 1e-9 * largest) : 1
        self.panel = panel
        self.probabilities = weights
        isWeighted = probabilities != nil
        self.unit = unit
        returns = panel.returns.scaled(by: 1 / unit)
        centred = middle.scaled(by: 1 / unit)
        self.mean = (mean ?? sample).map { $0 / unit }
    }

    /// The model of some of the assets, in the same unit.
    func restricted(to kept: [Int]) -> ScenarioModel { ScenarioModel(self, kept) }

    /// The model of some of the scenarios, with their probabilities as they are; the panel and the means stay those of all.
    func restricted(toScenarios kept: [Int]) -> ScenarioModel { ScenarioModel(self, scenarios: kept) }

    private init(_ whole: ScenarioModel, scenarios kept: [Int]) {
        panel = whole.panel
        probabilities = kept.map { whole.probabilities[$0] }
        isWeighted = whole.isWeighted
        unit = whole.unit
        returns = whole.returns.selecting(rows: kept)
        centred = whole.centred.selecting(rows: kept)
        mean = whole.mean
    }

    private init(_ whole: ScenarioModel, _ kept: [Int]) {
        panel = whole.panel.restricted(to: kept)
        probabilities = whole.probabilities
        isWeighted = whole.isWeighted
        unit = whole.unit
        returns = whole.returns.selecting(columns: kept)
        centred = whole.centred.selecting(columns: kept)
        mean = kept.map { whole.mean[$0] }
    }
}
