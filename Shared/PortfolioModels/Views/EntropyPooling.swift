import LinearAlgebra
import WireFormat

/// The probabilities of the panel's periods that satisfy views of any statistic and differ least from the prior.
///
/// Stages, each from the same prior with all conditions so far: means and tails; then variances, with the means of the series
/// they speak of held where the stage before left them; then correlations, skewness and kurtosis, with means and variances held.
/// Holding them makes every condition linear and every view exact. Views are equalities or inequalities; a view may speak of
/// any combination of assets.
///
/// ```
/// mean        E[y]                          std, variance   E[(y - m)^2], divisor one
/// skew        E[(y - m)^3] / s^3            kurtosis        E[(y - m)^4] / s^4, three for a normal series
/// correlation E[(a - m_a)(b - m_b)] / (s_a s_b)
/// VaR         P(y <= -v) = alpha            CVaR            min over e of e + E[max(-y - e, 0)] / alpha
/// ```
/// Source: A. Meucci (2008), Fully Flexible Views: Theory and Practice, Risk 21; A. Vorobets (2021), Sequential Entropy Pooling
/// Heuristics; tails: A. Meucci, D. Ardia, S. Keel (2011), Fully Flexible Extreme Views, Journal of Risk 14.
struct EntropyPooling {
    /// T probabilities.
    let probabilities: [Double]
    /// Distance from the prior, sum p ln(p / q).
    let relativeEntropy: Double

    /// - Parameters:
    ///   - prior: T probabilities; nil is equal.
    ///   - alpha: tail probability of VaR and CVaR views that have none of their own.
    ///   - place: where the views stand in the request.
    /// - Throws: `OPT-101` where the views contradict each other or the panel, `OPT-201` where they nearly do.
    init(
        _ views: [ViewsRequest.View], panel: ReturnPanel, groups: [ConstraintRequest.Group], prior: [Double]?,
        alpha: Double, place: JSONPointer
    ) throws(Problem) {
        let count = panel.observations
        let prior = prior ?? [Double](repeating: 1 / Double(count), count: count)
        var stages = ViewStages(panel: panel, groups: groups, prior: prior, alpha: alpha)
        var found = ExponentialTilting.uniform(prior)
        for stage in [Stage.means, .variances, .shapes] {
            let own = views.enumerated().filter { Stage(of: $0.element.statistic) == stage }
            guard !own.isEmpty else { continue }
            for (index, view) in own {
                try stages.add(view, at: place.appending(index), under: found.probabilities)
            }
            found = try TailViews.solve(prior: prior, conditions: stages.conditions, tails: stages.tails)
        }
        probabilities = found.probabilities
        relativeEntropy = found.relativeEntropy
    }

    enum Stage {
        case means, variances, shapes

        init(of statistic: ViewsRequest.Statistic) {
            switch statistic {
            case .mean, .valueAtRisk, .conditionalValueAtRisk: self = .means
            case .std, .variance: self = .variances
            case .skew, .kurtosis, .correlation: self = .shapes
            }
        }
    }
}

/// Turns views into linear conditions on probabilities.
struct ViewStages {
    let panel: ReturnPanel
    let groups: [ConstraintRequest.Group]
    let prior: [Double]
    let alpha: Double
    private(set) var conditions: [ExponentialTilting.Condition] = []
    private(set) var tails: [TailViews.Tail] = []

    init(panel: ReturnPanel, groups: [ConstraintRequest.Group], prior: [Double], alpha: Double) {
        self.panel = panel
        self.groups = groups
        self.prior = prior
        self.alpha = alpha
    }

    /// - Parameter current: the probabilities of the stage before, at which lower moments are held.
    mutating func add(_ view: ViewsRequest.View, at place: JSONPointer, under current: [Double]) throws(Problem) {
        if view.statistic == .correlation {
            try addCorrelation(view, at: place, under: current)
            return
        }
        let row = try ViewMatrix.row(view.weights, columns: panel.assets, groups: groups, place: place)
        let series = panel.portfolioReturns(row)
        let name = place.description
        switch view.statistic {
        case .mean: condition(series, view.sense, view.level, name)
        case .valueAtRisk:
            let level = -view.level
            let tail = series.map { $0 <= level ? 1.0 : 0 }
            condition(tail, view.sense, view.alpha ?? alpha, name)
        case .conditionalValueAtRisk:
            tails.append(
                .init(
                    series: series, level: view.level, alpha: view.alpha ?? alpha, sense: view.sense, name: name))
        case .std, .variance:
            let mean = hold(series, current, name)
            let level = view.statistic == .std ? view.level * view.level : view.level
            condition(series.map { ($0 - mean) * ($0 - mean) }, view.sense, level, name)
        case .skew, .kurtosis:
            let (mean, deviation) = holdTwo(series, current, name)
            let power = view.statistic == .skew ? 3 : 4
            guard deviation > 0 else {
                throw Problem(place, .outOfRange, "The series has no variance, hence no \(view.statistic.rawValue).")
            }
            let values = series.map { value in
                (0..<power).reduce(1.0) { product, _ in product * (value - mean) / deviation }
            }
            condition(values, view.sense, view.level, name)
        case .correlation: break
        }
    }

    private mutating func addCorrelation(
        _ view: ViewsRequest.View, at place: JSONPointer, under current: [Double]
    ) throws(Problem) {
        guard view.weights.count == 2 else {
            throw Problem(place, .contradiction, "A correlation is between exactly two names.")
        }
        var standard: [[Double]] = []
        for term in view.weights {
            let row = try ViewMatrix.row(
                [.init(term.asset, 1)], columns: panel.assets, groups: groups, place: place)
            let series = panel.portfolioReturns(row)
            let (mean, deviation) = holdTwo(series, current, place.description)
            guard deviation > 0 else {
                throw Problem(place, .outOfRange, "\(Problem.echo(term.asset)) has no variance, hence no correlation.")
            }
            standard.append(series.map { ($0 - mean) / deviation })
        }
        condition(zip(standard[0], standard[1]).map { $0 * $1 }, view.sense, view.level, place.description)
    }

    /// Holds the mean of a series where it is.
    private mutating func hold(_ series: [Double], _ current: [Double], _ name: String) -> Double {
        let mean = Vector.dot(series, current)
        conditions.append(.init(values: series, level: mean, isEquality: true, name: name))
        return mean
    }

    private mutating func holdTwo(
        _ series: [Double], _ current: [Double], _ name: String
    ) -> (mean: Double, deviation: Double) {
        let mean = hold(series, current, name)
        let squares = series.map { ($0 - mean) * ($0 - mean) }
        let variance = Vector.dot(squares, current)
        conditions.append(.init(values: squares, level: variance, isEquality: true, name: name))
        let size = series.reduce(0) { max($0, abs($1 - mean)) }
        return (mean, size > 0 && variance > 1e-24 * size * size ? variance.squareRoot() : 0)
    }

    private mutating func condition(_ values: [Double], _ sense: ViewsRequest.Sense, _ level: Double, _ name: String) {
        let isAtMost = sense == .atMost
        conditions.append(
            .init(
                values: isAtMost ? values.map { -$0 } : values, level: isAtMost ? -level : level,
                isEquality: sense == .equal, name: name))
    }
}

extension ExponentialTilting {
    /// The prior itself.
    static func uniform(_ prior: [Double]) -> (probabilities: [Double], relativeEntropy: Double) { (prior, 0) }
}
