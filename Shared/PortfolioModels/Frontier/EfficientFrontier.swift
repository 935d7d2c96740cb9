import ConvexSolver
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
    /// The weights of largest return, and whether no others return as much.
    func mostReturn() throws(Problem) -> (weights: [Double], isOnly: Bool)
    /// The weights of largest `return - curve(risk) / slope`; nil where the model has no such objective.
    func mostReturn(lessCurveOver slope: Double) throws(Problem) -> [Double]?
    /// A convex function of the risk: the variance for mean-variance, the risk itself otherwise.
    func curve(_ risk: Double) -> Double
}

extension FrontierModel {
    func mostReturn(lessCurveOver slope: Double) throws(Problem) -> [Double]? { nil }
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
    func mostReturn() throws(Problem) -> (weights: [Double], isOnly: Bool) {
        let found = try maximumReturn()
        let isOnly = BindingConstraints.isOnlyBest(found.weights, gradient: mean, prices: found.prices, constraints)
        return (found.weights, isOnly)
    }
    func mostReturn(lessCurveOver slope: Double) throws(Problem) -> [Double]? {
        try solve(.utility, riskFreeRate: 0, riskAversion: 1 / slope).weights
    }
    func curve(_ risk: Double) -> Double { risk * risk }
}

/// The efficient frontier of a model: exact solutions on an even grid of returns or of risks.
///
/// By return, each point is the least risk at its return. By risk, each point is the largest return at its risk, between two portfolios of
/// least risk whose prices prove that there is no better one (`RiskSearch`).
struct EfficientFrontier {
    let model: any FrontierModel
    /// Told of the points that are done.
    var monitor: SolverMonitor?

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
        let parts = monitor?.divide(into: count)
        let first = model.point(try model.leastRisk())
        let last = try largestReturn()
        let span = last.expectedReturn - first.expectedReturn
        guard span > 1e-10 * model.frontierUnit, last.risk > first.risk else { return [first] }
        parts?.finished(2)
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
                    try self.chain(part.map { Double($0) / Double(count - 1) }, by: axis, from: first, to: last, parts)
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
        _ shares: [Double], by axis: FrontierAxis, from first: Point, to last: Point, _ parts: SolverMonitor.Parts?
    ) throws(Problem) -> [Point] {
        switch axis {
        case .expectedReturn:
            var points: [Point] = []
            for share in shares {
                let level = first.expectedReturn + share * (last.expectedReturn - first.expectedReturn)
                let near = (points.last ?? first).weights
                points.append(model.point(try model.leastRisk(atLeast: level, near: near).weights))
                parts?.finished()
            }
            return points
        case .risk:
            var search = RiskSearch(model: model, from: first, to: last)
            return try shares.map { (share) throws(Problem) in
                defer { parts?.finished() }
                return try search.point(atRisk: first.risk + share * (last.risk - first.risk))
            }
        }
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

    /// The portfolio of largest return, of least risk among those.
    private func largestReturn() throws(Problem) -> Point {
        let found = try model.mostReturn()
        let best = model.point(found.weights)
        if found.isOnly { return best }
        // Where several portfolios share the largest return, the last digits of slack let the quadratic program choose.
        let level = best.expectedReturn - 1e-12 * model.frontierUnit
        guard let found = try? model.leastRisk(atLeast: level, near: best.weights) else { return best }
        let calmer = model.point(found.weights)
        return calmer.risk < best.risk * (1 - 1e-9) ? calmer : best
    }
}
