import WireFormat

/// What answers of models without a program of mean and risk are held to: read by the models and by verification.
enum AllocationRules {
    /// A constraint that the model cannot keep; nil where it can.
    ///
    /// Linear constraints are kept by all of them (rules move to the nearest allowed weights), convex ones by none.
    static func fault(_ request: OptimizeRequest) -> Violation? {
        let wanted = request.constraints
        let isTracking = request.model == .benchmarkTracking
        let choices = [
            (wanted.cardinality != nil, "cardinality"), (wanted.minPosition != nil, "min_position"),
            (!wanted.mutuallyExclusive.isEmpty, "mutually_exclusive"), (!wanted.join.isEmpty, "join"),
            (wanted.network != nil, "network"), (wanted.clusters != nil, "clusters"),
        ]
        if let first = choices.first(where: { $0.0 }), define(request.model) {
            return Violation(
                JSONPointer(["constraints", first.1]), .contradiction,
                "\(request.model.rawValue) does not choose which assets are held; \(first.1) belongs to models of mean and risk."
            )
        }
        let isComposite = [.riskParity, .worstCase, .fourMoments].contains(request.model)
        if isComposite, wanted.costs == nil, wanted.soft.isEmpty, wanted.riskContribution.isEmpty { return nil }
        if request.model == .factorRiskParity, wanted.isBeyondBudget {
            return Violation(
                JSONPointer(["constraints"]), .contradiction,
                "FactorRiskParity gives the one portfolio whose factors bear their shares; beside the budget it keeps no constraints. RiskParity does."
            )
        }
        let given: [(Bool, String)] = [
            (wanted.trackingError != nil, "tracking_error"), (!wanted.maxRisk.isEmpty, "max_risk"),
            (wanted.effectiveAssets != nil, "effective_assets"), (wanted.costs != nil, "costs"),
            (!wanted.soft.isEmpty, "soft"), (!wanted.riskContribution.isEmpty, "risk_contribution"),
            (!isTracking && !wanted.benchmark.isEmpty, "benchmark"),
            (!isTracking && wanted.benchmarkReturns != nil, "benchmark_returns"),
        ]
        guard let first = given.first(where: { $0.0 }) else { return nil }
        return Violation(
            JSONPointer(["constraints", first.1]), .contradiction,
            "\(request.model.rawValue) keeps bounds, budget and linear constraints; \(first.1) belongs to models that optimise an objective."
        )
    }

    /// The request as its model keeps it: ordered averages go by the code of the best known one, and the default bounds are not those of factor risk parity, whose weights may be short.
    static func held(_ request: OptimizeRequest) -> OptimizeRequest {
        var held = request
        if request.model == .orderedWeightedAverage { held.riskMeasure = .gmd }
        guard request.model == .factorRiskParity else { return held }
        held.constraints.lowerBound = .all(-.infinity)
        held.constraints.upperBound = .all(.infinity)
        return held
    }

    /// The objective that the model optimises; nil where it has none, or one of its own.
    static func objective(of request: OptimizeRequest) -> ObjectiveName? {
        if request.model == .resampled { return request.objective }
        guard request.model == .nestedClusters else { return nil }
        return switch request.clustering?.objective {
        case .minimumRisk?: .minimumRisk
        case .utility?: .utility
        case .sharpe?: .sharpe
        case .equalContributions?: nil
        case nil: request.objective
        }
    }

    /// `objective_value` by its definition: the diversification ratio, the portfolio's correlation sqrt(w'C w), the tracking
    /// error, NCO's objective, and the risk for models without one.
    static func value(
        _ request: OptimizeRequest, panel: ReturnPanel, covariance: (Int, Int) -> Double, weights: [Double],
        reward: Double, risk: Double, riskFreeRate rate: Double
    ) -> Double {
        switch request.model {
        case .maximumDiversification, .maximumDecorrelation:
            var (sum, variance, correlation) = (0.0, 0.0, 0.0)
            let deviation = weights.indices.map { max(covariance($0, $0), 0).squareRoot() }
            for (i, weight) in weights.enumerated() where weight != 0 {
                sum += weight * deviation[i]
                for (j, other) in weights.enumerated() where other != 0 {
                    let product = weight * other * covariance(i, j)
                    variance += product
                    correlation += i == j ? weight * other : product / deviation[i] / deviation[j]
                }
            }
            return request.model == .maximumDiversification
                ? sum / max(variance, 0).squareRoot() : max(correlation, 0).squareRoot()
        case .benchmarkTracking:
            let benchmark = BenchmarkTracking.series(request.constraints, panel) ?? []
            var squares = 0.0
            for (x, b) in zip(PlainSeries(panel, weights).x, benchmark) { squares += (x - b) * (x - b) }
            return (squares / Double(max(panel.observations - 1, 1))).squareRoot()
        case .relaxedRiskParity: return RelaxedRiskParity.value(request, covariance: covariance, weights: weights)
        default: break
        }
        let isVariance = request.riskMeasure == .mv
        return switch objective(of: request) {
        case nil, .minimumRisk?: risk
        case .utility?: reward - request.riskAversion * (isVariance ? risk * risk : risk)
        case .sharpe?: (reward - rate) / risk
        case .maximumReturn?: reward
        }
    }

    /// Whether a model's objective value is defined here.
    static func define(_ model: ModelName) -> Bool {
        switch model {
        case .hierarchicalRiskParity, .hierarchicalEqualRisk, .hierarchicalEqualRisk2, .nestedClusters,
            .schurComplement,
            .equalWeight, .inverseVolatility, .inverseVariance, .maximumDiversification, .maximumDecorrelation,
            .benchmarkTracking, .riskParity, .factorRiskParity, .relaxedRiskParity, .worstCase, .fourMoments,
            .nearOptimal,
            .resampled:
            true
        default: false
        }
    }
}
