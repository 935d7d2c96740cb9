import Foundation
import WireFormat

/// Risk measures by plain loops, from the table of `shared/oracle/README.md` alone: what answers are judged by.
///
/// Nothing here is used by the product, and nothing of the product's measures is used here.
struct PlainRisk {
    var alpha = 0.05
    var beta: Double?
    var levels = 100
    var gainLevels: Int?
    var kappa = 0.3
    var kappaGain: Double?
    var power = 2.0
    var target = 0.0
    /// Probabilities of the periods; nil is 1/T each. Measures whose divisor is T - 1 take T/(T-1) times the weighted sum.
    var probabilities: [Double]?

    /// The measure of a series of returns.
    func value(_ code: RiskMeasureCode, _ x: [Double]) -> Double {
        switch code {
        case .mv: (mean(centred(x).map { $0 * $0 }) * unbiased(x)).squareRoot()
        case .kt: mean(centred(x).map { $0 * $0 * $0 * $0 }).squareRoot()
        case .em: pow(mean(centred(x).map { pow(abs($0), 2 * power) }), 1 / power)
        case .mad: mean(centred(x).map { abs($0) })
        case .gmd: gini(x)
        case .msv: (mean(centred(x).map { min($0, 0) * min($0, 0) }) * unbiased(x)).squareRoot()
        case .skt: mean(centred(x).map { pow(min($0, 0), 4) }).squareRoot()
        case .esm: pow(mean(centred(x).map { pow(max(-$0, 0), 2 * power) }), 1 / power)
        case .flpm: mean(x.map { max(target - $0, 0) })
        case .slpm: (mean(x.map { pow(max(target - $0, 0), 2) }) * unbiased(x)).squareRoot()
        case .valueAtRisk: -sorted(x)[rank(x.count)]
        case .cvar: tail(x, alpha)
        case .tailGini: tailGini(x)
        case .evar: entropic(x, alpha)
        case .rlvar: relativistic(x)
        case .worstRealisation: -(x.min() ?? 0)
        case .valueAtRiskRange: value(.valueAtRisk, x) + gain.value(.valueAtRisk, negated(x))
        case .cvarRange: value(.cvar, x) + gain.value(.cvar, negated(x))
        case .tailGiniRange: value(.tailGini, x) + gain.value(.tailGini, negated(x))
        case .evarRange: value(.evar, x) + gain.value(.evar, negated(x))
        case .rlvarRange: value(.rlvar, x) + gain.value(.rlvar, negated(x))
        case .range: (x.max() ?? 0) - (x.min() ?? 0)
        case .maximumDrawdown: drawdowns(x).max() ?? 0
        case .averageDrawdown: mean(drawdowns(x))
        case .ulcerIndex: mean(drawdowns(x).map { $0 * $0 }).squareRoot()
        case .drawdownAtRisk: value(.valueAtRisk, negated(drawdowns(x)))
        case .cdar: value(.cvar, negated(drawdowns(x)))
        case .edar: value(.evar, negated(drawdowns(x)))
        case .rldar: value(.rlvar, negated(drawdowns(x)))
        case .relativeMaximumDrawdown: relativeDrawdowns(x).max() ?? 0
        case .relativeAverageDrawdown: mean(relativeDrawdowns(x))
        case .relativeUlcerIndex: mean(relativeDrawdowns(x).map { $0 * $0 }).squareRoot()
        case .relativeDrawdownAtRisk: value(.valueAtRisk, negated(relativeDrawdowns(x)))
        case .relativeCDaR: value(.cvar, negated(relativeDrawdowns(x)))
        case .relativeEDaR: value(.evar, negated(relativeDrawdowns(x)))
        case .relativeRLDaR: value(.rlvar, negated(relativeDrawdowns(x)))
        }
    }

    /// sum of weights[i] x (i-th smallest).
    static func ordered(_ x: [Double], _ weights: [Double]) -> Double {
        zip(x.sorted(), weights).reduce(0) { $0 + $1.0 * $1.1 }
    }

    // MARK: Parts

    private var gain: PlainRisk {
        var other = self
        other.alpha = beta ?? alpha
        other.levels = gainLevels ?? levels
        other.kappa = kappaGain ?? kappa
        return other
    }

    private func mean(_ x: [Double]) -> Double {
        var sum = 0.0
        if let probabilities {
            for t in x.indices { sum += probabilities[t] * x[t] }
            return sum
        }
        for value in x { sum += value }
        return sum / Double(x.count)
    }

    func centred(_ x: [Double]) -> [Double] {
        let first = mean(x)
        let rest = x.map { $0 - first }
        let second = mean(rest)
        return rest.map { $0 - second }
    }

    private func unbiased(_ x: [Double]) -> Double { Double(x.count) / Double(max(x.count - 1, 1)) }
    private func negated(_ x: [Double]) -> [Double] { x.map { -$0 } }
    private func sorted(_ x: [Double]) -> [Double] { x.sorted() }
    private func rank(_ count: Int) -> Int { max(Int((alpha * Double(count) - 1e-9).rounded(.up)), 1) - 1 }

    private func gini(_ x: [Double]) -> Double {
        let count = Double(x.count)
        if let probabilities {
            // sum over pairs p_s p_t |x_s - x_t| T/(T-1), which is the mean over different pairs where all are 1/T.
            var sum = 0.0
            for s in x.indices { for t in x.indices { sum += probabilities[s] * probabilities[t] * abs(x[s] - x[t]) } }
            return sum * count / (count - 1)
        }
        var sum = 0.0
        for (i, value) in x.sorted().enumerated() { sum += 2 * (2 * Double(i + 1) - 1 - count) * value }
        return sum / (count * (count - 1))
    }

