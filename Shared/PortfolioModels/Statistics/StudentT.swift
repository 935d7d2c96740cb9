import RealModule

/// Student's t distribution.
enum StudentT {
    /// P(|t| > |value|).
    static func twoSided(_ value: Double, degrees: Double) -> Double {
        guard value.isFinite else { return value.isNaN ? .nan : 0 }
        return IncompleteBeta.regularised(degrees / (degrees + value * value), degrees / 2, 0.5)
    }
}

/// The regularised incomplete beta function I_x(a, b).
///
/// Source: NIST Digital Library of Mathematical Functions, 8.17.22, by the method of W. J. Lentz (1976).
enum IncompleteBeta {
    static func regularised(_ x: Double, _ a: Double, _ b: Double) -> Double {
        if x <= 0 { return 0 }
        if x >= 1 { return 1 }
        // The continued fraction converges fast on this side of the mean.
        if x > (a + 1) / (a + b + 2) { return 1 - regularised(1 - x, b, a) }
        let logarithm =
            Double.logGamma(a + b) - Double.logGamma(a) - Double.logGamma(b) + a * Double.log(x)
            + b * Double.log(onePlus: -x)
        let tiny = 1e-300
        var c = 1.0
        var d = 1 - (a + b) * x / (a + 1)
        d = 1 / (abs(d) < tiny ? tiny : d)
        var fraction = d
        for step in 1...500 {
            let m = Double(step)
            for coefficient in [
                m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            ] {
                d = 1 + coefficient * d
                d = 1 / (abs(d) < tiny ? tiny : d)
                c = 1 + coefficient / c
                c = abs(c) < tiny ? tiny : c
                fraction *= c * d
            }
            if abs(c * d - 1) < 1e-16 { break }
        }
        return Double.exp(logarithm) / a * fraction
    }
}
