import WireFormat

/// A bound on what any allowed portfolio could gain over the answer, from the answer's own prices.
///
/// The objective is concave in its improving direction (for the ratio: the excess return less S times the risk, S the ratio
/// found), so its linearisation d at w bounds the gain of every allowed v by d'(v - w). With any prices p >= 0 of the rows,
/// ```
/// max_v d'v  <=  sum_rows p h + sum_i max_{low_i <= v_i <= high_i} ( (d - sum p a)_i v_i - hinge prices )
/// ```
/// whose right-hand side is a sum of one-dimensional piecewise linear maxima. Wrong prices only make the bound larger: no
/// trust in the solver is needed. This is the gap of Frank and Wolfe with the linear program replaced by its dual.
///
/// Source: M. Frank, P. Wolfe (1956), An Algorithm for Quadratic Programming, Naval Research Logistics 3.
struct OptimalityBound {
    /// The largest possible gain relative to the objective's terms.
    let relativeGap: Double

    init(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult, rules: RequestRules) {
        let w = result.weights
        let series = PlainSeries(panel, w)
        let rate = request.riskFreeRate / result.periodsPerYear
        var (mean, deviation) = (series.mean, series.deviation)
        // Means and d risk / d w of every asset, by plain sums.
        var means = [Double](repeating: 0, count: w.count)
        var slopes = [Double](repeating: 0, count: w.count)
        var typical = 0.0
        for asset in w.indices {
            var sum = 0.0
            var cross = 0.0
            var square = 0.0
            for (t, value) in panel.column(asset).enumerated() {
                sum += value
                cross += value * series.centred[t]
                square += value * value
            }
            means[asset] = sum / Double(panel.observations)
            slopes[asset] = cross / Double(max(panel.observations - 1, 1))
            typical = max(typical, (square / Double(panel.observations)).squareRoot())
        }
        if let moments = result.moments {
            (means, mean, typical) = (moments.mean, 0, 0)
            var variance = 0.0
            for i in w.indices {
                slopes[i] = 0
                for j in w.indices { slopes[i] += moments.covariance(i, j) * w[j] }
                mean += w[i] * means[i]
                variance += w[i] * slopes[i]
                typical = max(typical, (max(moments.covariance(i, i), 0) + means[i] * means[i]).squareRoot())
            }
            deviation = max(variance, 0).squareRoot()
        }
        // slopes are those of variance / 2; the prices are those of the reported objective.
        let direction: [Double]
        let factor: Double
        let size: Double
        switch request.objective {
        case .minimumRisk:
            // In variance / 2: prices of the deviation times the deviation. A relative gap of the variance is twice that of
            // the deviation.
            direction = slopes.map { -$0 }
            factor = deviation
            size = max(deviation * deviation, 1e-5 * typical * typical)
        case .utility:
            direction = zip(means, slopes).map { $0 - 2 * request.riskAversion * $1 }
            factor = 1
            size = max(abs(mean) + request.riskAversion * deviation * deviation, 1e-6 * typical)
        case .maximumReturn:
            direction = means
            factor = 1
            size = max(abs(mean), 1e-6 * typical)
        case .sharpe:
            let ratio = (mean - rate) / deviation
            direction = zip(means, slopes).map { $0 - ratio * $1 / deviation }
            factor = deviation
            size = max(abs(mean - rate), 1e-9 * typical)
        }
        let prices = Dictionary(
            result.prices.map { ($0.constraint, $0.dual * factor) }, uniquingKeysWith: { first, _ in first })
        let bound = Self.bound(direction, rules, prices)
        var now = 0.0
        for i in w.indices { now += direction[i] * w[i] }
        // The linearised ratio stands at the rate rather than at zero, the deviation's at its own value: both are d'w.
        // A variance cannot fall below zero, whatever the prices fail to prove.
        let most = request.objective == .minimumRisk ? deviation * deviation / 2 : .infinity
        relativeGap = min(bound - now, most) / max(size, .leastNormalMagnitude)
    }

    private static func bound(_ direction: [Double], _ rules: RequestRules, _ prices: [String: Double]) -> Double {
        var rest = direction
        var total = 0.0
        var hinges: [(reference: [Double], price: Double)] = []
        for rule in rules.rules {
            guard let price = prices[rule.name], price != 0 else { continue }
            // + p for an upper limit, - p for a lower one; an equality takes the price's sign.
            let isLower = rule.high == .infinity
            let isEqual = rule.low == rule.high
            if !isEqual, price < 0 { return .infinity }
            let signed = isLower ? -price : price
            total += signed * (isLower ? rule.low : rule.high)
            for i in rest.indices { rest[i] -= signed * rule.coefficients[i] }
            if let reference = rule.reference { hinges.append((reference, price * rule.hingeWeight)) }
        }
        for i in rest.indices {
            // Concave and piecewise linear in v_i: its maximum is at a bound or at a kink.
            var candidates = [rules.low[i], rules.high[i]]
            for hinge in hinges where hinge.reference[i] > rules.low[i] && hinge.reference[i] < rules.high[i] {
                candidates.append(hinge.reference[i])
            }
            let best = candidates.map { v in
                hinges.reduce(rest[i] * v) { $0 - $1.price * max($1.reference[i] - v, 0) }
            }.max()
            total += best ?? 0
        }
        return total
    }
}
