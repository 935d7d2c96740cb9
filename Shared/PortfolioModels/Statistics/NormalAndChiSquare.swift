import RealModule

/// The standard normal distribution.
enum NormalDistribution {
    /// The x with P(X <= x) = `probability`, which lies between zero and one.
    ///
    /// A rational start of relative error 1e-9, then one step of Halley's method.
    ///
    /// Source: P. J. Acklam (2003), An Algorithm for Computing the Inverse Normal Cumulative Distribution Function.
    static func quantile(_ probability: Double) -> Double {
        guard probability > 0 else { return -.infinity }
        guard probability < 1 else { return .infinity }
        let edge = 0.02425
        var x: Double
        if probability < edge || probability > 1 - edge {
            let isLow = probability < edge
            let q = (-2 * Double.log(isLow ? probability : 1 - probability)).squareRoot()
            let above = horner(
                q,
                [
                    -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
                    4.374664141464968, 2.938163982698783,
                ])
            let below = horner(q, [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1])
            x = isLow ? above / below : -above / below
        } else {
            let q = probability - 0.5
            let r = q * q
            let above = horner(
                r,
                [
                    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.3577518672690,
                    -30.66479806614716, 2.506628277459239,
                ])
            let below = horner(
                r,
                [
                    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
                    -13.28068155288572, 1,
                ])
            x = above * q / below
        }
        let error = 0.5 * Double.erfc(-x / 2.0.squareRoot()) - probability
        let step = error * (2 * Double.pi).squareRoot() * Double.exp(x * x / 2)
        x -= step / (1 + x * step / 2)
        return x
    }

    private static func horner(_ x: Double, _ coefficients: [Double]) -> Double {
        coefficients.reduce(0) { $0 * x + $1 }
    }
}

/// The chi-square distribution.
enum ChiSquare {
    /// The x with P(X <= x) = `probability`.
    ///
    /// From the cube-root approximation of E. B. Wilson and M. M. Hilferty (1931) by bisection within brackets, so that no start
    /// can fail.
    static func quantile(_ probability: Double, degrees: Double) -> Double {
        guard probability > 0, degrees > 0 else { return 0 }
        guard probability < 1 else { return .infinity }
        let spread = 2 / (9 * degrees)
        let root = 1 - spread + NormalDistribution.quantile(probability) * spread.squareRoot()
        let start = max(degrees * root * root * root, 1e-8)
        var (low, high) = (start, start)
        while low > 1e-300, cumulative(low, degrees: degrees) > probability { low /= 2 }
        while high < 1e300, cumulative(high, degrees: degrees) < probability { high *= 2 }
        for _ in 0..<200 {
            let middle = low + (high - low) / 2
            if middle <= low || middle >= high { break }
            if cumulative(middle, degrees: degrees) < probability { low = middle } else { high = middle }
        }
        return high
    }

    /// P(X <= x): the regularised incomplete gamma function P(k/2, x/2), by its series or its continued fraction.
    ///
    /// Source: NIST Digital Library of Mathematical Functions, 8.7.1 and 8.9.2.
    static func cumulative(_ x: Double, degrees: Double) -> Double {
        let (a, z) = (degrees / 2, x / 2)
        guard z > 0 else { return 0 }
        let scale = Double.exp(a * Double.log(z) - z - Double.logGamma(a))
        if z < a + 1 {
            var term = 1 / a
            var sum = term
            var n = a
            for _ in 0..<10_000 {
                n += 1
                term *= z / n
                sum += term
                if abs(term) < 1e-17 * abs(sum) { break }
            }
            return min(scale * sum, 1)
        }
        let tiny = 1e-300
        var b = z + 1 - a
        var c = 1 / tiny
        var d = 1 / b
        var fraction = d
        for step in 1..<10_000 {
            let k = Double(step)
            let coefficient = -k * (k - a)
            b += 2
            d = coefficient * d + b
            d = 1 / (abs(d) < tiny ? tiny : d)
            c = b + coefficient / c
            c = abs(c) < tiny ? tiny : c
            fraction *= d * c
            if abs(d * c - 1) < 1e-16 { break }
        }
        return max(1 - scale * fraction, 0)
    }
}
