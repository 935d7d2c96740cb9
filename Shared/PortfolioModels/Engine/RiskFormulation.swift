import ConvexSolver
import LinearAlgebra
import WireFormat

/// A risk measure that the engine optimises exactly.
///
/// `formulate` says it to the solver; the solver's dual series come back through `minorant`, which needs no solver to be right.
protocol ConvexRiskMeasure: RiskMeasure {
    /// The measure of the program's portfolio, in units; measures of degree two divided by the scale where there is one.
    func formulate(in program: inout RiskProgram) -> RiskFormulation
    /// Whether the formulation takes the order of the scenarios as known near a portfolio (`OrderingWindow`).
    static var needsOrdering: Bool { get }
    /// Whether the formulation that knows no order has merged levels over all scenarios: another such round then comes near enough.
    func mergesLevels(count: Int) -> Bool
    /// Objectives whose solution is looked for from the mean-variance portfolio: where that saves more than it costs.
    static var startsNearVariance: Set<ObjectiveName> { get }
    /// How many of the largest losses and gains the measure is about, all scenarios counting the same; nil where it is about all.
    func tails(count: Int) -> (losses: Int, gains: Int)?
    /// How many of the largest drawdowns the measure is about; nil where it is about all, or about none.
    func drawdownRanks(count: Int) -> Int?
}

extension ConvexRiskMeasure {
    static var needsOrdering: Bool { false }
    static var startsNearVariance: Set<ObjectiveName> { [] }
    func mergesLevels(count: Int) -> Bool { false }
    func tails(count: Int) -> (losses: Int, gains: Int)? { nil }
    func drawdownRanks(count: Int) -> Int? { nil }
}

/// A measure as linear terms and parts of a composite program.
struct RiskFormulation: Sendable {
    /// A part, how its argument comes from returns, and the set of its dual series.
    struct Piece: Sendable {
        enum Basis: Sendable {
            /// argument = sign x returns + ...
            case returns(sign: Double)
            /// argument = sign x (returns less their mean)
            case centred(sign: Double)
            /// The tail of drawdowns; the part's series are derivatives by the returns.
            case drawdowns
            /// argument = differences of pairs of returns
            case pairs(PeriodPairs)
        }

        var part: CompositeProgram.Part
        var basis: Basis
        var envelope: Envelope
        /// What the argument is at returns of zero, in units: a target.
        var offset = 0.0
    }

    var linear: [CompositeProgram.Entry] = []
    var pieces: [Piece]
}

/// An affine function of the weights that lies below a convex one: `f(v) >= constant + slope'v` for all v.
struct Minorant: Sendable {
    var slope: [Double]
    var constant: Double

    func value(at w: [Double]) -> Double { constant + Vector.dot(slope, w) }
}

/// What the dual series of a piece are in: all that a proof needs of it. The piece itself holds a panel.
struct SeriesSet: Sendable {
    var basis: RiskFormulation.Piece.Basis
    var envelope: Envelope
    var offset: Double
    /// The linear part of an ordered average, whose series is in one set with that of its levels.
    var isOfLevelsBefore: Bool
}

extension RiskFormulation.Piece {
    var set: SeriesSet {
        var isLinear = false
        if case .ordered = envelope, case .scenarios = part { isLinear = true }
        return SeriesSet(basis: basis, envelope: envelope, offset: offset, isOfLevelsBefore: isLinear)
    }
}

/// What a solver believes about a risk measure at its solution: the dual series of the pieces, T numbers each, by piece.
struct RiskEvidence: Sendable {
    var measure: any ConvexRiskMeasure
    var sets: [SeriesSet]
    var duals: [[Double]]

    init(measure: any ConvexRiskMeasure, pieces: [RiskFormulation.Piece], duals: [[Double]]) {
        self.measure = measure
        sets = pieces.map { $0.set }
        self.duals = duals
    }

    /// Sets with their series; the linear part of an ordered average is joined to its levels.
    private var joined: [(SeriesSet, [Double])] {
        var result: [(SeriesSet, [Double])] = []
        for (set, dual) in zip(sets, duals) {
            if set.isOfLevelsBefore, let last = result.indices.last {
                result[last].1 = zip(result[last].1, dual).map { $0 + $1 }
            } else {
                result.append((set, dual))
            }
        }
        return result
    }

