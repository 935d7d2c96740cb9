import WireFormat

/// The largest return at a risk: between two portfolios of least risk, one on either side, or on the way to one that is nearer.
///
/// v(r), the curve of the least risk at a return r, is convex with the return row's price as its slope. So the mixture of two portfolios is
/// nowhere above the chord between them, and the curve nowhere below its tangents: where the mixture of the wanted risk is on a tangent,
/// nothing returns more. Else the curve is solved for between chord and tangents. A piecewise linear curve, such as a tail's, is met at a
/// corner or along an edge after a few solves; a smooth one at the rate of Newton's method.
///
/// Next to the largest return a least return leaves hardly a portfolio, which is where solvers lose their digits. There the curve is
/// touched by a line of the chord's slope instead: the portfolio of largest return less risk over slope.
///
/// Source: R. Burkard, H. Hamacher, G. Rote (1991), Sandwich approximation of univariate convex functions with an application to
/// separable convex programming, Naval Research Logistics 38.
struct RiskSearch {
    /// A portfolio on the curve.
    private struct Support {
        var point: EfficientFrontier.Point
        var value: Double
        /// Of the curve there; nil where only the portfolio is known.
        var slope: Double?
    }

    /// A line that the curve is nowhere below.
    private struct Tangent {
        var level: Double
        var value: Double
        var slope: Double

        func value(at other: Double) -> Double { value + slope * (other - level) }
    }

    private let model: any FrontierModel
    /// Ascending in return.
    private var known: [Support]
    private var tangents: [Tangent]

    /// A mixture that is this near to a tangent, relative to the wanted value, is the point.
    private static let tolerance = 1e-10
    /// What rounding leaves of a solve: one that comes no further below the chord has proven it.
    private static let rounding = 1e-9
    /// Of one point.
    private static let mostSolves = 20
    /// The share of all returns that is next to the largest.
    private static let end = 2e-3

    /// - Parameters:
    ///   - first: of least risk.
    ///   - last: of largest return.
    init(model: any FrontierModel, from first: EfficientFrontier.Point, to last: EfficientFrontier.Point) {
        self.model = model
        known = [first, last].map { Support(point: $0, value: model.curve($0.risk)) }
        tangents = [Tangent(level: first.expectedReturn, value: known[0].value, slope: 0)]
    }

    /// The point of a risk between those of the first and of the last one.
    mutating func point(atRisk risk: Double) throws(Problem) -> EfficientFrontier.Point {
        let target = model.curve(risk)
        var nearest = (point: known[0].point, miss: Double.infinity)
        for solves in 0..<Self.mostSolves {
            let above = max(known.firstIndex { $0.value >= target } ?? known.count - 1, 1)
            let (low, high) = (known[above - 1], known[above])
            let mixture = mixture(low.point, high.point, target)
            let bound = tangents.reduce(-.infinity) { max($0, $1.value(at: mixture.expectedReturn)) }
            if target - bound < nearest.miss { nearest = (mixture, target - bound) }
            if nearest.miss <= Self.tolerance * abs(target) { break }
            let isSmooth = solves % 2 == 0
            let level = level(from: mixture.expectedReturn, low, high, target, isSmooth: isSmooth)
            guard let found = try solve(at: level, between: low, high, isSmooth ? target : nil) else {
                if isSmooth { continue } else { break }
            }
            known.insert(found, at: above)
            if Self.depth(of: found, at: mixture.expectedReturn, low, high) <= Self.rounding * abs(target) { break }
        }
        return nearest.point
    }

    /// How far a convex curve through three points may be below the chord of the outer ones, at a return between them.
    private static func depth(of found: Support, at level: Double, _ low: Support, _ high: Support) -> Double {
        let (left, own, right) = (low.point.expectedReturn, found.point.expectedReturn, high.point.expectedReturn)
        let depth = low.value + (own - left) / (right - left) * (high.value - low.value) - found.value
        return depth * (level < own ? (right - level) / (right - own) : (level - left) / (own - left))
    }

