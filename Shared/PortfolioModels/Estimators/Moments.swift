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

    /// What the engine cannot yet weigh: measures of the series itself under probabilities or scenarios of the model.
    func unsupported(_ request: OptimizeRequest) -> Violation? {
        let readsSeries =
            request.riskMeasure != .mv || request.kelly == .exact
            || request.constraints.maxRisk.contains { $0.measure != .mv }
        guard readsSeries, scenarioWeights != nil || scenarios != nil else { return nil }
        let place =
            scenarios != nil
            ? ["factors", "scenarios"] : request.model == .entropyPooling ? ["model"] : ["scenario_weights"]
        return Violation(
            JSONPointer(place), .other("not_supported_yet"),
            "\(request.riskMeasure.rawValue) under weighted or modelled scenarios is not supported yet; MV is.")
    }
}
