import ConvexSolver
import RealModule

/// The set of dual series of a risk measure: `risk(a) >= q'a` for each q in it, with equality for one.
///
/// `project` turns what a solver believes to be the maximising series into one that is in the set beyond doubt. What a bound is made
/// of has passed through here, so no bound needs trust in a solver.
enum Envelope: Sendable {
    /// The measure is smooth: its gradient at the portfolio takes the place of a series.
    case gradient
    /// `0 <= q <= caps`, adding up to `total` where there is one.
    case capped([Double], total: Double?)
    /// `q >= 0`, `sum q^2 / weights <= 1`
    case ellipsoid([Double])
    /// `q >= 0`, `sum q = 1`, `sum m phi(q / m) <= radius`
    case ball(Divergence, multiplicity: [Double], radius: Double)

    /// Below a permutation of falling weights: for every j the j largest add up to at most the j first weights, all together to as
    /// much as all weights.
    case ordered([Double])

    /// A member of the set near `q`; T numbers.
    func project(_ q: [Double]) -> [Double] {
        var inside = q.map { $0 > 0 && $0.isFinite ? $0 : 0 }
        switch self {
        case .gradient: return q
        case .ordered(let weights): return Self.majorised(q, by: weights)
        case .capped(let caps, let total):
            for t in inside.indices { inside[t] = min(inside[t], caps[t]) }
            if let total { Self.fill(&inside, caps, total) }
            return inside
        case .ellipsoid(let weights):
            var size = 0.0
            for t in inside.indices { size += inside[t] == 0 ? 0 : inside[t] * inside[t] / weights[t] }
            let norm = size.squareRoot()
            return norm > 1 ? inside.map { $0 / norm } : inside
        case .ball(let divergence, let multiplicity, let radius):
            let sum = inside.reduce(0, +)
            let whole = multiplicity.reduce(0, +)
            let uniform = multiplicity.map { $0 / whole }
            guard sum > 0, sum.isFinite else { return uniform }
            return Self.mix(inside.map { $0 / sum }, uniform, divergence, multiplicity, radius)
        }
    }

    /// A member of the set above the nonnegative series `y`, after scaling y down as far as needed: what drawdowns ask for, whose
    /// dual series need not add up to one. Returns the scale.
    func scaleBelow(_ y: [Double]) -> Double {
        switch self {
        case .gradient, .ordered: return 1
        case .capped(let caps, let total):
            var most = 1.0
            for t in y.indices where y[t] > caps[t] { most = min(most, caps[t] / y[t]) }
            let sum = y.reduce(0, +)
            if let total, sum > total { most = min(most, total / sum) }
            return most
        case .ellipsoid(let weights):
            var size = 0.0
            for t in y.indices { size += y[t] * y[t] / weights[t] }
            return min(1, 1 / max(size.squareRoot(), 1e-300))
        case .ball(let divergence, let multiplicity, let radius):
            let sum = y.reduce(0, +)
            let order = y.indices.filter { multiplicity[$0] > 0 }
                .map { (depth: y[$0] / multiplicity[$0], t: $0) }.sorted { $0.depth < $1.depth }.map { $0.t }
            // The member of least divergence above y: max(y, m c), c being what makes it add up to one.
            func fits(_ scale: Double) -> Bool {
                guard let level = Self.waterLevel(y, times: scale, sum: sum, multiplicity, order) else { return false }
                var total = 0.0
                for t in y.indices where multiplicity[t] > 0 {
                    total += multiplicity[t] * divergence.value(max(scale * y[t] / multiplicity[t], level))
                }
                return total <= radius
            }
            let start = min(1, 1 / max(sum, 1e-300))
            if fits(start) { return start }
            var (low, high) = (0.0, 1.0)
            // Losses of rounding come first: 1 - 1e-15, 1 - 1e-14, ...
            var step = 1e-15
            while step < 1 {
                if fits(start * (1 - step)) {
                    low = 1 - step
                    break
                }
                high = 1 - step
                step *= 4
            }
            // What scaling costs the bound is in proportion to the loss: a hundredth of it will do, and any below rounding.
            while 1 - low > 1e-13, high - low > 0.01 * (1 - low) {
                let middle = (low + high) / 2
                if fits(start * middle) { low = middle } else { high = middle }
            }
            return start * low
        }
    }

