import ConvexSolver
public import WireFormat

import RealModule

/// Relativistic value at risk.
///
/// ```
/// RLVaR(x) = max { -q.x : q >= 0, sum q = 1, sum phi(q_t) <= C }
///          = min_{zeta, z>0} zeta + z C + z sum_t phi*((-x_t - zeta) / z)
/// phi(q) = (q^(1+k) - q^(1-k)) / (2k),  C = ln_k(1 / (alpha T)),  ln_k(u) = (u^k - u^-k) / (2k)
/// ```
/// phi'(q) = v is a quadratic equation in u = q^k, so q(v) has a closed form, q'(v) = q / root, phi = q (u - 1/u) / (2k), and two
/// scalars are left: zeta by Newton's method (sum q = 1) inside Newton's method on log z. There, with w = q / root and the mean v'
/// of v under w, d zeta / d log z = -z v' and d sum phi / d log z = -sum w (v - v')^2. Both are kept inside brackets.
/// kappa -> 0 gives EVaR, kappa -> 1 the worst realisation.
///
/// Source: D. Cajas (2023), Portfolio Optimization of Relativistic Value at Risk, SSRN 4378498.
public struct RelativisticValueAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.rlvar
    public static let title = "Relativistic value at risk"
    public static let degree: Int? = 1
    public static let canBeNegative = true

    private let alpha: Double
    private let kappa: Double

    public init(_ parameters: RiskParameters) {
        alpha = parameters.alpha
        kappa = parameters.kappa
    }

    public func value(of series: ReturnSeries) -> Double { solve(series.values).value }

    public func sensitivity(at x: [Double]) -> [Double] { solve(x).tilt.map { -$0 } }

    /// - Parameter multiplicity: how often each return counts, above zero; nil is once.
    func solve(_ x: [Double], multiplicity: [Double]? = nil) -> (value: Double, tilt: [Double]) {
        guard let least = x.min(), let most = x.max() else { return (0, []) }
        let times = multiplicity ?? [Double](repeating: 1, count: x.count)
        let count = times.reduce(0, +)
        let spread = most - least
        let worst = zip(x, times).map { $0 == least ? $1 : 0 }
        let tied = worst.reduce(0, +)
        guard spread > 0, alpha * count > tied * (1 + 1e-12) else { return (-least, worst.map { $0 / tied }) }
        let loss = x.map { (least - $0) / spread }  // from -1 to 0, shifted by the worst
        let budget = deformedLogarithm(1 / (alpha * count))
        // The bracket of log z, and its middle: sum phi falls in z.
        var low = -41.0
        var high = 28.0
        var state = Envelope(loss: loss, times: times, kappa: kappa)
        var at = state.approach(from: -3, budget: budget)
        var found = state.divergence(z: Double.exp(at))
        for _ in 0..<100 {
            let excess = found.sum - budget
            if excess > 0 { low = at } else { high = at }
            let newton = found.spread > 0 ? excess / found.spread : .nan
            // At the root a bracket that ends there would send the search away.
            if abs(newton) < 1e-9 { break }
            let next = at + newton
            let step = next > low && next < high ? max(min(newton, 4), -4) : (low + high) / 2 - at
            state.zeta -= found.mean * Double.exp(at) * step
            at += step
            found = state.divergence(z: Double.exp(at))
            // What a Newton step of this size leaves is its square.
            if abs(step) < 1e-5 { break }
        }
        let z = Double.exp(at)
        let sum = found.sum
        // The primal function at (zeta, z): its error is of second order in both.
        var linear = 0.0
        var mass = 0.0
        for t in loss.indices {
            linear += state.q[t] * loss[t]
            mass += state.q[t]
        }
        let scaled = state.zeta + z * budget + (linear - state.zeta * mass) - z * sum
        return (-least + spread * scaled, state.q.map { $0 / mass })
    }

    private func deformedLogarithm(_ u: Double) -> Double {
        (Double.pow(u, kappa) - Double.pow(u, -kappa)) / (2 * kappa)
    }

    /// q(zeta, z) for one series, with zeta kept between calls as the next start.
    private struct Envelope {
        let loss: [Double]
        let times: [Double]
        let kappa: Double
        var zeta = 0.0
        var q: [Double]

        init(loss: [Double], times: [Double], kappa: Double) {
            self.loss = loss
            self.times = times
            self.kappa = kappa
            q = loss
            zeta = 0
        }

        /// Newton's method on both scalars at once, damped, from a log z: where it gets to is where the brackets begin. Where there is no
        /// minimum inside (near ties of the worst), that is the start itself.
        mutating func approach(from start: Double, budget: Double) -> Double {
            var at = start
            for _ in 0..<20 {
                let z = Double.exp(at)
                var (mass, divergence, w0, w1, w2) = (0.0, 0.0, 0.0, 0.0, 0.0)
                let exponent = 1 / kappa
                for t in loss.indices {
                    let v = (loss[t] - zeta) / z
                    let (u, root) = parts(v)
                    let density = times[t] * Double.pow(u, exponent)
                    mass += density
                    divergence += density * (u - 1 / u)
                    let w = density / root
                    w0 += w
                    w1 += w * v
                    w2 += w * v * v
                }
                // The slopes by zeta and by z; both vanish at the minimum of a convex function.
                let (first, second) = (1 - mass, budget - divergence / (2 * kappa))
                let miss = max(abs(first), abs(second) / max(1, abs(budget)))
                if miss < 1e-9 { return at }
                let determinant = w0 * w2 - w1 * w1
                guard miss.isFinite, determinant > 0 else { break }
                let byZeta = -z * (w2 * first - w1 * second) / determinant
                let byPrice = -z * (w0 * second - w1 * first) / determinant
                // z at most halves or triples, zeta moves with it.
                let share = min(1, byPrice < 0 ? 0.5 * z / -byPrice : 2 * z / max(byPrice, 1e-300))
                zeta += share * byZeta
                at = Double.log(z + share * byPrice)
                guard at > -41, at < 28, abs(zeta) < 1e3 else { break }
            }
            zeta = 0
            return start
        }

        /// Solves sum q = 1 for zeta at the given z.
        /// - Returns: sum phi(q), and under the weights q'(v) the mean of v and the sum of its squared distances from it.
        mutating func divergence(z: Double) -> (sum: Double, mean: Double, spread: Double) {
            // sum q falls in zeta: a bracket around the root, and Newton's step where it stays inside.
            // With losses from -1 to 0 all q are the same or more at one end, and the same or less at the other.
            let even = slope(1 / times.reduce(0, +))
            var lower = -1 - z * even - z
            var upper = -z * even + z
            zeta = min(max(zeta, lower), upper)
            for _ in 0..<200 {
                let (sum, derivative) = mass(zeta, z)
                if abs(sum - 1) < 1e-15 { break }
                if sum > 1 { lower = zeta } else { upper = zeta }
                let next = derivative < 0 ? zeta - (sum - 1) / derivative : .nan
                let step = next > lower && next < upper ? next : (lower + upper) / 2
                if abs(sum - 1) < 1e-7, step == next {
                    zeta = step
                    break
                }
                if step == zeta || upper - lower < 1e-17 * max(1, abs(zeta)) { break }
                zeta = step
            }
            var total = 0.0
            var weight = 0.0
            var first = 0.0
            var second = 0.0
            for t in loss.indices {
                let v = (loss[t] - zeta) / z
                let (u, root) = parts(v)
                q[t] = times[t] * Double.pow(u, 1 / kappa)
                total += q[t] * (u - 1 / u) / (2 * kappa)
                let w = q[t] / root
                let distance = v - first
                weight += w
                if weight > 0 { first += w / weight * distance }
                second += w * distance * (v - first)
            }
            return (total, first, second)
        }

        /// sum q and its derivative in zeta.
        private func mass(_ zeta: Double, _ z: Double) -> (sum: Double, derivative: Double) {
            var sum = 0.0
            var derivative = 0.0
            let exponent = 1 / kappa
            for t in loss.indices {
                let (u, root) = parts((loss[t] - zeta) / z)
                let density = times[t] * Double.pow(u, exponent)
                sum += density
                derivative -= density / root
            }
            return (sum, derivative / z)
        }

        /// u and the root of (1+k) u^2 - 2 k v u - (1-k) = 0.
        private func parts(_ v: Double) -> (u: Double, root: Double) {
            let kv = kappa * v
            let root = (kv * kv + 1 - kappa * kappa).squareRoot()
            // For v < 0 the conjugate form keeps the digits.
            return (kv >= 0 ? (kv + root) / (1 + kappa) : (1 - kappa) / (root - kv), root)
        }

        private func slope(_ q: Double) -> Double {
            ((1 + kappa) * Double.pow(q, kappa) - (1 - kappa) * Double.pow(q, -kappa)) / (2 * kappa)
        }
    }
}

extension RelativisticValueAtRisk: TailFormulation {
    static let startsNearVariance: Set<ObjectiveName> = [.sharpe]

    /// The ball of a divergence, as a saddle point. Series: in the ball.
    func tail(over argument: [Double], in program: inout RiskProgram) -> TailPiece {
        let ball = TailBall(.deformed(kappa: kappa), alpha: alpha, probabilities: program.model.probabilities)
        let (quantile, price) = program.addBall(ball, over: argument)
        return TailPiece(
            linear: [.init(quantile, 1), .init(price, ball.radius)],
            shape: .ball(ball.divergence, multiplicity: ball.multiplicity, scale: price), quantile: quantile,
            envelope: .ball(ball.divergence, multiplicity: ball.multiplicity, radius: ball.radius))
    }
}
