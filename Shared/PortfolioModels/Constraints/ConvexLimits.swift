import LinearAlgebra
import WireFormat

/// The members of `constraints` that limit convex functions of the weights.
struct ConvexLimits {
    let request: ConstraintRequest
    let panel: ReturnPanel
    let parameters: RiskParameters
    /// Of the model, where it is not the sample's; for limits of MV.
    var covariance: Matrix?
    let periodsPerYear: Double
    /// Of the periods, where they are not equally likely.
    var probabilities: [Double]?

    /// - Throws: `REQ-104` where a benchmark does not fit the panel.
    func named() throws(Problem) -> [NamedConstraint] {
        try trackingError() + risks() + concentration()
    }

    private func place(_ tokens: String...) -> JSONPointer { JSONPointer(["constraints"] + tokens) }

    private func trackingError() throws(Problem) -> [NamedConstraint] {
        guard let level = request.trackingError else { return [] }
        let factor = request.isAnnual ? 1 / periodsPerYear.squareRoot() : 1
        let function: ConvexLimit.Function
        let series: [Double]
        if let given = request.benchmarkReturns {
            guard let aligned = given.aligned(to: panel.dates) else {
                throw Problem(
                    place("benchmark_returns"), .other("length_mismatch"),
                    "The benchmark's returns do not cover the \(panel.observations) periods of the panel.")
            }
            series = aligned
            function = .distanceFromSeries(aligned)
        } else {
            let weights = panel.assets.map { asset in request.benchmark.last { $0.asset == asset }?.value ?? 0 }
            series = panel.portfolioReturns(weights)
            function = .distance(from: weights)
        }
        let panel = panel
        let limit = ConvexLimit(function: function, most: level * factor, perLevel: factor) { weights in
            let x = panel.portfolioReturns(weights)
            var sum = 0.0
            for t in x.indices { sum += (x[t] - series[t]) * (x[t] - series[t]) }
            return (sum / Double(max(x.count - 1, 1))).squareRoot()
        }
        return [
            NamedConstraint(
                name: "tracking_error", pointer: place("tracking_error"), kind: .convex(limit), level: level,
                isStructural: false)
        ]
    }

    private func risks() -> [NamedConstraint] {
        request.maxRisk.compactMap { wanted in
            guard let measure = RiskMeasures.measure(wanted.measure, parameters) else { return nil }
            let weighted = probabilities.flatMap { WeightedRisk(wanted.measure, parameters, probabilities: $0) }
            // Annual levels are those of deviations; measures of degree two go with the number of periods itself.
            let periods = type(of: measure).degree == 2 ? periodsPerYear : periodsPerYear.squareRoot()
            let factor = request.isAnnual ? 1 / periods : 1
            let (panel, covariance) = (panel, wanted.measure == .mv ? covariance : nil)
            let limit = ConvexLimit(
                function: .risk(wanted.measure), most: wanted.level * factor, perLevel: factor
            ) { weights in
                guard let covariance else {
                    let x = panel.portfolioReturns(weights)
                    return weighted?.value(of: x) ?? measure.value(of: x)
                }
                return max(Vector.dot(weights, covariance.symmetricMultiplied(by: weights)), 0).squareRoot()
            }
            return NamedConstraint(
                name: "max_risk.\(wanted.measure.rawValue)", pointer: place("max_risk", wanted.measure.rawValue),
                kind: .convex(limit), level: wanted.level, isStructural: false)
        }
    }

    private func concentration() -> [NamedConstraint] {
        guard let least = request.effectiveAssets else { return [] }
        let limit = ConvexLimit(function: .concentration, most: 1 / least, perLevel: -1 / (least * least)) {
            $0.reduce(0) { $0 + $1 * $1 }
        }
        return [
            NamedConstraint(
                name: "effective_assets", pointer: place("effective_assets"), kind: .convex(limit), level: least,
                isStructural: false)
        ]
    }
}