    /// The minorant that the series prove once they are in the measure's envelope; the gradient for smooth measures.
    func minorant(at weights: [Double], _ model: ScenarioModel) -> Minorant {
        let returns = model.panel.returns
        if sets.contains(where: { if case .gradient = $0.envelope { true } else { false } }) {
            let x = model.panel.portfolioReturns(weights)
            let series = measure.sensitivity(at: x)
            return Minorant(
                slope: returns.transposedMultiplied(by: series), constant: measure.value(of: x) - Vector.dot(series, x))
        }
        var series = [Double](repeating: 0, count: model.count)
        var constant = 0.0
        for (set, dual) in joined {
            switch set.basis {
            case .returns(let sign):
                let q = set.envelope.project(dual)
                for t in q.indices { series[t] += sign * q[t] }
                constant += set.offset * model.unit * q.reduce(0, +)
            case .centred(let sign):
                let q = set.envelope.project(dual)
                let total = q.reduce(0, +)
                for t in q.indices { series[t] += sign * (q[t] - model.probabilities[t] * total) }
            case .pairs(let pairs):
                let spread = pairs.spread(set.envelope.project(dual), over: series.count)
                for t in series.indices { series[t] += spread[t] }
            case .drawdowns:
                // Prices of the rows "drawdown at least the one before less the return": q >= 0, and (B'q)+ in the tail's set.
                let prices = dual.map { max(-$0, 0) }
                let y = prices.indices.map { max(prices[$0] - ($0 + 1 < prices.count ? prices[$0 + 1] : 0), 0) }
                let scale = set.envelope.scaleBelow(y)
                for t in prices.indices { series[t] -= scale * prices[t] }
            }
        }
        return Minorant(slope: returns.transposedMultiplied(by: series), constant: constant)
    }
}

/// A composite program over a portfolio's weights, or over weights times a scale k for ratios.
struct RiskProgram: Sendable {
    let model: ScenarioModel
    var program: CompositeProgram
    /// The core variables of the weights.
    let weights: [Int]
    /// The core variable k of a ratio.
    let scale: Int?
    /// The returns of the start, in units.
    let start: [Double]
    /// Less their mean.
    var centredStart: [Double] {
        let level = Vector.dot(model.centre, program.start.prefix(weights.count).map { $0 })
        return start.map { $0 - level }
    }
    /// How much of the order of the scenarios is taken as known.
    var ordering = OrderingWindow.unknown

    /// - Parameters:
    ///   - start: N weights (times k), strictly inside their bounds.
    ///   - scaleStart: k of the start, for a ratio.
    init(model: ScenarioModel, lower: [Double], upper: [Double], start: [Double], scaleStart: Double?) {
        self.model = model
        program = CompositeProgram(cost: start.map { _ in 0 }, lower: lower, upper: upper, start: start)
        weights = Array(start.indices)
        if let scaleStart {
            scale = program.addVariable(lower: 0, start: scaleStart)
        } else {
            scale = nil
        }
        self.start = model.series(start)
    }

    /// The least scale of a root, in units: below it a sum of squares counts as a square, which has the same least point and no corner.
    static let leastRoot = 1e-5

    var count: Int { model.count }

    func repeated(_ value: Double) -> [Double] { [Double](repeating: value, count: count) }
    func probabilities(times factor: Double) -> [Double] { model.probabilities.map { $0 * factor } }

    /// Rows `sign x returns - v_quantile`.
    func rows(sign: Double, quantile: Int) -> RowMap {
        model.rows(sign, weights, borders: [RowMap.Border(index: quantile, values: repeated(-1))])
    }

    /// Rows `sign x returns + target`, the target in units times the scale.
    func rows(sign: Double, target: Double) -> RowMap {
        guard target != 0 else { return model.rows(sign, weights) }
        if let scale {
            return model.rows(sign, weights, borders: [RowMap.Border(index: scale, values: repeated(target))])
        }
        return model.rows(sign, weights, offset: repeated(target))
    }

    func centredRows(sign: Double) -> RowMap { RowMap(model.centred, columns: weights, factor: sign) }

    /// The weighted quantile of a series at the upper tail probability `alpha`.
    func upperQuantile(_ series: [Double], _ alpha: Double) -> Double {
        let order = series.indices.sorted { series[$0] > series[$1] }
        var mass = 0.0
        for t in order {
            mass += model.probabilities[t]
            if mass >= alpha { return series[t] }
        }
        return order.last.map { series[$0] } ?? 0
    }

    func rootMeanSquare(_ series: [Double]) -> Double {
        var sum = 0.0
        for t in series.indices { sum += model.probabilities[t] * series[t] * series[t] }
        return max(sum.squareRoot(), 1e-6)
    }

    /// The uncompounded drawdowns of the start.
    var startDrawdowns: [Double] {
        var level = 0.0
        return start.map {
            level = max(level - $0, 0)
            return level
        }
    }

    /// Adds the variables of a divergence ball over arguments `argument - v_quantile`; starts where the ball is right for `argument`.
    mutating func addBall(_ tail: TailBall, over argument: [Double]) -> (quantile: Int, price: Int) {
        let (price, quantile) = tail.start(argument)
        return (program.addVariable(start: quantile), program.addVariable(lower: 0, start: price))
    }
}
