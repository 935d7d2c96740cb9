import Dispatch
import LinearAlgebra
import Synchronization
import WireFormat

/// What a frontier asks of a model.
protocol FrontierModel: Sendable {
    /// The unit of return.
    var frontierUnit: Double { get }
    /// Risk by definition; what `price` differentiates is `curve(risk)`.
    func point(_ weights: [Double]) -> EfficientFrontier.Point
    func leastRisk() throws(Problem) -> [Double]
    /// The weights of least risk at a return, and d curve(risk) / d return.
    /// - Parameter near: the weights of a neighbouring point, where there is one.
    func leastRisk(atLeast level: Double, near: [Double]?) throws(Problem) -> (weights: [Double], price: Double)
    func mostReturn() throws(Problem) -> [Double]
    /// A convex function of the risk: the variance for mean-variance, the risk itself otherwise.
    func curve(_ risk: Double) -> Double
}

extension MeanVariance: FrontierModel {
    var frontierUnit: Double { unit }
    func point(_ weights: [Double]) -> EfficientFrontier.Point {
        .init(weights: weights, expectedReturn: Vector.dot(mean, weights), risk: deviation(weights))
    }
    func leastRisk() throws(Problem) -> [Double] { try minimumRisk().weights }
    func leastRisk(atLeast level: Double, near: [Double]?) throws(Problem) -> (weights: [Double], price: Double) {
        let found = try minimumRisk(atLeast: level)
        return (found.weights, found.returnPrice)
    }
    func mostReturn() throws(Problem) -> [Double] { try maximumReturn().weights }
    func curve(_ risk: Double) -> Double { risk * risk }
}

/// The efficient frontier of a model: exact solutions on an even grid of returns or of risks.
///
/// By return, each point is the least variance at its return. By risk, each point is the largest return at its risk; since
/// v(r), the curve of the least risk at return r, is convex with the return row's price as derivative, that return is found by
/// Newton's method on v(r) = curve(risk), whose last solve is the point.
struct EfficientFrontier {
    let model: any FrontierModel

    /// A point per period.
    struct Point: Sendable {
        var weights: [Double]
        var expectedReturn: Double
        var risk: Double
    }

    /// What an answer says of points, annual, with a warning where there are fewer than asked for.
    /// - Parameter scale: from a risk per period to one a year.
    static func answer(
        _ points: [Point], _ wanted: OptimizeRequest.Frontier, periods: Double, scale: Double,
        _ warnings: inout [PortfolioWarning]
    ) -> [OptimizeResponse.FrontierPoint] {
        if points.count < wanted.points {
            let text =
                points.count == 1
                ? "No portfolio that the constraints allow returns more than the one of least risk: the frontier is one point."
                : "\(wanted.points - points.count) points are left out: another of equal risk returns more."
            let place = JSONPointer(["efficient_frontier"])
            warnings.append(PortfolioWarning(code: "frontier_degenerate", pointer: place, detail: text))
        }
        return annual(points, wanted, periods: periods, scale: scale)
    }

    /// Points a year.
    static func annual(
        _ points: [Point], _ wanted: OptimizeRequest.Frontier, periods: Double, scale: Double
    ) -> [OptimizeResponse.FrontierPoint] {
        points.map { point in
            OptimizeResponse.FrontierPoint(
                risk: point.risk * scale, expectedReturn: point.expectedReturn * periods,
                weights: wanted.withWeights ? point.weights : nil)
        }
    }

