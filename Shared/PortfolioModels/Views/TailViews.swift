import LinearAlgebra
import WireFormat

/// Entropy pooling with views of conditional values at risk.
///
/// CVaR(p) = min over e of f_e(p) = e + E_p[max(-y - e, 0)] / alpha is concave in p. "At least c" is therefore convex: f_e >= c for
/// every e, of which those at the value at risk of each solution are added until none is violated. "At most c" holds where f_e <= c
/// for one e: the e at which the entropy is least is found on ever finer grids of losses and then moved to the solution's own value at risk,
/// which never raises the entropy, until it stays. An equality is the one of the two that the other views do not satisfy by
/// themselves.
///
/// Source: A. Meucci, D. Ardia, S. Keel (2011), Fully Flexible Extreme Views, Journal of Risk 14; R. T. Rockafellar, S. Uryasev
/// (2000), Optimization of Conditional Value-at-Risk, Journal of Risk 2.
enum TailViews {
    /// A view of one series' CVaR.
    struct Tail {
        var series: [Double]
        var level: Double
        var alpha: Double
        var sense: ViewsRequest.Sense
        var name: String

        /// f_e as a row over periods.
        func row(_ e: Double) -> [Double] { series.map { e + max(-$0 - e, 0) / alpha } }

        /// The value at risk under probabilities: the smallest loss that a share of at most alpha exceeds.
        func valueAtRisk(_ probabilities: [Double]) -> Double {
            let order = series.indices.sorted { series[$0] < series[$1] }
            var mass = 0.0
            for t in order {
                mass += probabilities[t]
                if mass >= alpha * (1 - 1e-12) { return -series[t] }
            }
            return -(order.last.map { series[$0] } ?? 0)
        }

        func conditionalValueAtRisk(_ probabilities: [Double]) -> Double {
            Vector.dot(row(valueAtRisk(probabilities)), probabilities)
        }

        func condition(_ e: Double, isAtMost: Bool) -> ExponentialTilting.Condition {
            let values = row(e)
            return .init(
                values: isAtMost ? values.map { -$0 } : values, level: isAtMost ? -level : level, isEquality: false,
                name: name)
        }
    }

    typealias Solution = (probabilities: [Double], relativeEntropy: Double)

    private static let mostRounds = 200
    private static let gridPoints = 24

    /// - Throws: `OPT-101` where the views contradict each other, `OPT-201` where the rounds do not settle.
    static func solve(
        prior: [Double], conditions: [ExponentialTilting.Condition], tails: [Tail]
    ) throws(Problem) -> Solution {
        let plain = try tilt(prior, conditions)
        guard !tails.isEmpty else { return plain }
        // True where the tail has to become lighter.
        let isAtMost = tails.map { tail in
            switch tail.sense {
            case .atMost: true
            case .atLeast: false
            case .equal: tail.conditionalValueAtRisk(plain.probabilities) > tail.level
            }
        }
        var cuts: [ExponentialTilting.Condition] = []
        var anchors = tails.indices.map { tails[$0].valueAtRisk(plain.probabilities) }
        var isAnchored = tails.indices.map { !isAtMost[$0] }
        func all(_ anchors: [Double], _ isAnchored: [Bool]) -> [ExponentialTilting.Condition] {
            let upper = tails.indices.filter { isAtMost[$0] && isAnchored[$0] }
            return conditions + cuts + upper.map { tails[$0].condition(anchors[$0], isAtMost: true) }
        }
        var current = plain
        for index in tails.indices where isAtMost[index] {
            guard tails[index].conditionalValueAtRisk(current.probabilities) > tails[index].level else {
                isAnchored[index] = true
                continue
            }
            isAnchored[index] = true
            let best = lightest(candidates(tails[index])) { anchor in
                var trial = anchors
                trial[index] = anchor
                return try? tilt(prior, all(trial, isAnchored))
            }
            guard let best else {
                throw Problem(
                    .infeasible, "No probabilities of the panel's periods make this tail as light as its view.",
                    conflict: [tails[index].name])
            }
            anchors[index] = best.anchor
            current = best.found
        }
        for _ in 0..<mostRounds {
            current = try tilt(prior, all(anchors, isAnchored))
            var isSettled = true
            for (index, tail) in tails.enumerated() {
                let own = tail.valueAtRisk(current.probabilities)
                if isAtMost[index] {
                    if abs(own - anchors[index]) > 1e-12 * (abs(own) + 1e-6) {
                        anchors[index] = own
                        isSettled = false
                    }
                } else if tail.conditionalValueAtRisk(current.probabilities) < tail.level - 1e-10 * abs(tail.level) {
                    cuts.append(tail.condition(own, isAtMost: false))
                    isSettled = false
                }
            }
            if isSettled { return current }
        }
        throw Problem(.notConverged, "The views of tails did not settle in \(mostRounds) rounds.")
    }

    /// Losses below the level, ascending: the entropy is least at one of them, where f_e has its kinks.
    private static func candidates(_ tail: Tail) -> [Double] {
        tail.series.map { -$0 }.filter { $0 < tail.level }.sorted()
    }

    /// The anchor of least entropy: an even grid over the losses, then finer ones around the best point.
    private static func lightest(
        _ losses: [Double], _ solution: (Double) -> Solution?
    ) -> (anchor: Double, found: Solution)? {
        var best: (place: Int, found: Solution)?
        var (low, high) = (0, losses.count - 1)
        while low <= high {
            let step = max((high - low) / gridPoints, 1)
            for place in Set(Array(stride(from: low, through: high, by: step)) + [high]).sorted() {
                guard let found = solution(losses[place]) else { continue }
                if found.relativeEntropy < best?.found.relativeEntropy ?? .infinity { best = (place, found) }
            }
            guard step > 1, let best else { break }
            (low, high) = (max(best.place - step, 0), min(best.place + step, losses.count - 1))
        }
        return best.map { (losses[$0.place], $0.found) }
    }

    private static func tilt(
        _ prior: [Double], _ conditions: [ExponentialTilting.Condition]
    ) throws(Problem) -> Solution {
        let found = try ExponentialTilting(prior: prior, conditions: conditions)
        return (found.probabilities, found.relativeEntropy)
    }
}
