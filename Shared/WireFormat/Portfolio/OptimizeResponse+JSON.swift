extension OptimizeResponse {
    /// The body of the answer, the specification's members first.
    public var json: JSONValue {
        var object = result.objectValue ?? JSONObject()
        object["meta"] = meta.json
        return .object(object)
    }

    /// The answer without `meta` of the single call: what is stored and what the ETag is of.
    public var result: JSONValue {
        var object = JSONObject([
            ("portfolio_id", JSONValue(portfolioID)),
            ("timestamp", .string(timestamp.isoString)),
            ("weights", byAsset(weights)),
            ("metrics", Self.figures(metrics)),
            ("efficient_frontier", .array((efficientFrontier ?? []).map { point($0) })),
            ("solution", solution.json),
            ("risk", Self.figures(risk)),
            ("risk_contributions", byAsset(riskContributions)),
            ("data", data.json),
            ("warnings", .array(warnings.map { $0.json })),
        ])
        if !modelFigures.isEmpty {
            // Of factors, named by the caller.
            object["model_figures"] = .object(JSONObject(modelFigures.map { ($0.name, JSONValue($0.value)) }))
        }
        if !weightBands.isEmpty {
            object["weight_bands"] = .object(
                JSONObject(
                    zip(assets, weightBands).map {
                        ($0, ["low": JSONValue($1.low), "median": JSONValue($1.median), "high": JSONValue($1.high)])
                    }))
        }
        return .object(object)
    }

    private func byAsset(_ values: [Double]) -> JSONValue {
        .object(.distinct(zip(assets, values).map { ($0, JSONValue($1)) }))
    }

    /// Metrics and risks, which are ours to name.
    private static func figures(_ figures: [Figure]) -> JSONValue {
        .object(.distinct(figures.map { ($0.name, JSONValue($0.value)) }))
    }

    private func point(_ point: FrontierPoint) -> JSONValue {
        var object = JSONObject([("risk", JSONValue(point.risk)), ("return", JSONValue(point.expectedReturn))])
        if let weights = point.weights { object["weights"] = byAsset(weights) }
        return .object(object)
    }
}

extension OptimizeResponse.Solution {
    var json: JSONValue {
        [
            "status": .string(status),
            "objective_value": JSONValue(objectiveValue),
            "expected_return": JSONValue(expectedReturn),
            "risk": JSONValue(risk),
            "primal_residual": JSONValue(primalResidual),
            "dual_residual": JSONValue(dualResidual),
            "duality_gap": JSONValue(dualityGap),
            "iterations": JSONValue(iterations),
            "method": .string(method),
            "binding": .array(
                binding.map { ["constraint": .string($0.constraint), "dual": JSONValue($0.dual)] }),
        ]
    }
}

extension OptimizeResponse.DataUsed {
    var json: JSONValue {
        [
            "start": .string(start.description),
            "end": .string(end.description),
            "observations": JSONValue(observations),
            "assets": JSONValue(assets),
            "revision": revision.map { JSONValue(Int($0)) } ?? .null,
            "fingerprint": .string(fingerprint),
            "missing": missing.json,
        ]
    }
}

extension OptimizeResponse.MissingReport {
    /// The object `data.missing`.
    var json: JSONValue {
        func counts(_ list: [(asset: String, count: Int)]) -> JSONValue {
            .object(JSONObject(list.map { ($0.asset, JSONValue($0.count)) }))
        }
        var object = JSONObject([
            ("policy", .string(policy.rawValue)), ("dropped_dates", JSONValue(droppedDates)),
            ("by_asset", counts(missingByAsset)),
        ])
        if policy == .forwardFill { object["filled_by_asset"] = counts(filledByAsset) }
        return .object(object)
    }
}

extension OptimizeResponse.Meta {
    var json: JSONValue {
        [
            "version": .string(version),
            "engine": .string(engine),
            "solve_ms": JSONValue(solveMilliseconds),
            "total_ms": JSONValue(totalMilliseconds),
            "cached": .bool(cached),
            "request_id": JSONValue(requestID),
            "periods_per_year": JSONValue(periodsPerYear),
            "convention": .string(convention.rawValue),
        ]
    }
}
