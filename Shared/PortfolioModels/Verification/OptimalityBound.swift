import LinearAlgebra
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
/// A ratio a little above S leaves less to gain, by all of the risk of the portfolios that would: where the riskless one is nearly reached
/// that proves more than the ratio itself does.
///
/// Source: M. Frank, P. Wolfe (1956), An Algorithm for Quadratic Programming, Naval Research Logistics 3.
struct OptimalityBound {
    /// The largest possible gain relative to the objective's terms.
    let relativeGap: Double
    /// The largest possible gain of the linearised objective.
    let gain: Double

    /// - Parameters:
    ///   - box: bounds of each asset in place of the request's, where only a part of its portfolios is in question.
    ///   - cuts: rows that hold for that part.
    ///   - moments: the model's, where they are not the sample's.
    ///   - point: the objective at the weights, with its linearisation.
    ///   - prices: by name, improvement of the objective per unit of the caller's level.
    init(
        _ request: OptimizeRequest, panel: ReturnPanel, moments: Moments?, weights: [Double], point: MeanRiskPoint,
        prices: [OptimizeResponse.Binding], limits: LimitMinorants, periodsPerYear: Double,
        exposures: [FactorExposure] = [], box: (lower: [Double], upper: [Double])? = nil,
        cuts: [RequestRules.Rule] = []
    ) {
        var rules = RequestRules(
            request, panel: panel, mean: moments?.mean, periodsPerYear: periodsPerYear, exposures: exposures)
        rules.narrow(to: box, cuts)
        var typical = panel.typicalReturn
        if let moments { typical = moments.mean.reduce(typical) { max($0, abs($1)) } }
        // Where nothing ever moves, gains are what costs and prices say, in units of a weight.
        if typical == 0 { typical = 1 }
        let named = Dictionary(prices.map { ($0.constraint, $0.dual) }, uniquingKeysWith: { first, _ in first })
        func bounded(_ direction: [Double], _ slack: Double) -> Double {
            var rest = direction
            var total = slack
            for row in limits.rows {
                // slope'v + constant <= f(v) <= most
                guard let price = named[row.name], price != 0 else { continue }
                guard price > 0 else { return .infinity }
                let share = price / row.perLevel
                for i in rest.indices { rest[i] -= share * row.minorant.slope[i] }
                total += share * (row.most - row.minorant.constant)
            }
            total += Self.bound(rest, rules, named)
            for i in weights.indices { total -= direction[i] * weights[i] }
            return total
        }
        var total = bounded(point.direction, point.slack)
        let isMV = request.riskMeasure == .mv
        let measure = RiskMeasures.all.first { $0.code == request.riskMeasure }
        let unit = measure?.degree == 2 ? typical * typical : typical
        let size: Double
        switch request.objective {
        case .minimumRisk:
            // What cannot fall below zero does not, whatever the prices fail to prove.
            let isNeverNegative =
                request.model != .orderedWeightedAverage && measure.map { !$0.canBeNegative } ?? false
            if isNeverNegative { total = min(total, point.objective) }
            // A riskless portfolio up to the last digits of its returns: there is none better.
            let rounding =
                measure?.degree == 2 ? RisklessPortfolio.noise * RisklessPortfolio.noise : RisklessPortfolio.noise
            if isNeverNegative, point.objective <= rounding * unit { total = min(total, 0) }
            if isMV, request.constraints.costs == nil, point.risk <= Self.noise(assets: weights.count) * typical {
                total = min(total, 0)
            }
            size = max(abs(point.objective), (isMV ? 3e-3 : 1e-6) * unit)
        case .utility:
            let risk = isMV ? point.risk * point.risk : point.risk
            size = max(abs(point.reward) + request.riskAversion * abs(risk), 1e-6 * typical)
        case .maximumReturn: size = max(abs(point.reward), 1e-6 * typical)
        case .sharpe:
            size = max(abs(point.objective), 1e-9)
            if !point.perRatio.slope.isEmpty, total > 1e-9 * size {
                for more in [1e-10, 1e-9, 1e-8, 1e-7] {
                    let direction = zip(point.direction, point.perRatio.slope).map { $0 - more * $1 }
                    // At the weights the objective is zero less what the ratio is more.
                    let left = bounded(direction, point.slack + more * (point.perRatio.slack - point.objective))
                    total = min(total, more * size + max(left, 0))
                }
            }
        }
        gain = total
        relativeGap = total / max(size, .leastNormalMagnitude)
    }

    /// The same for any objective with an affine majorant.
    /// - Parameters:
    ///   - direction: slope of a majorant of the objective in its improving direction.
    ///   - slack: what the majorant is above the objective at the weights.
    ///   - size: of the objective's terms.
    ///   - limits: nil where the constraints are linear.
    init(
        _ request: OptimizeRequest, panel: ReturnPanel, mean: [Double]?, weights: [Double], direction: [Double],
        slack: Double, size: Double, prices: [OptimizeResponse.Binding], limits: LimitMinorants? = nil,
        periodsPerYear: Double
    ) {
        let rules = RequestRules(request, panel: panel, mean: mean, periodsPerYear: periodsPerYear)
        let named = Dictionary(prices.map { ($0.constraint, $0.dual) }, uniquingKeysWith: { first, _ in first })
        var rest = direction
        var total = slack
        for row in limits?.rows ?? [] {
            guard let price = named[row.name], price != 0 else { continue }
            guard price > 0 else {
                (relativeGap, gain) = (.infinity, .infinity)
                return
            }
            let share = price / row.perLevel
            for i in rest.indices { rest[i] -= share * row.minorant.slope[i] }
            total += share * (row.most - row.minorant.constant)
        }
        total += Self.bound(rest, rules, named)
        for i in weights.indices { total -= direction[i] * weights[i] }
        gain = total
        relativeGap = total / max(size, .leastNormalMagnitude)
    }

    /// What rounding leaves of a deviation of N assets of size one whose variance is zero.
    static func noise(assets: Int) -> Double { (8 * Double.ulpOfOne * Double(max(assets, 1))).squareRoot() }

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

extension OptimizeResponse.Solution {
    /// How far from proven and from allowed; the solver's stationarity does not count where a bound proves the answer.
    var largestError: Double { max(dualityGap, primalResidual) }
    /// Whether gap and residuals are what verification demands of an answer.
    func isProven(to tolerance: Double) -> Bool { largestError <= tolerance }
}

extension OptimizationResult {
    /// Takes over what a model's own bound proves. The bound counts what prices leave of the direction, so it is above the dual residual
    /// too; the primal residual is that of the weights themselves.
    mutating func certify(gap: Double, _ set: ConstraintSet) {
        solution.dualityGap = gap.isFinite ? max(gap, 0) : 1
        solution.dualResidual = solution.dualityGap
        solution.primalResidual = set.residual(at: weights)
    }
}

/// What an answer of a model with a certificate of its own proves itself by.
protocol AnswerProof: Sendable {
    /// A bound on what any allowed portfolio could gain over the answer, relative to the objective's terms, from definitions alone.
    func gap(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double
    /// The objective by its definition, where the request's own objective is not the model's.
    func objective(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double?
    /// The risk by its definition, where it is not that of a measure of the registry.
    func risk(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double?
}

extension AnswerProof {
    func objective(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double? { nil }
    func risk(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double? { nil }
}
