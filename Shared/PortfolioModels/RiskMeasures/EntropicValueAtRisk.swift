import ConvexSolver
public import WireFormat

import RealModule

/// Entropic value at risk.
///
/// ```
/// EVaR(x) = min_{z>0} z ln( (1/T) sum_t exp(-x_t / z) / alpha )
/// ```
/// The derivative in z is ln(1/alpha) - KL(q(z) || 1/T), q(z) proportional to exp(-x/z), and KL falls in z: a bisection on log z.
/// Where KL stays below ln(1/alpha) for every z (alpha T at most the number of worst periods), EVaR is the worst realisation.
///
/// Source: A. Ahmadi-Javid (2012), Entropic Value-at-Risk: A New Coherent Risk Measure, JOTA 155(3).
public struct EntropicValueAtRisk: RiskMeasure {
    public static let code = RiskMeasureCode.evar
    public static let title = "Entropic value at risk"
    public static let degree: Int? = 1
    public static let canBeNegative = true

    private let alpha: Double

    public init(_ parameters: RiskParameters) { alpha = parameters.alpha }

    public func value(of series: ReturnSeries) -> Double { solve(series.values).value }

    public func sensitivity(at x: [Double]) -> [Double] { solve(x).tilt.map { -$0 } }

    private func solve(_ x: [Double]) -> (value: Double, tilt: [Double]) {
        guard let least = x.min(), let most = x.max() else { return (0, []) }
        let count = Double(x.count)
        let spread = most - least
        let worst = x.map { $0 == least ? 1.0 : 0.0 }
        let tied = worst.reduce(0, +)
        guard spread > 0, alpha * count > tied * (1 + 1e-12) else { return (-least, worst.map { $0 / tied }) }
        // Distances above the worst return in units of the spread: exponents are never positive.
        let gap = x.map { ($0 - least) / spread }
        let budget = -Double.log(alpha)
        // The divergence falls in z: Newton's method on log z inside a bracket, to the last digits.
        var low = -690.0
        var high = 690.0
        var at = -2.0
        for _ in 0..<200 {
            let (excess, variance) = divergence(gap, Double.exp(at), budget)
            if excess > 0 { low = at } else { high = at }
            let newton = at + min(max(variance > 0 ? excess / variance : .infinity, -4), 4)
            // What a Newton step of this size leaves is its square; at the root rounding may put it on the bracket's other side.
            if abs(newton - at) < 1e-7 {
                at = newton
                break
            }
            at = newton > low && newton < high ? newton : (low + high) / 2
            if high - low < 1e-13 { break }
        }
        let z = Double.exp(at)
        var tilt = gap.map { Double.exp(-$0 / z) }
        let total = tilt.reduce(0, +)
        for t in tilt.indices { tilt[t] /= total }
        return (-least + spread * z * Double.log(total / (alpha * count)), tilt)
    }

    /// KL(q(z) || 1/T) less the budget, and the variance of the exponents under q, by which it falls in log z.
    private func divergence(_ gap: [Double], _ z: Double, _ budget: Double) -> (excess: Double, variance: Double) {
        var total = 0.0
        var first = 0.0
        var second = 0.0
        for distance in gap {
            let exponent = -distance / z
            let e = Double.exp(exponent)
            total += e
            guard e > 0 else { continue }
            first += e * exponent
            second += e * exponent * exponent
        }
        let mean = first / total
        let divergence = mean - Double.log(total) + Double.log(Double(gap.count))
        return (divergence - budget, second / total - mean * mean)
    }
}

extension EntropicValueAtRisk: TailFormulation {
    /// The ball of a divergence, as a saddle point. Series: in the ball.
    func tail(over argument: [Double], in program: inout RiskProgram) -> TailPiece {
        let ball = TailBall(.entropy, alpha: alpha, probabilities: program.model.probabilities)
        let (quantile, price) = program.addBall(ball, over: argument)
        return TailPiece(
            linear: [.init(quantile, 1), .init(price, ball.radius)],
            shape: .ball(ball.divergence, multiplicity: ball.multiplicity, scale: price), quantile: quantile,
            envelope: .ball(ball.divergence, multiplicity: ball.multiplicity, radius: ball.radius))
    }
}
