public import LinearAlgebra
public import WireFormat

/// What a model knows of the assets before it optimises: per period, in the order of the panel's assets.
public struct Moments: Sendable, Equatable {
    /// N expected returns.
    public var mean: [Double]
    /// N x N, positive semidefinite up to rounding.
    public var covariance: Matrix
    /// T probabilities of the panel's periods, adding up to one; nil is equal ones.
    public var scenarioWeights: [Double]?
    /// T x N returns that stand for the panel's in risk measures; nil is the panel's own.
    public var scenarios: Matrix?
    /// Repairs and degenerate cases.
    public var warnings: [PortfolioWarning]

    /// Moments of equally likely periods of the panel.
    public init(mean: [Double], covariance: Matrix, warnings: [PortfolioWarning] = []) {
        self.mean = mean
        self.covariance = covariance
        self.warnings = warnings
    }

    /// The covariance of two assets, by their places.
    public func covariance(_ i: Int, _ j: Int) -> Double { covariance[i, j] }

    /// The panel with the model's scenarios in place of its returns; nil where the model has none of its own.
    /// - Throws: `DAT-004` where a scenario is not finite.
    func scenarioPanel(_ panel: ReturnPanel) throws(Problem) -> ReturnPanel? {
        guard let scenarios else { return nil }
        return try panel.replacing(returns: scenarios)
    }

    /// Whether mean and covariance are those of so many assets.
    public func fits(_ count: Int) -> Bool {
        mean.count == count && covariance.rows == count && covariance.columns == count
    }

    /// The standard deviation of a portfolio, sqrt(w'Sigma w).
    func deviation(_ weights: [Double]) -> Double {
        max(Vector.dot(weights, covariance.symmetricMultiplied(by: weights)), 0).squareRoot()
    }

    /// Each asset's share of the standard deviation, w_i (Sigma w)_i / sigma; they add up to it.
    func riskContributions(_ weights: [Double]) -> [Double] {
        let slope = covariance.symmetricMultiplied(by: weights)
        let risk = deviation(weights)
        return zip(weights, slope).map { risk > 0 ? $0 * $1 / risk : 0 }
    }

    /// What the engine cannot weigh: ordered averages by rank, extremes where periods are impossible, and mean differences of more pairs than
    /// memory has room for.
    func unsupported(_ request: OptimizeRequest) -> Violation? {
        guard let scenarioWeights else { return nil }
        func refusal(_ place: [String], _ why: String) -> Violation {
            Violation(JSONPointer(place), .contradiction, why)
        }
        if request.model == .orderedWeightedAverage {
            return refusal(
                ["scenario_weights"],
                "An ordered average weighs periods by their rank, not by probabilities of their own.")
        }
        // Formulations by the largest loss and by entropy look at every period, impossible ones included.
        let extremes: Set<RiskMeasureCode> = [
            .worstRealisation, .range, .maximumDrawdown, .evar, .evarRange, .edar, .rlvar, .rlvarRange, .rldar,
        ]
        let isImpossible = scenarioWeights.contains(0)
        let named: [(measure: RiskMeasureCode, place: [String])] =
            [(request.riskMeasure, ["risk_measure"])]
            + request.constraints.maxRisk.map { ($0.measure, ["constraints", "max_risk", $0.measure.rawValue]) }
        for (measure, place) in named where measure != .mv {
            if isImpossible, extremes.contains(measure) {
                return refusal(place, "\(measure.rawValue) needs a probability above zero of every period.")
            }
            if measure == .gmd,
                !GiniMeanDifference.canBeWeighted(periods: scenarioWeights.count, assets: mean.count)
            {
                return Violation(
                    JSONPointer(place), .outOfRange,
                    "GMD under probabilities takes the differences of all pairs of periods: \(scenarioWeights.count) periods of \(mean.count) assets have too many."
                )
            }
        }
        return nil
    }
}
