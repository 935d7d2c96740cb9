import RealModule
import WireFormat

/// Third and fourth standardised moments of a series.
public struct SeriesShape: Sendable, Equatable {
    /// m3 / m2^(3/2) with population moments.
    public let skewness: Double
    /// m4 / m2^2 with population moments: 3 for a normal distribution.
    public let kurtosis: Double
    private let count: Double

    /// Given moments of `count` periods.
    public init(skewness: Double, kurtosis: Double, count: Int) {
        self.skewness = skewness
        self.kurtosis = kurtosis
        self.count = Double(count)
    }

    /// Nil where the series has no spread.
    public init?(_ x: [Double]) {
        let d = SeriesMath.centred(x)
        let scale = d.reduce(0) { max($0, abs($1)) }
        let size = x.reduce(0) { max($0, abs($1)) }
        guard scale > 1e-13 * size else { return nil }
        var (m2, m3, m4) = (0.0, 0.0, 0.0)
        for value in d {
            let u = value / scale
            m2 += u * u
            m3 += u * u * u
            m4 += (u * u) * (u * u)
        }
        count = Double(x.count)
        (m2, m3, m4) = (m2 / count, m3 / count, m4 / count)
        skewness = m3 / (m2 * m2.squareRoot())
        kurtosis = m4 / (m2 * m2)
    }

    /// The two as a library prints them: with small-sample correction and kurtosis in excess of the normal's (Riskfolio-Lib's reports, which are
    /// pandas'), or population moments (skfolio). Nil where the correction needs more periods, and for PyPortfolioOpt, which prints none.
    func printed(_ convention: Convention) -> (skewness: Double?, kurtosis: Double?) {
        switch convention {
        case .skfolio: return (skewness, kurtosis)
        case .pypfopt: return (nil, nil)
        case .riskfolio:
            let n = count
            let skew = n > 2 ? skewness * (n * (n - 1)).squareRoot() / (n - 2) : nil
            let excess = n > 3 ? (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (kurtosis - 3) + 6) : nil
            return (skew, excess)
        }
    }
}