    /// A portfolio on the curve between two, with its tangent; nil where none was found.
    /// - Parameter target: next to the largest return, whose slope to guess at; nil for the chord's, which a curve with corners needs.
    private mutating func solve(
        at level: Double, between low: Support, _ high: Support, _ target: Double?
    ) throws(Problem) -> Support? {
        guard level > low.point.expectedReturn, level < high.point.expectedReturn else { return nil }
        let last = known[known.count - 1].point.expectedReturn
        let isAtEnd = last - level < Self.end * (last - known[0].point.expectedReturn)
        var slope = (high.value - low.value) / (high.point.expectedReturn - low.point.expectedReturn)
        if let target, let left = low.slope, let right = high.slope {
            slope = left + (right - left) * (target - low.value) / (high.value - low.value)
        }
        if isAtEnd, let weights = try model.mostReturn(lessCurveOver: slope) {
            let support = support(weights, slope)
            tangents.append(Tangent(level: support.point.expectedReturn, value: support.value, slope: slope))
            let own = support.point.expectedReturn
            return own > low.point.expectedReturn && own < high.point.expectedReturn ? support : nil
        }
        let found = try model.leastRisk(atLeast: level, near: low.point.weights)
        let support = support(found.weights, max(found.price, 0))
        tangents.append(
            Tangent(level: support.point.expectedReturn, value: support.value, slope: max(found.price, 0)))
        return support
    }

    private func support(_ weights: [Double], _ slope: Double) -> Support {
        let point = model.point(weights)
        return Support(point: point, value: model.curve(point.risk), slope: slope)
    }

    /// Where to solve next: not before the mixture, nor beyond where the tangents meet the target. A smooth curve is followed from its
    /// neighbours, one with corners along its tangents.
    private func level(
        from mixed: Double, _ low: Support, _ high: Support, _ target: Double, isSmooth: Bool
    ) -> Double {
        let (left, right) = (low.point.expectedReturn, high.point.expectedReturn)
        let most = tangents.reduce(right) { most, tangent in
            tangent.slope > 0 ? min(most, tangent.level + (target - tangent.value) / tangent.slope) : most
        }
        if known.count == 2 {
            // Near its least a smooth curve is a parabola.
            return left + ((target - low.value) / (high.value - low.value)).squareRoot() * (right - left)
        }
        if isSmooth, let guess = interpolated(target) { return min(max(guess, mixed), most) }
        return most < right ? most : isSmooth ? mixed : (mixed + right) / 2
    }

    /// The return at a value, by the cubic through the two nearest supports with slopes; nil where there are not two.
    private func interpolated(_ target: Double) -> Double? {
        let nearest = known.filter { $0.slope ?? 0 > 0 }.sorted { abs($0.value - target) < abs($1.value - target) }
        guard nearest.count > 1, let first = nearest[0].slope, let second = nearest[1].slope else { return nil }
        let (a, b) = (nearest[0], nearest[1])
        let width = b.value - a.value
        guard width != 0 else { return nil }
        let (t, rise) = ((target - a.value) / width, b.point.expectedReturn - a.point.expectedReturn)
        let (from, to) = (width / first - rise, rise - width / second)
        return a.point.expectedReturn + t * rise + t * (1 - t) * ((1 - t) * from + t * to)
    }

    /// The mixture of two portfolios whose value is the target: the values along the way are convex, with the target between the ends.
    private func mixture(
        _ low: EfficientFrontier.Point, _ high: EfficientFrontier.Point, _ target: Double
    ) -> EfficientFrontier.Point {
        func mixed(_ share: Double) -> EfficientFrontier.Point {
            model.point(
                zip(low.weights, high.weights).map { a, b in
                    // Between the two to the last digit, so that bounds hold.
                    min(max(a + share * (b - a), min(a, b)), max(a, b))
                })
        }
        var (left, right) = (low, high)
        var (from, to) = (0.0, 1.0)
        var (below, beyond) = (model.curve(low.risk) - target, model.curve(high.risk) - target)
        guard below < 0 else { return low }
        for round in 0..<60 {
            guard beyond > 0 else { return right }
            // A chord of a convex function meets the target too early: from the left it closes in, half way the right side follows.
            let chord = from + (to - from) * below / (below - beyond)
            let share = round % 3 == 2 ? (from + to) / 2 : chord
            guard share > from, share < to else { break }
            let point = mixed(share)
            let miss = model.curve(point.risk) - target
            if abs(miss) <= 4e-15 * abs(target) { return point }
            if miss < 0 {
                (left, from, below) = (point, share, miss)
            } else {
                (right, to, beyond) = (point, share, miss)
            }
        }
        return left
    }
}