    /// At most `count` points, ascending in risk; one point where all feasible portfolios have the same return.
    func points(_ count: Int, by axis: FrontierAxis) throws(Problem) -> [Point] {
        let first = model.point(try model.leastRisk())
        let last = try largestReturn()
        let span = last.expectedReturn - first.expectedReturn
        guard span > 1e-10 * model.frontierUnit, last.risk > first.risk else { return [first] }
        // Chains of neighbours, each begun from the first point: their number does not depend on the machine, so neither do the answers.
        let inner = Array(1..<max(count - 1, 1))
        let length = max((inner.count + Self.chains - 1) / Self.chains, 1)
        let starts = Array(stride(from: 0, to: inner.count, by: length))
        let found = Mutex([Int: Result<[Point], Problem>]())
        let next = Mutex(0)
        let work: @Sendable () -> Void = {
            while true {
                let chain = next.withLock { next in
                    defer { next += 1 }
                    return next
                }
                guard chain < starts.count else { return }
                let part = inner[starts[chain]..<min(starts[chain] + length, inner.count)]
                let points = Result { () throws(Problem) in
                    try self.chain(part.map { Double($0) / Double(count - 1) }, by: axis, from: first, to: last)
                }
                found.withLock { $0[chain] = points }
            }
        }
        let group = DispatchGroup()
        for _ in starts.dropFirst() { Self.helpers.async(group: group, execute: work) }
        work()
        group.wait()
        var result = [first]
        for chain in starts.indices {
            guard let points = found.withLock({ $0[chain] }) else {
                throw Problem(.internalError, "A part of the frontier is missing.")
            }
            result += try points.get()
        }
        result.append(last)
        return Self.efficient(result, unit: model.frontierUnit)
    }

    /// Threads beside the caller's, no more than there are processors for all frontiers together. Those of the standard queue are Swift's tasks', which
    /// would wait for them.
    private static let helpers = DispatchQueue(label: "frontier", qos: .utility, attributes: .concurrent)

    /// How many parts of the frontier may be worked on at once.
    private static let chains = 4

    /// Points at shares of the way between two ends, each from the one before.
    private func chain(
        _ shares: [Double], by axis: FrontierAxis, from first: Point, to last: Point
    ) throws(Problem) -> [Point] {
        var points: [Point] = []
        for share in shares {
            let before = points.last ?? first
            switch axis {
            case .expectedReturn:
                let level = first.expectedReturn + share * (last.expectedReturn - first.expectedReturn)
                points.append(try at(level, near: before.weights).point)
            case .risk:
                let risk = first.risk + share * (last.risk - first.risk)
                points.append(try largestReturn(risk: risk, above: before, below: last))
            }
        }
        return points
    }

    /// The points without those that a later one beats: of equal risk up to rounding, and a lower return.
    static func efficient(_ points: [Point], unit: Double) -> [Point] {
        var kept: [Point] = []
        for point in points.reversed() {
            if let next = kept.last, point.risk >= next.risk - 1e-9 * max(next.risk, 1e-3 * unit) {
                continue
            }
            kept.append(point)
        }
        return kept.reversed()
    }

    /// The least risk at a return, and d curve / d return there.
    private func at(_ level: Double, near: [Double]?) throws(Problem) -> (point: Point, slope: Double) {
        let found = try model.leastRisk(atLeast: level, near: near)
        return (model.point(found.weights), found.price)
    }

    /// The portfolio of largest return, of least risk among those.
    private func largestReturn() throws(Problem) -> Point {
        let best = model.point(try model.mostReturn())
        // Where several portfolios share the largest return, the last digits of slack let the quadratic program choose.
        let level = best.expectedReturn - 1e-12 * model.frontierUnit
        guard let found = try? model.leastRisk(atLeast: level, near: best.weights) else { return best }
        let calmer = model.point(found.weights)
        return calmer.risk < best.risk * (1 - 1e-9) ? calmer : best
    }

    private func largestReturn(risk: Double, above: Point, below: Point) throws(Problem) -> Point {
        var low = above.expectedReturn
        var high = below.expectedReturn
        let target = model.curve(risk)
        // Variance is nearly quadratic in the return above its minimum: a start from the end points.
        var level = low + (high - low) * ((risk - above.risk) / (below.risk - above.risk)).squareRoot()
        var best: Point?
        for _ in 0..<60 {
            let (point, slope) = try at(level, near: best?.weights ?? above.weights)
            let miss = model.curve(point.risk) - target
            best = point
            if abs(miss) <= 4e-15 * abs(target) { break }
            if miss > 0 { high = level } else { low = level }
            let newton = slope > 0 ? level - miss / slope : .nan
            let next = newton > low && newton < high ? newton : (low + high) / 2
            if abs(next - level) <= 1e-15 * max(abs(level), model.frontierUnit) { break }
            level = next
        }
        return best ?? above
    }
}
