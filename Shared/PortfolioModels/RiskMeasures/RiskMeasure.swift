import LinearAlgebra
public import WireFormat

/// Parameters that risk measures read; the defaults are Riskfolio-Lib's.
public struct RiskParameters: Sendable, Equatable {
    /// Tail probability of the loss side, in (0, 1).
    public var alpha: Double
    /// Tail probability of the gain side of the range measures; `alpha` where absent.
    public var beta: Double?
    /// Number of levels of the Tail Gini on the loss side.
    public var levels: Int
    /// Number of levels on the gain side; `levels` where absent.
    public var gainLevels: Int?
    /// Deformation of the relativistic measures, in (0, 1).
    public var kappa: Double
    /// Deformation on the gain side; `kappa` where absent.
    public var kappaGain: Double?
    /// p of EM and ESM: the moment of order 2p. At least 1.
    public var power: Double
    /// Minimal acceptable return of the lower partial moments, per period.
    public var target: Double

    /// Makes a set of parameters; all have the defaults of the literature.
    public init(
        alpha: Double = 0.05, beta: Double? = nil, levels: Int = 100, gainLevels: Int? = nil, kappa: Double = 0.3,
        kappaGain: Double? = nil, power: Double = 2, target: Double = 0
    ) {
        self.alpha = alpha
        self.beta = beta
        self.levels = levels
        self.gainLevels = gainLevels
        self.kappa = kappa
        self.kappaGain = kappaGain
        self.power = power
        self.target = target
    }

    /// The parameters with those of the gain side in the places of the loss side.
    var gainSide: RiskParameters {
        var side = self
        side.alpha = beta ?? alpha
        side.levels = gainLevels ?? levels
        side.kappa = kappaGain ?? kappa
        return side
    }
}

/// A risk measure of a series of portfolio returns: one file and one line in `RiskMeasures.all`.
///
/// `value(of:)` is the definition. Metrics, verification and risk contributions read it; solvers never do, so an answer can be
/// checked against it.
public protocol RiskMeasure: Sendable {
    /// The code by which requests and answers name the measure.
    static var code: RiskMeasureCode { get }
    /// The measure's name in words.
    static var title: String { get }
    /// `value(of: c x) = c^degree value(of: x)` for c > 0; nil where this does not hold.
    static var degree: Int? { get }

    /// Whether some series has a risk below zero: a tail that is all gains.
    static var canBeNegative: Bool { get }

    /// Takes the parameters that the measure needs.
    init(_ parameters: RiskParameters)

    /// The measure of a series of T returns per period; positive is bad. Zero for an empty series.
    func value(of series: ReturnSeries) -> Double

    /// What a target adds to the measure at `x`: zero for all but the lower partial moments.
    func targetShare(at x: [Double]) -> Double

    /// A (sub)gradient of the measure at `x`, T numbers: how the measure moves with each period's return.
    func sensitivity(at x: [Double]) -> [Double]
}

extension RiskMeasure {
    /// The code, from a value.
    public var code: RiskMeasureCode { Self.code }

    /// The measure of the series `x` of T returns per period.
    public func value(of x: [Double]) -> Double { value(of: ReturnSeries(x)) }

    public func targetShare(at x: [Double]) -> Double { 0 }

    public static var canBeNegative: Bool { false }

    /// Euler's contributions `w_i drisk/dw_i / degree`; they add up to the risk wherever the measure is homogeneous, and to the risk
    /// less `targetShare` for the lower partial moments.
    ///
    /// - Parameters:
    ///   - weights: N weights.
    ///   - panel: the returns, T x N.
    /// - Returns: N contributions per period.
    public func contributions(weights: [Double], panel: ReturnPanel) -> [Double] {
        let x = panel.portfolioReturns(weights)
        // A series of rounding errors has no direction: a portfolio without risk has no contributions.
        let terms = zip(weights, panel.returns.columnMagnitudes).reduce(0) { max($0, abs($1.0) * $1.1) }
        let slope = sensitivity(at: x)
        // Euler: the slope along the series is the degree times the risk.
        let risk = abs(Self.degree.map { Vector.dot(slope, x) / Double($0) } ?? value(of: x))
        guard (Self.degree == 2 ? risk.squareRoot() : risk) > 1e-11 * terms else { return weights.map { _ in 0 } }
        let margin = panel.returns.transposedMultiplied(by: slope)
        let scale = 1 / Double(Self.degree ?? 1)
        return zip(weights, margin).map { $0 == 0 ? 0 : scale * $0 * $1 }
    }

    /// The contributions with what a target adds, so that they add up to the risk of lower partial moments too: it belongs to the weights as
    /// such, and is shared out by them.
    func contributionsWithTarget(weights: [Double], panel: ReturnPanel) -> [Double] {
        let total = weights.reduce(0, +)
        let target = total != 0 ? targetShare(at: panel.portfolioReturns(weights)) / total : 0
        return zip(weights, contributions(weights: weights, panel: panel)).map { $1 + target * $0 }
    }
}
