import RealModule
import WireFormat

/// Return, risk, objective and contributions, against their definitions.
extension Verification {
    /// Return, risk and objective from the return series, by their definitions.
    static func figures(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ series: PlainSeries, _ result: OptimizationResult,
        penalty: Double, penaltyRounding: Double = 0
    ) -> [String] {
        let seen = result.moments?.scenarios == nil ? series : PlainSeries(panel, result.weights)
        let rate = request.riskFreeRate / result.periodsPerYear
        let isMV = request.riskMeasure == .mv
        let parameters = RiskParameters(request, riskFreeRate: rate)
        let (mean, deviation) = modelled(series, result)
        let probabilities = result.moments?.scenarioWeights
        let weighted = probabilities.flatMap { WeightedRisk(request.riskMeasure, parameters, probabilities: $0) }
        let ordered =
            request.model == .orderedWeightedAverage
            ? (try? OrderedCoefficients(request: request, count: series.x.count).make()).map {
                GivenOrderedAverage(coefficients: $0.coefficients).value(of: series.x)
            } : nil
        let measured =
            ordered ?? weighted?.value(of: series.x)
            ?? RiskMeasures.measure(request.riskMeasure, parameters)?.value(of: series.x)
        let risk = isMV ? deviation : measured ?? .nan
        var costs = penalty
        if let wanted = request.constraints.costs {
            for (i, asset) in request.assets.enumerated() {
                let change = abs(result.weights[i] - (wanted.from.last { $0.asset == asset }?.value ?? 0))
                costs += (wanted.linear?.value(of: asset) ?? 0) * change / wanted.horizon
                costs += (wanted.impact?.value(of: asset) ?? 0) * change * change.squareRoot() / wanted.horizon
            }
        }
        var reward = mean
        switch request.kelly {
        case .none: break
        case .approx: reward -= 0.5 * deviation * deviation
        case .exact:
            let equal = 1 / Double(series.x.count)
            reward = 0
            for (t, x) in series.x.enumerated() { reward += (probabilities?[t] ?? equal) * LogarithmicGrowth.of(x) }
        }
        var objective: Double =
            switch request.objective {
            case .minimumRisk: risk + costs
            case .maximumReturn: reward - costs
            case .utility: reward - costs - request.riskAversion * (isMV ? risk * risk : risk)
            case .sharpe: (reward - costs - rate) / risk
            }
        if AllocationRules.define(request.model) {
            var sample: PlainCovariance?
            func covariance(_ i: Int, _ j: Int) -> Double {
                if let moments = result.moments { return moments.covariance(i, j) }
                let plain = sample ?? PlainCovariance(panel)
                sample = plain
                return plain.value(i, j)
            }
            objective = AllocationRules.value(
                request, panel: panel, covariance: { covariance($0, $1) },
                weights: result.weights, reward: reward, risk: risk, riskFreeRate: rate)
        }
        if let own = result.proof?.objective(request, panel: panel, result: result) { objective = own }
        var faults: [String] = []
        func compare(_ name: String, _ reported: Double, _ own: Double, _ size: Double, floor: Double = 0) {
            if abs(reported * reported - own * own) <= floor * floor { return }
            if !(abs(reported - own) <= 1e-9 * max(abs(own), size)) {
                faults.append("\(name) is \(reported), its definition gives \(own)")
            }
        }
        let unit = max(series.largest, .leastNormalMagnitude)
        compare("expected_return", result.solution.expectedReturn, mean, 1e-3 * unit)
        // Two ways to a variance differ by rounding of its terms, which the root of a small one magnifies.
        let floor = isMV ? noise(series, result) : 0
        compare("risk", result.solution.risk, risk, 1e-6 * unit, floor: floor)
        let isRatio =
            request.objective == .sharpe || request.model == .maximumDiversification
            || request.model == .maximumDecorrelation
        let rounding = 1e9 * penaltyRounding / (isRatio ? max(risk, .leastNormalMagnitude) : 1)
        let size = max(isRatio ? 1e-6 : 1e-3 * unit, rounding)
        // The root of w'C w loses as much of a correlation matrix, whose terms are of size one.
        let rootFloor: Double =
            switch (request.model, request.objective) {
            case (.maximumDecorrelation, _): OptimalityBound.noise(assets: result.weights.count)
            case (_, .minimumRisk): floor
            default: 0
            }
        // Costs are beside the risk whose rounding is meant.
        let beside = request.objective == .minimumRisk ? costs : 0
        compare(
            "objective_value", result.solution.objectiveValue - beside, objective - beside, max(size, abs(beside)),
            floor: rootFloor)
        func annual(_ name: String) -> Double? { result.metrics.first { $0.name == name }?.value }
        let yearly =
            request.convention == .pypfopt ? compounded(panel, result) : seen.mean * result.periodsPerYear
        // Growth beyond all numbers is no figure.
        if yearly.isFinite || annual("expected_return") != nil {
            compare("metrics.expected_return", annual("expected_return") ?? .nan, yearly, unit)
        }
        compare(
            "metrics.volatility", annual("volatility") ?? .nan, seen.deviation * result.periodsPerYear.squareRoot(),
            unit)
        return faults
    }

    /// Each asset's compound return a year, weighted.
    private static func compounded(_ panel: ReturnPanel, _ result: OptimizationResult) -> Double {
        var sum = 0.0
        for (asset, weight) in result.weights.enumerated() where weight != 0 {
            var growth = 1.0
            for value in panel.column(asset) { growth *= 1 + value }
            let power = result.periodsPerYear / Double(panel.observations)
            sum += weight * (growth > 0 ? Double.pow(growth, power) - 1 : -1)
        }
        return sum
    }

    /// Mean and standard deviation in the model's eyes: of the series, or of the moments that take the sample's place.
    static func modelled(
        _ series: PlainSeries, _ result: OptimizationResult
    ) -> (mean: Double, deviation: Double) {
        guard let moments = result.moments else { return (series.mean, series.deviation) }
        var mean = 0.0
        var variance = 0.0
        for (i, weight) in result.weights.enumerated() where weight != 0 {
            mean += weight * moments.mean[i]
            for (j, other) in result.weights.enumerated() { variance += weight * other * moments.covariance(i, j) }
        }
        return (mean, max(variance, 0).squareRoot())
    }

    /// Below this a standard deviation cannot be told from zero: the root of what rounding leaves of a variance of N terms.
    private static func noise(_ series: PlainSeries, _ result: OptimizationResult) -> Double {
        var size = series.largest
        if let moments = result.moments {
            for i in result.weights.indices { size = max(size, max(moments.covariance(i, i), 0).squareRoot()) }
        }
        return OptimalityBound.noise(assets: result.weights.count) * size
    }

    static func contributions(
        _ request: OptimizeRequest, _ series: PlainSeries, _ result: OptimizationResult
    ) -> [String] {
        // Weights times slopes add up to the risk where it grows with the weights: a compounded drawdown does not.
        let measure = RiskMeasures.all.first { $0.code == request.riskMeasure }
        guard measure.map({ $0.degree != nil }) ?? true else { return [] }
        let rounding = 1e-10 * series.largest
        let floor = noise(series, result)
        let sum = result.riskContributions.reduce(0, +)
        if abs(sum * sum - result.solution.risk * result.solution.risk) <= floor * floor { return [] }
        let size = result.riskContributions.reduce(0) { $0 + abs($1) }
        guard !(abs(sum - result.solution.risk) <= 1e-9 * max(size, result.solution.risk) + rounding) else { return [] }
        return ["the risk contributions add up to \(sum), the risk is \(result.solution.risk)"]
    }

}
