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

    /// What the engine cannot weigh: scenarios of a model, the measures that have no weighted form, and limits of risk.
    func unsupported(_ request: OptimizeRequest) -> Violation? {
        let measures = [request.riskMeasure].filter { $0 != .mv }
        let limits = request.constraints.maxRisk.map { $0.measure }.filter { $0 != .mv }
        func refusal(_ place: [String], _ what: String) -> Violation {
            Violation(JSONPointer(place), .other("not_supported_yet"), "\(what) is not supported yet; MV is.")
        }
        if scenarios != nil, !measures.isEmpty || !limits.isEmpty || request.kelly == .exact {
            return refusal(["factors", "scenarios"], "A measure of the model's scenarios")
        }
        guard let scenarioWeights else { return nil }
        if let limit = limits.first {
            return refusal(
                ["constraints", "max_risk", limit.rawValue], "A limit of \(limit.rawValue) under probabilities")
        }
        // Formulations by the largest loss and by entropy look at every period, impossible ones included.
        let extremes: Set<RiskMeasureCode> = [
            .worstRealisation, .range, .maximumDrawdown, .evar, .evarRange, .edar,
        ]
        let isImpossible = extremes.contains(request.riskMeasure) && scenarioWeights.contains(0)
        for measure in measures where !WeightedRisk.codes.contains(measure) || isImpossible {
            return refusal(["risk_measure"], "\(measure.rawValue) under these probabilities")
        }
        return nil
    }
}
