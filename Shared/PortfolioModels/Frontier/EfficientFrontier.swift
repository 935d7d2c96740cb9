import LinearAlgebra
import WireFormat

/// The efficient frontier of the mean-variance model: exact solutions on an even grid of returns or of risks.
///
/// By return, each point is the least variance at its return. By risk, each point is the largest return at its risk; since
/// v(r), the least variance at return r, is convex with the return row's price as derivative, that return is found by
/// Newton's method on v(r) = risk^2, whose last solve is the point.
struct EfficientFrontier {
    let model: MeanVariance

    /// A point per period.
    struct Point: Sendable {
        var weights: [Double]
        var expectedReturn: Double
        var risk: Double
    }

    /// At most `count` points, ascending in risk; one point where all feasible portfolios have the same return.
    func points(_ count: Int, by axis: FrontierAxis) throws(Problem) -> [Point] {
        let first = point(try model.minimumRisk().weights)
        let last = try largestReturn()
        let span = last.expectedReturn - first.expectedReturn
        guard span > 1e-10 * model.unit, last.risk > first.risk else { return [first] }
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
        return efficient(result)
    }

    /// The points without those that a later one beats: of equal risk up to rounding, and a lower return.
    private func efficient(_ points: [Point]) -> [Point] {
        var kept: [Point] = []
        for point in points.reversed() {
            if let next = kept.last, point.risk >= next.risk - 1e-9 * max(next.risk, 1e-3 * model.unit) { continue }
            kept.append(point)
        }
        return kept.reversed()
    }

    /// The least risk at a return, and d variance / d return there.
    private func at(_ level: Double) throws(Problem) -> (point: Point, slope: Double) {
        let solution = try model.minimumRisk(atLeast: level)
        return (point(solution.weights), solution.returnPrice)
    }

    /// The portfolio of largest return, of least risk among those.
    private func largestReturn() throws(Problem) -> Point {
        let best = point(try model.maximumReturn().weights)
        // Where several portfolios share the largest return, the last digits of slack let the quadratic program choose.
        let level = best.expectedReturn - 1e-12 * model.unit
        guard let solution = try? model.minimumRisk(atLeast: level) else { return best }
        let calmer = point(solution.weights)
        return calmer.risk < best.risk * (1 - 1e-9) ? calmer : best
    }

    private func largestReturn(risk: Double, above: Point, below: Point) throws(Problem) -> Point {
        var low = above.expectedReturn
        var high = below.expectedReturn
        let target = risk * risk
        // Variance is nearly quadratic in the return above its minimum: a start from the end points.
        var level = low + (high - low) * ((risk - above.risk) / (below.risk - above.risk)).squareRoot()
        var best: Point?
        for _ in 0..<60 {
            let (point, slope) = try at(level)
            let miss = point.risk * point.risk - target
            best = point
            if abs(miss) <= 4e-15 * target { break }
            if miss > 0 { high = level } else { low = level }
            let newton = slope > 0 ? level - miss / slope : .nan
            let next = newton > low && newton < high ? newton : (low + high) / 2
            if abs(next - level) <= 1e-15 * max(abs(level), model.unit) { break }
            level = next
        }
        return best ?? above
    }

    private func point(_ weights: [Double]) -> Point {
        Point(weights: weights, expectedReturn: Vector.dot(model.mean, weights), risk: model.deviation(weights))
    }
}
