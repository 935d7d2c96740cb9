import RealModule

/// A divergence of probabilities, `sum_t m_t phi(q_t / m_t)`, m_t being the number of times that scenario t counts.
public enum Divergence: Sendable, Equatable {
    /// `phi(q) = q ln q`
    case entropy
    /// `phi(q) = (q^(1+k) - q^(1-k)) / (2k)`: the relativistic one, with 0 < k < 1.
    case deformed(kappa: Double)

    /// phi, phi' and phi'' at q > 0.
    @inline(__always)
    func terms(_ q: Double) -> (value: Double, slope: Double, curvature: Double) {
        let logarithm = Double.log(q)
        switch self {
        case .entropy:
            return (q * logarithm, logarithm + 1, 1 / q)
        case .deformed(let k):
            let power = Double.exp(k * logarithm)
            let inverse = 1 / power
            return (
                q * (power - inverse) / (2 * k), ((1 + k) * power - (1 - k) * inverse) / (2 * k),
                ((1 + k) * power + (1 - k) * inverse) / (2 * q)
            )
        }
    }

    /// The q at which phi' equals a number: the maximiser of `v q - phi(q)`.
    public func inverseSlope(_ v: Double) -> Double { conjugate(v).value }

    /// The maximiser q of `v q - phi(q)`, its derivative by v, and phi(q).
    @inline(__always)
    public func conjugate(_ v: Double) -> (value: Double, slope: Double, divergence: Double) {
        switch self {
        case .entropy:
            let q = Double.exp(v - 1)
            return (q, q, q * (v - 1))
        case .deformed(let k):
            // phi' is a quadratic in q^k. For a negative v the conjugate form has no difference of near numbers.
            let (rest, root) = (1 - k * k, (k * k * v * v + 1 - k * k).squareRoot())
            let power = v >= 0 ? (k * v + root) / (1 + k) : rest / ((root - k * v) * (1 + k))
            let q = Double.pow(power, 1 / k)
            return (q, q / root, q * (power - 1 / power) / (2 * k))
        }
    }

    /// phi alone, with its limit 0 at 0.
    public func value(_ q: Double) -> Double { q > 0 ? terms(q).value : 0 }
}

extension Divergence {
    /// The deformed logarithm that belongs to phi: ln u, or (u^k - u^-k) / (2k).
    public func logarithm(_ u: Double) -> Double {
        switch self {
        case .entropy: Double.log(u)
        case .deformed(let k): (Double.pow(u, k) - Double.pow(u, -k)) / (2 * k)
        }
    }
}
