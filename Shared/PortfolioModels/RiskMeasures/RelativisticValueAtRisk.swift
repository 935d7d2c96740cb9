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
/// phi'(q) = v is a quadratic equation in q^k, so q(v) has a closed form and two scalars are left: zeta by Newton's method
/// (sum q = 1) inside a bisection on log z (sum phi(q) falls in z). kappa -> 0 gives EVaR, kappa -> 1 the worst realisation.
///
/// Source: D. Cajas (2023), Portfolio Optimization of Relativistic Value at Risk, SSRN 4378498.
public struct RelativisticValueAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.rlvar
    public static let title = "Relativistic value at risk"
    public static let degree: Int? = 1

    private let alpha: Double
    private let kappa: Double

    public init(_ parameters: RiskParameters) {
        alpha = parameters.alpha
        kappa = parameters.kappa
    }

    public func value(of x: [Double]) -> Double { solve(x).value }

    public func sensitivity(at x: [Double]) -> [Double] { solve(x).tilt.map { -$0 } }

    private func solve(_ x: [Double]) -> (value: Double, tilt: [Double]) {
        guard let least = x.min(), let most = x.max() else { return (0, []) }
        let count = Double(x.count)
        let spread = most - least
        let worst = x.map { $0 == least ? 1.0 : 0.0 }
        let tied = worst.reduce(0, +)
        guard spread > 0, alpha * count > tied * (1 + 1e-12) else { return (-least, worst.map { $0 / tied }) }
        let loss = x.map { (least - $0) / spread }  // from -1 to 0, shifted by the worst
        let budget = deformedLogarithm(1 / (alpha * count))
        var low = 1e-3
        var high = 1.0
        var state = Envelope(loss: loss, kappa: kappa)
        while state.divergence(z: high) > budget, high < 1e12 { high *= 4 }
        while state.divergence(z: low) < budget, low > 1e-18 { low /= 16 }
        while high / low > 1 + 1e-10 {
            let middle = (low * high).squareRoot()
            guard middle > low, middle < high else { break }
            if state.divergence(z: middle) > budget { low = middle } else { high = middle }
        }
        let z = (low * high).squareRoot()
        let sum = state.divergence(z: z)
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
        let kappa: Double
        var zeta = 0.0
        var q: [Double]

        init(loss: [Double], kappa: Double) {
            self.loss = loss
            self.kappa = kappa
            q = loss
            zeta = 0
        }

        /// Solves sum q = 1 for zeta at the given z and returns sum phi(q).
        mutating func divergence(z: Double) -> Double {
            // sum q falls in zeta: a bracket around the root, and Newton's step where it stays inside.
            let count = Double(loss.count)
            var lower = -1 - z * abs(slope(1 / count)) - z
            while mass(lower, z).sum < 1 { lower -= z + 1 }
            var upper = z * abs(slope(1)) + z
            while mass(upper, z).sum > 1 { upper += z + 1 }
            zeta = min(max(zeta, lower), upper)
            for _ in 0..<200 {
                let (sum, derivative) = mass(zeta, z)
                if abs(sum - 1) < 1e-14 { break }
                if sum > 1 { lower = zeta } else { upper = zeta }
                let next = derivative < 0 ? zeta - (sum - 1) / derivative : .nan
                let step = next > lower && next < upper ? next : (lower + upper) / 2
                if step == zeta || upper - lower < 1e-17 * max(1, abs(zeta)) { break }
                zeta = step
            }
            var total = 0.0
            for t in loss.indices {
                q[t] = density((loss[t] - zeta) / z)
                total += phi(q[t])
            }
            return total
        }

        /// sum q and its derivative in zeta.
        private func mass(_ zeta: Double, _ z: Double) -> (sum: Double, derivative: Double) {
            var sum = 0.0
            var derivative = 0.0
            for value in loss {
                let density = density((value - zeta) / z)
                sum += density
                if density > 0 { derivative -= 1 / (z * curvature(density)) }
            }
            return (sum, derivative)
        }

        /// q with phi'(q) = v, from the quadratic (1+k) u^2 - 2 k v u - (1-k) = 0 in u = q^k.
        private func density(_ v: Double) -> Double {
            let kv = kappa * v
            let root = (kv * kv + 1 - kappa * kappa).squareRoot()
            // For v < 0 the conjugate form keeps the digits.
            let u = kv >= 0 ? (kv + root) / (1 + kappa) : (1 - kappa) / (root - kv)
            return Double.pow(u, 1 / kappa)
        }

        private func phi(_ q: Double) -> Double {
            q > 0 ? (Double.pow(q, 1 + kappa) - Double.pow(q, 1 - kappa)) / (2 * kappa) : 0
        }

        private func slope(_ q: Double) -> Double {
            ((1 + kappa) * Double.pow(q, kappa) - (1 - kappa) * Double.pow(q, -kappa)) / (2 * kappa)
        }

        private func curvature(_ q: Double) -> Double {
            ((1 + kappa) * Double.pow(q, kappa - 1) + (1 - kappa) * Double.pow(q, -kappa - 1)) / 2
        }
    }
}

extension RelativisticValueAtRisk: TailFormulation {
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
