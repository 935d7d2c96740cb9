import RealModule

/// How far a Sharpe ratio can be believed.
///
/// ```
/// PSR(b) = Phi( (s - b) sqrt(T - 1) / sqrt(1 - g3 s + (g4 - 1)/4 s^2) )
/// DSR    = PSR(b),  b = sd(trials) ((1 - e) Phi^-1(1 - 1/N) + e Phi^-1(1 - 1/(N exp 1)))
/// minTRL = 1 + (1 - g3 s + (g4 - 1)/4 s^2) (Phi^-1(p) / (s - b))^2
/// ```
/// s is the ratio per period (divisor T - 1), g3 and g4 population skewness and kurtosis (3 for a normal distribution), e Euler's constant.
///
/// Source: D. Bailey, M. Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2); (2014), The Deflated
/// Sharpe Ratio, Journal of Portfolio Management 40(5).
public struct SharpeInference: Sendable, Equatable {
    /// Per period.
    public let ratio: Double
    public let shape: SeriesShape
    /// T.
    public let count: Int

    /// From moments, as the papers' examples give them.
    public init(ratio: Double, shape: SeriesShape, count: Int) {
        self.ratio = ratio
        self.shape = shape
        self.count = count
    }

    /// Nil where the series has fewer than three periods or no spread.
    /// - Parameter rate: risk-free, per period.
    public init?(of x: [Double], rate: Double) {
        guard x.count >= 3, let shape = SeriesShape(x) else { return nil }
        let deviation = SeriesMath.rootMeanSquare(
            SeriesMath.centred(x), divisor: SeriesMath.degreesOfFreedom(x))
        let ratio = (SeriesMath.mean(x) - rate) / deviation
        guard ratio.isFinite else { return nil }
        self.init(ratio: ratio, shape: shape, count: x.count)
    }

    /// 1 - g3 s + (g4 - 1)/4 s^2: the ratio's variance times T - 1. Nil where the moments contradict a distribution.
    private var spread: Double? {
        let value = 1 - shape.skewness * ratio + (shape.kurtosis - 1) / 4 * ratio * ratio
        return value > 0 && value.isFinite ? value : nil
    }

    /// The probability that the true ratio is above `benchmark`, per period.
    public func probabilistic(above benchmark: Double = 0) -> Double? {
        spread.map { Self.normal((ratio - benchmark) * Double(max(count - 1, 0)).squareRoot() / $0.squareRoot()) }
    }

    /// The ratio that the best of `trials` strategies without skill is expected to show.
    /// - Parameter deviation: standard deviation of the trials' ratios, per period.
    public static func expectedMaximum(trials: Int, deviation: Double) -> Double {
        guard trials > 1, deviation > 0 else { return 0 }
        let n = Double(trials)
        return deviation
            * ((1 - eulerGamma) * NormalDistribution.quantile(1 - 1 / n)
                + eulerGamma * NormalDistribution.quantile(1 - 1 / (n * Double.exp(1))))
    }

    /// The standard deviation of the ratios of strategies without skill: what stands for that of trials nobody has told.
    public var deviationWithoutSkill: Double { 1 / Double(max(count - 1, 1)).squareRoot() }

    /// Periods after which the ratio would be above `benchmark` with `confidence`; nil where it is not above it at all.
    public func minimumTrackRecord(above benchmark: Double = 0, confidence: Double = 0.95) -> Double? {
        guard ratio > benchmark, let spread else { return nil }
        let z = NormalDistribution.quantile(confidence) / (ratio - benchmark)
        let periods = 1 + spread * z * z
        return periods.isFinite ? periods : nil
    }

    private static let eulerGamma = 0.577_215_664_901_532_9

    /// Phi.
    private static func normal(_ z: Double) -> Double { 0.5 * Double.erfc(-z / 2.0.squareRoot()) }
}
