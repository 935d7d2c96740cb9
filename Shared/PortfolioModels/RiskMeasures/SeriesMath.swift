import RealModule

/// Sums that several measures share: plain loops over one series.
enum SeriesMath {
    /// The mean of `x`; zero for an empty series.
    static func mean(_ x: [Double]) -> Double {
        x.isEmpty ? 0 : x.reduce(0, +) / Double(x.count)
    }

    /// `x` less its mean. The mean is refined once, so that a constant series gives exact zeros.
    static func centred(_ x: [Double]) -> [Double] {
        guard let first = x.first else { return [] }
        if x.allSatisfy({ $0 == first }) { return [Double](repeating: 0, count: x.count) }
        let rough = mean(x)
        var correction = 0.0
        for value in x { correction += value - rough }
        let exact = rough + correction / Double(x.count)
        return x.map { $0 - exact }
    }

    /// Sum of squares divided by T - 1 (by 1 for a single value), square root.
    static func rootMeanSquare(_ x: [Double], divisor: Double) -> Double {
        var sum = 0.0
        for value in x { sum += value * value }
        return (sum / divisor).squareRoot()
    }

    /// T - 1, at least 1.
    static func degreesOfFreedom(_ x: [Double]) -> Double { Double(max(x.count - 1, 1)) }

    /// `slope` less its mean: the derivative of a function of deviations with respect to the returns themselves.
    static func throughMean(_ slope: [Double]) -> [Double] {
        let average = mean(slope)
        return slope.map { $0 - average }
    }
}

/// (mean of |d|^(2p))^(1/p) of deviations d, and its derivative: what KT, EM, SKT and ESM share. Degree 2.
struct EvenPowerMean {
    let power: Double

    func value(of deviations: [Double]) -> Double {
        let scale = deviations.reduce(0) { max($0, abs($1)) }
        guard scale > 0 else { return 0 }
        var sum = 0.0
        for d in deviations where d != 0 { sum += raised(abs(d) / scale, 2 * power) }
        let average = sum / Double(deviations.count)
        return scale * scale * (power == 2 ? average.squareRoot() : Double.pow(average, 1 / power))
    }

    /// Derivative with respect to the deviations.
    func slope(at deviations: [Double]) -> [Double] {
        let scale = deviations.reduce(0) { max($0, abs($1)) }
        guard scale > 0 else { return [Double](repeating: 0, count: deviations.count) }
        let count = Double(deviations.count)
        var sum = 0.0
        for d in deviations where d != 0 { sum += raised(abs(d) / scale, 2 * power) }
        let outer = 2 * scale * Double.pow(sum / count, 1 / power - 1) / count
        return deviations.map { d in
            guard d != 0 else { return 0 }
            return outer * raised(abs(d) / scale, 2 * power - 1) * (d < 0 ? -1 : 1)
        }
    }

    private func raised(_ base: Double, _ exponent: Double) -> Double {
        if exponent == 4 { return (base * base) * (base * base) }
        if exponent == 3 { return base * base * base }
        return Double.pow(base, exponent)
    }
}
