import ConvexSolver
import WireFormat

/// An ordered weighted average whose weights fall from the worst period on: convex, and optimised exactly.
///
/// With losses `a = -x` in falling order and weights `w_1 >= ... >= w_T`,
/// ```
/// risk = w_T sum(a) + sum_k (w_k - w_(k+1)) (sum of the k largest a)
/// ```
/// Each level is a quantile with a hinge over the scenarios near it. A first solve with a few merged levels finds the neighbourhood; then
/// all levels are taken, each with the scenarios that may still change sides.
protocol OrderedFormulation: OrderedWeightedAverage, ConvexRiskMeasure {
    /// Of a measure that is a mean of the differences of all pairs, what a difference counts: where nothing is known of the order, its
    /// corners are rounded rather than its levels merged.
    static func pairWeight(count: Int) -> Double?
}

extension OrderedFormulation {
    static var needsOrdering: Bool { true }
    static func pairWeight(count: Int) -> Double? { nil }

    func formulate(in program: inout RiskProgram) -> RiskFormulation { side(-1, in: &program) }

    func mergesLevels(count: Int) -> Bool {
        Self.pairWeight(count: count) == nil && tails(count: count) == nil
    }

    func tails(count: Int) -> (losses: Int, gains: Int)? {
        let ranks = coefficients(count: count).count
        return OrderingWindow.tail(ranks: ranks, count: count).map { _ in (ranks, 0) }
    }

    /// The average of `sign x returns` as losses.
    func side(_ sign: Double, in program: inout RiskProgram) -> RiskFormulation {
        let count = program.count
        let given = coefficients(count: count)
        let weights = (0..<count).map { $0 < given.count ? -given[$0] : 0 }
        let map = program.model.rows(sign, program.weights)
        if case .expected = program.ordering, let factor = Self.pairWeight(count: count) {
            return RiskFormulation(pieces: [
                .init(
                    part: .meanDifference(factor: factor, map), basis: .returns(sign: sign),
                    envelope: .ordered(weights))
            ])
        }
        let (order, levels) = Self.levels(weights, program, sign)
        var pieces = [
            RiskFormulation.Piece(
                part: .ordered(levels, order: order, map), basis: .returns(sign: sign), envelope: .ordered(weights))
        ]
        if let last = weights.last, last != 0 {
            pieces.append(
                .init(
                    part: .scenarios(.sum(cost: program.repeated(last)), .rows(map)), basis: .returns(sign: sign),
                    envelope: .ordered(weights)))
        }
        return RiskFormulation(pieces: pieces)
    }

    private static func levels(
        _ weights: [Double], _ program: RiskProgram, _ sign: Double
    ) -> (order: [Int], levels: [OrderedLevel]) {
        let count = weights.count
        let size = weights.reduce(0) { max($0, abs($1)) }
        let steps = (1..<max(count, 1)).filter { weights[$0 - 1] - weights[$0] > 1e-15 * size }
        func step(_ k: Int) -> Double { weights[k - 1] - weights[k] }
        switch program.ordering {
        case .unknown, .expected:
            // Of a tail only scenarios count that are near it for the portfolios at hand; the next round sees who came to it since.
            var (order, window) = (Array(0..<count), count)
            if case .expected(let known) = program.ordering,
                let tail = OrderingWindow.tail(ranks: steps.last ?? 0, count: count)
            {
                let series = known.isEmpty ? [program.start] : known
                let kept = OrderingWindow.worst(tail, of: series.map { $0.map { -sign * $0 } })
                let others = Set(order).subtracting(kept)
                (order, window) = (kept + order.filter { others.contains($0) }, kept.count)
            }
            let groups = min(steps.count, 12)
            return (
                order,
                (0..<groups).map { g in
                    let members = steps[(g * steps.count / groups)..<((g + 1) * steps.count / groups)]
                    let weight = members.reduce(0) { $0 + step($1) }
                    let centre = members.reduce(0) { $0 + step($1) * Double($1) } / weight
                    return OrderedLevel(weight: weight, count: centre, inside: 0, window: window)
                }
            )
        case .near(let returns, let width, let wanted):
            // Few levels are all taken.
            let merged = steps.count > 16 * wanted ? wanted : 1
            let losses = returns.map { sign * $0 }
            let order = losses.indices.sorted { losses[$0] > losses[$1] }
            let sorted = order.map { losses[$0] }
            let mean = sorted.reduce(0, +) / Double(count)
            let spread = (sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)).squareRoot()
            let reach = width * spread
            var (low, high) = (0, 0)
            return (
                order,
                stride(from: 0, to: steps.count, by: merged).map { begin in
                    let members = steps[begin..<min(begin + merged, steps.count)]
                    let (k, end) = (members[begin], members[members.endIndex - 1])
                    // Between the k-th and the next: both, and whoever is within reach of them.
                    while low < k - 1, sorted[low] > sorted[k - 1] + reach { low += 1 }
                    high = max(high, end + 1)
                    while high < count, sorted[high] >= sorted[end] - reach { high += 1 }
                    let weight = members.reduce(0) { $0 + step($1) }
                    let centre =
                        members.count == 1
                        ? Double(k) : members.reduce(0) { $0 + step($1) * Double($1) } / weight
                    return OrderedLevel(weight: weight, count: centre, inside: low, window: high - low)
                }
            )
        }
    }
}

extension RangeMeasure where Self: ConvexRiskMeasure, Side: OrderedFormulation {
    func tails(count: Int) -> (losses: Int, gains: Int)? {
        guard let low = losses.tails(count: count), let high = gains.tails(count: count) else { return nil }
        return (low.losses, high.losses)
    }
}

extension RangeMeasure where Side: OrderedFormulation {
    /// Both sides, each with levels of its own.
    func formulate(in program: inout RiskProgram) -> RiskFormulation {
        let (low, high) = (losses.side(-1, in: &program), gains.side(1, in: &program))
        return RiskFormulation(linear: low.linear + high.linear, pieces: low.pieces + high.pieces)
    }
}

extension GiniMeanDifference: OrderedFormulation {
    static func pairWeight(count: Int) -> Double? { count > 1 ? 2 / (Double(count) * Double(count - 1)) : nil }
}
extension TailGini: OrderedFormulation {}
extension TailGiniRange: ConvexRiskMeasure {
    static var needsOrdering: Bool { true }
    func mergesLevels(count: Int) -> Bool {
        losses.mergesLevels(count: count) || gains.mergesLevels(count: count)
    }
}
