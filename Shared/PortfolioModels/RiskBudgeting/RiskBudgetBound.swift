import LinearAlgebra
import WireFormat

/// How far weights can be from the ones that share the risk out best, from a minorant of the risk and prices of the constraints.
///
/// Let g be a slope with `rho(v) >= g'v` for all v, touching at w. Each allowed v has
/// ```
/// ln rho(v) - sum b ln v - (ln rho(w) - sum b ln w)  >=  ln( g'v / rho(w) ) - ln( sum b v/w ),
/// ```
/// so with `d = b/w - g/rho` and `d'v <= e + m sum b v/w` for all allowed v the weights are within e + m of the least value. Prices of
/// rows take their share of d; what is left of it at weights between their bounds is the relative error m of a contribution, at
/// weights on a bound its price. Wrong prices or slopes only make the bound larger: no trust in a solver is needed.
struct RiskBudgetBound {
    let gap: Double

    /// - Parameters:
    ///   - request: with a budget that is one number.
    ///   - mean: the model's, where it is not the sample's.
    ///   - slope: g, per unit of weight.
    ///   - risk: rho(w).
    ///   - prices: by name, in units of ln rho per unit of the caller's level.
    init(
        _ request: OptimizeRequest, panel: ReturnPanel, mean: [Double]?, weights: [Double], budgets: [Double],
        slope: [Double], risk: Double, prices: [OptimizeResponse.Binding], limits: LimitMinorants?,
        periodsPerYear: Double
    ) {
        guard risk > 0, weights.allSatisfy({ $0 > 0 }) else {
            gap = .infinity
            return
        }
        let rules = RequestRules(request, panel: panel, mean: mean, periodsPerYear: periodsPerYear)
        let named = Dictionary(prices.map { ($0.constraint, $0.dual) }, uniquingKeysWith: { first, _ in first })
        var rest = Self.direction(weights: weights, budgets: budgets, slope: slope, risk: risk)
        var total = 0.0
        for row in limits?.rows ?? [] {
            guard let price = named[row.name], price != 0 else { continue }
            guard price > 0 else {
                gap = .infinity
                return
            }
            let share = price / row.perLevel
            Vector.axpy(-share, row.minorant.slope, &rest)
            total += share * (row.most - row.minorant.constant)
        }
        var hinges: [(reference: [Double], price: Double)] = []
        for rule in rules.rules {
            guard let price = named[rule.name], price != 0 else { continue }
            let isLower = rule.high == .infinity
            if rule.low != rule.high, price < 0 {
                gap = .infinity
                return
            }
            let signed = isLower ? -price : price
            total += signed * (isLower ? rule.low : rule.high)
            Vector.axpy(-signed, rule.coefficients, &rest)
            if let reference = rule.reference { hinges.append((reference, price * rule.hingeWeight)) }
        }
        var relative = 0.0
        for i in weights.indices {
            let w = weights[i]
            func value(_ v: Double) -> Double {
                hinges.reduce(rest[i] * v) { $0 - $1.price * max($1.reference[i] - v, 0) }
            }
            let low = max(rules.low[i], 0)
            var candidates = [low, rules.high[i]]
            for hinge in hinges where hinge.reference[i] > low && hinge.reference[i] < rules.high[i] {
                candidates.append(hinge.reference[i])
            }
            let best = candidates.map { value($0) }.max() ?? 0
            // Above the line that touches at w no v can get.
            let inclination = hinges.reduce(rest[i]) { $0 + ($1.reference[i] > w ? $1.price : 0) }
            let error = max(inclination, 0) * w / budgets[i]
            let here = value(w)
            if best - here <= max(error - relative, 0) {
                total += best
            } else {
                total += here - inclination * w
                // A falling line is highest at the lower end.
                if inclination < 0 { total += inclination * low }
                relative = max(relative, error)
            }
        }
        let miss = 1 - Vector.dot(slope, weights) / risk
        gap = max(total, 0) + relative + abs(miss)
    }

    /// d: in which direction, and how fast, the objective improves.
    static func direction(weights: [Double], budgets: [Double], slope: [Double], risk: Double) -> [Double] {
        weights.indices.map { budgets[$0] / weights[$0] - slope[$0] / risk }
    }
}

/// The slope of a risk measure that shares the risk out: `w'slope = rho(w)`, `rho(v) >= slope'v`.
struct RiskSlope {
    let slope: [Double]
    let risk: Double

    /// - Parameters:
    ///   - evidence: what the solver believes; nil for MV.
    ///   - moments: nil where MV is that of the panel's sample.
    init(
        measure: any ConvexRiskMeasure, evidence: RiskEvidence?, moments: Moments?, model: ScenarioModel,
        weights: [Double]
    ) {
        if type(of: measure).code == .mv, let moments {
            let deviation = moments.deviation(weights)
            risk = deviation
            slope = moments.covariance.symmetricMultiplied(by: weights).map { deviation > 0 ? $0 / deviation : 0 }
            return
        }
        let x = model.panel.portfolioReturns(weights)
        risk = measure.value(of: x)
        guard let evidence else {
            slope = model.panel.returns.transposedMultiplied(by: measure.sensitivity(at: x))
            return
        }
        let minorant = evidence.minorant(at: weights, model)
        let degree = Double(type(of: measure).degree ?? 1)
        let isSmooth = evidence.sets.contains { if case .gradient = $0.envelope { true } else { false } }
        // What a target adds belongs to the weights as such.
        let total = weights.reduce(0, +)
        let target = isSmooth ? 0 : minorant.constant / total
        slope = minorant.slope.map { $0 / degree + target }
    }
}
