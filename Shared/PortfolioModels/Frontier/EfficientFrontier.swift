import LinearAlgebra
import WireFormat

/// What a frontier asks of a model.
protocol FrontierModel {
    /// The unit of return.
    var frontierUnit: Double { get }
    /// Risk by definition; what `price` differentiates is `curve(risk)`.
    func point(_ weights: [Double]) -> EfficientFrontier.Point
    func leastRisk() throws(Problem) -> [Double]
    /// The weights of least risk at a return, and d curve(risk) / d return.
    func leastRisk(atLeast level: Double) throws(Problem) -> (weights: [Double], price: Double)
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
    func leastRisk(atLeast level: Double) throws(Problem) -> (weights: [Double], price: Double) {
        let found = try minimumRisk(atLeast: level)
        return (found.weights, found.returnPrice)
    }
    func mostReturn() throws(Problem) -> [Double] { try maximumReturn().weights }
    func curve(_ risk: Double) -> Double { risk * risk }
}

extension MeanRisk: FrontierModel {
    var frontierUnit: Double { model.unit }
    func point(_ weights: [Double]) -> EfficientFrontier.Point {
        let x = model.panel.portfolioReturns(weights)
        return .init(
            weights: weights, expectedReturn: Vector.dot(model.mean, weights) * model.unit, risk: measure.value(of: x))
    }
    func leastRisk() throws(Problem) -> [Double] {
        try solve(.minimumRisk, riskFreeRate: 0, riskAversion: 1).weights
    }
    func leastRisk(atLeast level: Double) throws(Problem) -> (weights: [Double], price: Double) {
        let found = try minimumRisk(atLeast: level)
        return (found.solution.weights, found.price)
    }
    func mostReturn() throws(Problem) -> [Double] {
        try solve(.maximumReturn, riskFreeRate: 0, riskAversion: 0).weights
    }
    func curve(_ risk: Double) -> Double { risk }
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
        return points.map { point in
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
        var result = [first]
        for index in 1..<(count - 1) {
            let share = Double(index) / Double(count - 1)
            switch axis {
            case .expectedReturn: result.append(try at(first.expectedReturn + share * span).point)
            case .risk:
                let risk = first.risk + share * (last.risk - first.risk)
                result.append(try largestReturn(risk: risk, above: result[result.count - 1], below: last))
            }
        }
        result.append(last)
        return Self.efficient(result, unit: model.frontierUnit)
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
    private func at(_ level: Double) throws(Problem) -> (point: Point, slope: Double) {
        let found = try model.leastRisk(atLeast: level)
        return (model.point(found.weights), found.price)
    }

    /// The portfolio of largest return, of least risk among those.
    private func largestReturn() throws(Problem) -> Point {
        let best = model.point(try model.mostReturn())
        // Where several portfolios share the largest return, the last digits of slack let the quadratic program choose.
        let level = best.expectedReturn - 1e-12 * model.frontierUnit
        guard let found = try? model.leastRisk(atLeast: level) else { return best }
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
            let (point, slope) = try at(level)
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
