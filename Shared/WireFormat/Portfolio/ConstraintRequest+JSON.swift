extension ConstraintRequest {
    /// The canonical form: fixed order, defaults left out, names sorted.
    var json: JSONValue {
        var object = JSONObject()
        if let lowerBound { object["lower_bound"] = lowerBound.json }
        if let upperBound { object["upper_bound"] = upperBound.json }
        if !groups.isEmpty {
            let sorted = groups.sorted { $0.name < $1.name }
            object["groups"] = .object(JSONObject(sorted.map { ($0.name, JSONValue($0.assets.sorted())) }))
        }
        if !groupLimits.isEmpty {
            let sorted = groupLimits.sorted { $0.group < $1.group }
            object["group_constraints"] = .object(JSONObject(sorted.map { ($0.group, limits($0.min, $0.max)) }))
        }
        if !linear.isEmpty {
            object["linear"] = .array(
                linear.map { row in
                    var inner = JSONObject()
                    if let name = row.name { inner["name"] = .string(name) }
                    inner["coefficients"] = row.coefficients.json
                    if let min = row.min { inner["min"] = JSONValue(min) }
                    if let max = row.max { inner["max"] = JSONValue(max) }
                    return .object(inner)
                })
        }
        if budget != Budget(min: 1, max: 1) {
            object["budget"] = budget.min == budget.max ? JSONValue(budget.min) : limits(budget.min, budget.max)
        }
        if let short { object["short"] = JSONValue(short) }
        if let gross { object["gross"] = JSONValue(gross) }
        if let turnover {
            var inner = JSONObject([("from", turnover.from.json)])
            if let perAsset = turnover.perAsset { inner["per_asset"] = JSONValue(perAsset) }
            if let total = turnover.total { inner["total"] = JSONValue(total) }
            object["turnover"] = .object(inner)
        }
        if !benchmark.isEmpty { object["benchmark"] = benchmark.json }
        if let benchmarkReturns { object["benchmark_returns"] = benchmarkReturns.json }
        if let trackingError { object["tracking_error"] = JSONValue(trackingError) }
        if let minReturn { object["min_return"] = JSONValue(minReturn) }
        if !maxRisk.isEmpty {
            let sorted = maxRisk.sorted { $0.measure.rawValue < $1.measure.rawValue }
            object["max_risk"] = .object(JSONObject(sorted.map { ($0.measure.rawValue, JSONValue($0.level)) }))
        }
        if let cardinality { object["cardinality"] = cardinality.json }
        if let minPosition { object["min_position"] = JSONValue(minPosition) }
        for (name, pairs) in [("mutually_exclusive", mutuallyExclusive), ("join", join)] where !pairs.isEmpty {
            object[name] = .array(pairs.map { JSONValue([$0.first, $0.second]) })
        }
        if let network { object["network"] = network.json }
        if let clusters { object["clusters"] = clusters.json }
        if let centrality { object["centrality"] = centrality.json }
        if let effectiveAssets { object["effective_assets"] = JSONValue(effectiveAssets) }
        for (name, list) in [("factor_exposure", factorExposure), ("risk_contribution", riskContribution)]
        where !list.isEmpty {
            let sorted = list.sorted { $0.name < $1.name }
            object[name] = .object(JSONObject(sorted.map { ($0.name, limits($0.min, $0.max)) }))
        }
        if let costs { object["costs"] = costs.json }
        if !soft.isEmpty {
            let sorted = soft.sorted { $0.constraint < $1.constraint }
            object["soft"] = .object(JSONObject(sorted.map { ($0.constraint, JSONValue($0.weight)) }))
        }
        if isAnnual { object["units"] = "annual" }
        return .object(object)
    }

    private func limits(_ min: Double?, _ max: Double?) -> JSONValue {
        var inner = JSONObject()
        if let min { inner["min"] = JSONValue(min) }
        if let max { inner["max"] = JSONValue(max) }
        return .object(inner)
    }
}

extension ConstraintRequest.Bound {
    var json: JSONValue {
        switch self {
        case .all(let value): JSONValue(value)
        case .byAsset(let values): values.json
        }
    }
}

extension [ConstraintRequest.AssetValue] {
    /// `{"AAPL": 0.1}`, sorted by asset.
    var json: JSONValue {
        .object(JSONObject(sorted { $0.asset < $1.asset }.map { ($0.asset, JSONValue($0.value)) }))
    }
}

extension ConstraintRequest.BenchmarkReturns {
    var json: JSONValue {
        guard let dates else { return JSONValue(values) }
        return ["dates": JSONValue(dates.map { $0.description }), "values": JSONValue(values)]
    }
}

extension ConstraintRequest.Cardinality {
    var json: JSONValue {
        if groups.isEmpty { return JSONValue(max) }
        var object = JSONObject()
        if let max { object["max"] = JSONValue(max) }
        let sorted = groups.sorted { $0.group < $1.group }
        object["groups"] = .object(JSONObject(sorted.map { ($0.group, JSONValue($0.max)) }))
        return .object(object)
    }
}

extension ConstraintRequest.Costs {
    var json: JSONValue {
        var object = JSONObject([("from", from.json)])
        if let linear { object["linear"] = linear.json }
        if let impact { object["impact"] = impact.json }
        if horizon != 1 { object["horizon"] = JSONValue(horizon) }
        return .object(object)
    }
}