    /// `q` with the right sum, mixed with the uniform series until no partial sum is too large.
    private static func majorised(_ q: [Double], by weights: [Double]) -> [Double] {
        let count = Double(max(q.count, 1))
        let whole = weights.reduce(0, +)
        let lift = (whole - q.reduce(0, +)) / count
        let lifted = q.map { $0 + lift }
        var (sum, most, even, share) = (0.0, 0.0, 0.0, 0.0)
        for (rank, value) in lifted.sorted(by: >).enumerated() where rank + 1 < q.count {
            sum += value
            most += weights[rank]
            even += whole / count
            if sum > most { share = max(share, min(1, (sum - most) / max(sum - even, .leastNormalMagnitude))) }
        }
        return lifted.map { $0 + share * (whole / count - $0) }
    }

    /// c with `sum max(scale y, m c) = 1`; nil where scale y alone exceeds one.
    /// - Parameter order: where m > 0, ascending in y / m.
    private static func waterLevel(
        _ y: [Double], times scale: Double, sum: Double, _ multiplicity: [Double], _ order: [Int]
    ) -> Double? {
        var above = scale * sum
        guard above <= 1 else { return nil }
        // One scenario after the other goes under water.
        var under = 0.0
        for (rank, t) in order.enumerated() {
            above -= scale * y[t]
            under += multiplicity[t]
            let level = (1 - max(above, 0)) / under
            let next = rank + 1 < order.count ? scale * y[order[rank + 1]] / multiplicity[order[rank + 1]] : .infinity
            if level <= next { return level }
        }
        return nil
    }

    /// Makes the sum right within the caps.
    private static func fill(_ q: inout [Double], _ caps: [Double], _ total: Double) {
        for _ in 0..<60 {
            let sum = q.reduce(0, +)
            if sum > total {
                for t in q.indices { q[t] *= total / sum }
                return
            }
            let missing = total - sum
            guard missing > 0 else { return }
            // To those that already have something first, in proportion.
            let room = q.indices.reduce(0.0) { q[$1] > 0 ? $0 + min(caps[$1] - q[$1], q[$1]) : $0 }
            if room >= missing {
                let share = missing / room
                for t in q.indices where q[t] > 0 { q[t] += share * min(caps[t] - q[t], q[t]) }
            } else {
                let all = q.indices.reduce(0.0) { $0 + caps[$1] - q[$1] }
                guard all > 0 else { return }
                let share = min(1, missing / all)
                for t in q.indices { q[t] += share * (caps[t] - q[t]) }
            }
            if missing <= 1e-16 * total { return }
        }
    }

    /// `q` mixed with the uniform series until the divergence fits.
    private static func mix(
        _ q: [Double], _ uniform: [Double], _ divergence: Divergence, _ multiplicity: [Double], _ radius: Double
    ) -> [Double] {
        func mixed(_ share: Double) -> [Double] { zip(q, uniform).map { (1 - share) * $0 + share * $1 } }
        func fits(_ q: [Double]) -> Bool {
            var total = 0.0
            for t in q.indices where multiplicity[t] > 0 {
                total += multiplicity[t] * divergence.value(q[t] / multiplicity[t])
            }
            return total <= radius
        }
        if fits(q) { return q }
        var (low, high) = (0.0, 1.0)
        var share = 1e-15
        while share < 1 {
            if fits(mixed(share)) {
                high = share
                break
            }
            low = share
            share *= 8
        }
        // What a share costs the bound is in proportion to it: a hundredth of it will do, and any below rounding.
        while high > 1e-13, high - low > 0.01 * high {
            let middle = (low + high) / 2
            if fits(mixed(middle)) { high = middle } else { low = middle }
        }
        return mixed(high)
    }
}