    /// CVaR: the mean of the worst share `level`.
    private func tail(_ x: [Double], _ level: Double) -> Double {
        let order = x.indices.sorted { x[$0] < x[$1] }
        var left = level
        var sum = 0.0
        for t in order {
            let p = probabilities?[t] ?? 1 / Double(x.count)
            if p >= left { return (sum - left * x[t]) / level }
            sum -= p * x[t]
            left -= p
        }
        return sum / level
    }

    private func tailGini(_ x: [Double]) -> Double {
        let grid = (0..<levels).map { 0.0001 + (alpha - 0.0001) * Double($0) / Double(levels - 1) }
        var sum = 0.0
        for (i, level) in grid.enumerated() {
            let factor: Double
            if i == 0 {
                factor = grid[1] * level / (alpha * alpha)
            } else if i == levels - 1 {
                factor = (level - grid[i - 1]) / alpha
            } else {
                factor = (grid[i + 1] - grid[i - 1]) * level / (alpha * alpha)
            }
            sum += factor * tail(x, level)
        }
        return sum
    }

    /// min over z of z ln(mean exp(-x/z) / alpha), by bisection of the derivative, which rises with z.
    private func entropic(_ x: [Double], _ level: Double) -> Double {
        let worst = x.min() ?? 0
        let losses = x.map { worst - $0 }  // -x + worst: at most zero
        let spread = -(losses.min() ?? 0)
        guard spread > 0 else { return -worst }
        func at(_ z: Double) -> (value: Double, slope: Double) {
            let y = losses.map { $0 / z }
            let e = y.map { exp($0) }
            let total = mean(e)
            let moment = mean(zip(e, y).map { $0 * $1 }) / total
            let logarithm = log(total / level)
            return (z * logarithm, logarithm - moment)
        }
        var low = log(spread) - 40
        var high = log(spread) + 40
        for _ in 0..<120 {
            let middle = (low + high) / 2
            if at(exp(middle)).slope > 0 { high = middle } else { low = middle }
        }
        return at(exp((low + high) / 2)).value - worst
    }

    /// max -q.x over probabilities of bounded kappa-entropy, through its dual in the price z of the entropy.
    private func relativistic(_ x: [Double]) -> Double {
        let count = Double(x.count)
        let p = probabilities ?? x.map { _ in 1 / count }
        let scale = (x.max() ?? 0) - (x.min() ?? 0)
        guard scale > 0 else { return -(x.first ?? 0) }
        let loss = x.map { -$0 / scale }
        func deformed(_ u: Double) -> Double { (pow(u, kappa) - pow(u, -kappa)) / (2 * kappa) }
        // With q = T p r, r = 1/T everywhere for the uniform q: the entropy is sum T p (r^(1+k) - r^(1-k)) / 2k.
        let room = deformed(1 / (alpha * count))
        let mass = p.map { $0 * count }
        /// r and its slope in t, by period.
        func roots(_ t: Double, _ z: Double) -> (r: [Double], sum: Double, slope: Double) {
            var r = [Double](repeating: 0, count: loss.count)
            var sum = 0.0
            var slope = 0.0
            for i in loss.indices {
                let y = kappa * (loss[i] - t) / z
                let root = (y * y + 1 - kappa * kappa).squareRoot()
                // The plain form cancels for negative y.
                let u = y >= 0 ? (y + root) / (1 + kappa) : (1 - kappa) / (root - y)
                r[i] = pow(u, 1 / kappa)
                sum += mass[i] * r[i]
                slope -= mass[i] * r[i] / (z * root)
            }
            return (r, sum, slope)
        }
        /// t with sum q = 1: the sum falls in t and is convex, so Newton's steps stay within the bracket once they are on its left.
        func centre(_ z: Double) -> (t: Double, r: [Double]) {
            var low = (loss.min() ?? 0) - 10 * z * count - 10
            var high = (loss.max() ?? 0) + 10 * z * count + 10
            var t = loss.max() ?? 0
            var last = roots(t, z)
            for _ in 0..<200 {
                if last.sum > 1 { low = t } else { high = t }
                let step = (last.sum - 1) / last.slope
                let next = t - step
                t = next > low && next < high ? next : (low + high) / 2
                last = roots(t, z)
                if abs(last.sum - 1) < 1e-14 || high - low < 1e-16 * max(1, abs(t)) { break }
            }
            return (t, last.r)
        }
        func entropy(_ r: [Double]) -> Double {
            zip(mass, r).reduce(0) { $0 + $1.0 * ($1.1 * deformed($1.1)) }
        }
        var low = log(1e-9)
        var high = log(1e6)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if entropy(centre(exp(middle)).r) > room { low = middle } else { high = middle }
        }
        let z = exp((low + high) / 2)
        let (t, r) = centre(z)
        // The dual's value bounds the maximum from above and is flat at its minimum.
        var value = t + z * room
        for i in r.indices { value += mass[i] * (r[i] * (loss[i] - t) - z * r[i] * deformed(r[i])) }
        return scale * value
    }

    private func drawdowns(_ x: [Double]) -> [Double] {
        var sum = 0.0
        var peak = 0.0
        return x.map { value in
            sum += value
            peak = max(peak, sum)
            return peak - sum
        }
    }

    private func relativeDrawdowns(_ x: [Double]) -> [Double] {
        var worth = 1.0
        var peak = 1.0
        return x.map { value in
            worth *= 1 + value
            peak = max(peak, worth)
            return (peak - worth) / peak
        }
    }
}
