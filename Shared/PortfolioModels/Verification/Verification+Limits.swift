import WireFormat

/// Limits of risk, distance, concentration and shares of the variance, against their definitions.
extension Verification {
    /// Limits of risk, distance and concentration, by definition: what breaks a hard one, and what a soft one costs, up to what rounding of its
    /// terms makes of that.
    static func limits(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ result: OptimizationResult
    ) -> [(fault: String?, penalty: Double, rounding: Double)] {
        let wanted = request.constraints
        var found: [(fault: String?, penalty: Double, rounding: Double)] = []
        func hold(_ name: String, _ value: Double, _ most: Double, perLevel: Double = 1) {
            if let weight = wanted.penalty(of: name) {
                let terms = max(abs(value), abs(most))
                found.append(
                    (nil, weight * max(value - most, 0) / perLevel, weight * 4 * Double.ulpOfOne * terms / perLevel))
            } else if !(value <= most * (1 + 1e-8) + 1e-14) {
                found.append(("\(name) is at \(value), above \(most)", 0, 0))
            }
        }
        guard
            wanted.trackingError != nil || wanted.effectiveAssets != nil || !wanted.riskContribution.isEmpty
                || !wanted.maxRisk.isEmpty
        else { return [] }
        let series = PlainSeries(panel, result.weights)
        let annual = wanted.isAnnual ? result.periodsPerYear.squareRoot() : 1
        if let level = wanted.trackingError {
            var active = series.x
            if let given = wanted.benchmarkReturns?.aligned(to: panel.dates) {
                for t in active.indices { active[t] -= given[t] }
            } else {
                let held = panel.assets.map { asset in wanted.benchmark.last { $0.asset == asset }?.value ?? 0 }
                let benchmark = PlainSeries(panel, held).x
                for t in active.indices { active[t] -= benchmark[t] }
            }
            var squares = 0.0
            for value in active { squares += value * value }
            hold("tracking_error", annual * (squares / Double(max(active.count - 1, 1))).squareRoot(), level)
        }
        if let least = wanted.effectiveAssets {
            var squares = 0.0
            for weight in result.weights { squares += weight * weight }
            hold("effective_assets", squares, 1 / least, perLevel: 1 / (least * least))
        }
        for limit in wanted.riskContribution {
            guard let share = share(of: limit.name, request, panel, result) else { continue }
            let tolerance = 1e-9 * max(1, abs(share))
            if share < (limit.min ?? -.infinity) - tolerance || share > (limit.max ?? .infinity) + tolerance {
                found.append(("\(limit.name) bears the share \(share) of the variance", 0, 0))
            }
        }
        let rate = request.riskFreeRate / result.periodsPerYear
        for limit in wanted.maxRisk {
            let parameters = RiskParameters(request, riskFreeRate: rate)
            guard let measure = RiskMeasures.measure(limit.measure, parameters) else { continue }
            let weighted = result.moments?.scenarioWeights.flatMap {
                WeightedRisk(limit.measure, parameters, probabilities: $0)
            }
            let factor = type(of: measure).degree == 2 ? annual * annual : annual
            let risk =
                limit.measure == .mv
                ? modelled(series, result).deviation : weighted?.value(of: series.x) ?? measure.value(of: series.x)
            hold("max_risk.\(limit.measure.rawValue)", factor * risk, limit.level)
        }
        return found
    }

    /// The share of the variance that an asset or a group bears; nil where there is no variance.
    private static func share(
        of name: String, _ request: OptimizeRequest, _ panel: ReturnPanel, _ result: OptimizationResult
    ) -> Double? {
        let group = request.constraints.groups.first { $0.name == name }?.assets ?? []
        let members = request.assets.contains(name) ? [name] : group
        var part = result.weights
        for i in part.indices where !members.contains(request.assets[i]) { part[i] = 0 }
        var (own, whole) = (0.0, 0.0)
        if let moments = result.moments {
            for i in part.indices {
                for (j, other) in result.weights.enumerated() where other != 0 {
                    own += part[i] * other * moments.covariance(i, j)
                    whole += result.weights[i] * other * moments.covariance(i, j)
                }
            }
        } else {
            let (some, all) = (PlainSeries(panel, part).centred, PlainSeries(panel, result.weights).centred)
            for t in all.indices {
                own += some[t] * all[t]
                whole += all[t] * all[t]
            }
        }
        // What rounding leaves of no variance has no shares.
        let largest = PlainSeries(panel, result.weights).largest
        let count = result.moments == nil ? Double(panel.observations) : 1
        return whole > 1e-26 * largest * largest * count ? own / whole : nil
    }

}
