import ConvexSolver
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
    /// In units.
    let mean: [Double]
    /// The sample's means, in units: what `centred` is less.
    let centre: [Double]
    /// T x N, as they are: the panel's, or those of a part of its periods. No copy in units is held, which would be as large as the panel.
    private let source: Matrix

    /// T x N, in units; made anew each time.
    var returns: Matrix { source.scaled(by: 1 / unit) }
    /// T x N, in units, less the mean of each column; made anew each time.
    var centred: Matrix { source.scaled(by: 1 / unit, less: centre) }

    /// Rows `times x returns`, in units.
    func rows(
        _ times: Double, _ columns: [Int], borders: [RowMap.Border] = [], offset: [Double]? = nil
    ) -> RowMap {
        RowMap(source, columns: columns, factor: times / unit, borders: borders, offset: offset)
    }

    /// A portfolio's returns, in units.
    func series(_ weights: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: source.rows)
        source.gemv(weights, scale: 1 / unit, into: &result)
        return result
    }

    /// An asset's, in units.
    func column(_ asset: Int) -> [Double] { source.column(asset).map { $0 / unit } }

    /// A measure as it is under the model's probabilities.
    func weighted(_ measure: any ConvexRiskMeasure, _ parameters: RiskParameters) -> any ConvexRiskMeasure {
        guard isWeighted,
            let risk = WeightedRisk(type(of: measure).code, parameters, probabilities: probabilities)
        else { return measure }
        return measure.weighted(risk)
    }

    var count: Int { probabilities.count }
    var assets: Int { mean.count }
    /// What turns a probability into the share of a sum of squares with divisor T - 1.
    var unbiased: Double { Double(count) / Double(max(count - 1, 1)) }

    /// - Parameters:
    ///   - mean: expected returns per period, where they are not the sample's.
    ///   - probabilities: nil where all scenarios count the same.
    init(panel: ReturnPanel, mean: [Double]? = nil, probabilities: [Double]? = nil) {
        let (count, assets) = (panel.returns.rows, panel.returns.columns)
        let weights = probabilities ?? [Double](repeating: 1 / Double(count), count: count)
        let sample = panel.returns.transposedMultiplied(by: weights)
        let deviations = panel.returns.columnSquares(weights: weights, less: sample).map { $0.squareRoot() }
        let median = deviations.sorted()[assets / 2]
        let typical = median > 0 ? median : (deviations.max() ?? 0)
        let largest = panel.returns.maximumMagnitude
        let unit = max(typical, 1e-9 * largest) > 0 ? max(typical, 1e-9 * largest) : 1
        self.panel = panel
        self.probabilities = weights
        isWeighted = probabilities != nil
        self.unit = unit
        source = panel.returns
        centre = sample.map { $0 / unit }
        self.mean = (mean ?? sample).map { $0 / unit }
    }

    /// The model of some of the assets, in the same unit.
    func restricted(to kept: [Int]) -> ScenarioModel {
        let panel = panel.restricted(to: kept)
        return ScenarioModel(
            self, panel: panel, probabilities: probabilities, source: panel.returns,
            mean: kept.map { mean[$0] }, centre: kept.map { centre[$0] })
    }

    /// The model of some of the scenarios, with their probabilities as they are; the panel and the means stay those of all.
    func restricted(toScenarios kept: [Int]) -> ScenarioModel {
        ScenarioModel(
            self, panel: panel, probabilities: kept.map { probabilities[$0] },
            source: source.selecting(rows: kept), mean: mean, centre: centre)
    }

    /// The model whose periods end at some of this one's, each with the returns since the one before and its own probability; what comes
    /// after the last is left out.
    /// - Parameter ends: ascending.
    func joined(endingAt ends: [Int]) -> ScenarioModel {
        ScenarioModel(
            self, panel: panel, probabilities: ends.map { probabilities[$0] },
            source: source.summed(upTo: ends), mean: mean, centre: centre)
    }

    private init(
        _ whole: ScenarioModel, panel: ReturnPanel, probabilities: [Double], source: Matrix, mean: [Double],
        centre: [Double]
    ) {
        self.panel = panel
        self.probabilities = probabilities
        isWeighted = whole.isWeighted
        unit = whole.unit
        self.source = source
        self.mean = mean
        self.centre = centre
    }
}
