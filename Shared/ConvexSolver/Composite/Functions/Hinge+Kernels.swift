import LinearAlgebra

/// Passes over the rows of a hinge.
extension Hinge {
    /// Residual, stationarity and force of the first rows; the sum of slope x u.
    static func evaluate(
        _ a: [Double], _ u: [Double], _ slope: [Double], _ slack: [Double], _ dual: [Double], _ multiplier: Double,
        _ residual: inout [Double], _ stationarity: inout [Double], _ force: inout [Double]
    ) -> Double {
        let a = a.span
        let u = u.span
        let slope = slope.span
        let slack = slack.span
        let dual = dual.span
        var residuals = residual.mutableSpan
        var stationary = stationarity.mutableSpan
        var forces = force.mutableSpan
        var product = 0.0
        for t in 0..<a.count {
            residuals[t] = slack[t] - (u[t] - a[t])
            stationary[t] = multiplier * slope[t] - dual[t]
            forces[t] = dual[t]
            product += slope[t] * u[t]
        }
        return product
    }

    static func evaluateSecond(
        _ a: [Double], _ u: [Double], _ slack: [Double], _ dual: [Double], _ reflection: Double,
        _ residual: inout [Double], _ stationarity: inout [Double], _ force: inout [Double]
    ) {
        let a = a.span
        let u = u.span
        let slack = slack.span
        let dual = dual.span
        var residuals = residual.mutableSpan
        var stationary = stationarity.mutableSpan
        var forces = force.mutableSpan
        for t in 0..<a.count {
            residuals[t] = slack[t] - (u[t] - reflection * a[t])
            stationary[t] -= dual[t]
            forces[t] += reflection * dual[t]
        }
    }

    /// 1 / slack and dual / slack.
    static func stiffen(
        _ slack: [Double], _ dual: [Double], _ inverse: inout [Double], _ stiffness: inout [Double]
    ) {
        let slack = slack.span
        let dual = dual.span
        var inverses = inverse.mutableSpan
        var ratios = stiffness.mutableSpan
        for t in 0..<slack.count {
            let one = 1 / slack[t]
            inverses[t] = one
            ratios[t] = dual[t] * one
        }
    }

    /// 1/D and the weights.
    static func curve(
        _ d1: [Double], _ d2: [Double], _ curvature: [Double], _ multiplier: Double, _ w: Double,
        _ inverse: inout [Double], _ weights: inout [Double]
    ) {
        let d1s = d1.span
        let d2s = d2.span
        let ks = curvature.span
        var inverses = inverse.mutableSpan
        var out = weights.mutableSpan
        let crossing = (1 - w) * (1 - w)
        for t in 0..<d1s.count {
            let (a, b, k) = (d1s[t], d2s[t], multiplier * ks[t])
            let share = 1 / (a + b + k)
            inverses[t] = share
            out[t] = (crossing * a * b + k * (a + w * w * b)) * share
        }
    }
}
