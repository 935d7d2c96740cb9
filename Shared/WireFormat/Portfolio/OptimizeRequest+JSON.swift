extension OptimizeRequest {
    /// The canonical form: fixed order, defaults left out, names of maps sorted. Decodes to an equal request.
    public var json: JSONValue {
        var object = JSONObject()
        object["assets"] = JSONValue(assets)
        if let panel { object[panel.kind.rawValue] = panel.json }
        if let startDate { object["start_date"] = .string(startDate.description) }
        if let endDate { object["end_date"] = .string(endDate.description) }
        object["model"] = .string(model.rawValue)
        // An ordered average has coefficients in place of a measure.
        if model != .orderedWeightedAverage {
            object["risk_measure"] = .string(hierarchicalRisk?.rawValue ?? riskMeasure.rawValue)
        }
        if hasUnusedObjective || model.hasObjective { object["objective"] = .string(objective.rawValue) }
        if kelly != .none { object["kelly"] = .string(kelly.rawValue) }
        put(riskFreeRate, "risk_free_rate", unless: 0, in: &object)
        put(riskAversion, "risk_aversion", unless: 2, in: &object)
        put(alpha, "alpha", unless: 0.05, in: &object)
        if let beta { object["beta"] = JSONValue(beta) }
        if levels != 100 { object["a_sim"] = JSONValue(levels) }
        if let gainLevels { object["b_sim"] = JSONValue(gainLevels) }
        put(kappa, "kappa", unless: 0.3, in: &object)
        if let kappaGain { object["kappa_gain"] = JSONValue(kappaGain) }
        put(power, "power", unless: 2, in: &object)
        if let target { object["target"] = JSONValue(target) }
        putModelParameters(in: &object)
        let limits = constraints.json
        if limits.objectValue?.isEmpty == false { object["constraints"] = limits }
        if let frontier {
            object["efficient_frontier"] =
                frontier.turningPoints
                ? ["turning_points": true, "weights": .bool(frontier.withWeights)]
                : [
                    "points": JSONValue(frontier.points), "by": .string(frontier.axis.rawValue),
                    "weights": .bool(frontier.withWeights),
                ]
        }
        if let periodsPerYear { object["periods_per_year"] = JSONValue(periodsPerYear) }
        if let calendar { object["calendar"] = .string(calendar.rawValue) }
        if missing != .drop { object["missing"] = .string(missing.rawValue) }
        if convention != .riskfolio { object["convention"] = .string(convention.rawValue) }
        if let name { object["name"] = .string(name) }
        if let portfolioID { object["portfolio_id"] = .string(portfolioID) }
        if !store { object["store"] = false }
        if let recalculation {
            var inner = JSONObject([("enabled", .bool(recalculation.enabled))])
            if let quiet = recalculation.quietMilliseconds { inner["quiet_ms"] = JSONValue(quiet) }
            if let longest = recalculation.maximumWaitMilliseconds { inner["max_wait_ms"] = JSONValue(longest) }
            object["recalculation"] = .object(inner)
        }
        return .object(object)
    }

    private func putModelParameters(in object: inout JSONObject) {
        if meanEstimator != MeanEstimatorRequest() { object["mean_estimator"] = meanEstimator.json }
        if covarianceEstimator != CovarianceEstimatorRequest() {
            object["covariance_estimator"] = covarianceEstimator.json
        }
        if let views { object["views"] = views.json }
        if let factors { object["factors"] = factors.json }
        if let riskBudget { object["risk_budget"] = riskBudget.json }
        if let relaxation {
            object["relaxation"] = [
                "version": .string(relaxation.version.rawValue), "lambda": JSONValue(relaxation.lambda),
            ]
        }
        if let uncertainty { object["uncertainty"] = uncertainty.json }
        if let clustering { object["clustering"] = clustering.json }
        if let owaWeights { object["owa_weights"] = owaWeights.json }
        if let scenarioWeights { object["scenario_weights"] = scenarioWeights.json }
        if let nearOptimal { object["near_optimal"] = nearOptimal.json }
        if let resampling { object["resampling"] = resampling.json }
        if let momentAversion {
            object["moment_aversion"] = [
                "variance": JSONValue(momentAversion.variance), "skewness": JSONValue(momentAversion.skewness),
                "kurtosis": JSONValue(momentAversion.kurtosis),
            ]
        }
    }

    private func put(_ value: Double, _ name: String, unless standard: Double, in object: inout JSONObject) {
        if value != standard { object[name] = JSONValue(value == 0 ? 0 : value) }
    }
}
