import LinearAlgebra
import WireFormat

/// The risk measures as the library of a `convention` defines them: the number that it prints.
///
/// Where the definitions agree it is the registry's own measure. They differ in:
///
/// | code | `skfolio` 1.12.2 | `pypfopt` 1.6.0 |
/// |---|---|---|
/// | VaR, DaR, DaR_Rel | -x_(k) with k = floor(alpha T) + 1 | - |
/// | FLPM, SLPM | target = the mean, unless given: MAD / 2 and MSV | - |
/// | KT, SKT | the fourth central and lower moment themselves, degree 4 | - |
/// | MSV | as here | sqrt(mean of min(x, 0)^2): below zero, divisor T |
/// | ranges, EM, ESM, TG, RLVaR, RLDaR | it has none | it has none |
///
/// PyPortfolioOpt evaluates MV, MSV, CVaR and CDaR only.
struct ConventionalRisk: Sendable {
    let code: RiskMeasureCode
    let convention: Convention
    /// `value(c x) = c^degree value(x)`.
    let degree: Int?
    /// A target that the caller named; nil is the library's own choice.
    private let hasTarget: Bool
    private let base: any RiskMeasure

    /// Nil where the library has no such measure.
    /// - Parameter hasTarget: whether the parameters' target is the caller's.
    init?(
        _ code: RiskMeasureCode, _ parameters: RiskParameters, convention: Convention = .riskfolio,
        hasTarget: Bool = true
    ) {
        guard convention == .riskfolio || Self.codes(of: convention).contains(code) else { return nil }
        let isMeanTarget = convention == .skfolio && !hasTarget
        // Below the mean, the two partial moments are these.
        let stand: RiskMeasureCode =
            switch code {
            case .flpm where isMeanTarget: .mad
            case .slpm where isMeanTarget: .msv
            default: code
            }
        guard let base = RiskMeasures.measure(stand, parameters) else { return nil }
        self.code = code
        self.convention = convention
        self.hasTarget = hasTarget
        self.base = base
        let isPower = convention == .skfolio && (code == .kt || code == .skt)
        degree = isPower ? 4 : type(of: base).degree
        alpha = parameters.alpha
    }

    private let alpha: Double

    /// The measures that a library evaluates.
    static func codes(of convention: Convention) -> Set<RiskMeasureCode> {
        switch convention {
        case .riskfolio: everything
        case .skfolio: ofSkfolio
        case .pypfopt: ofPyPortfolioOpt
        }
    }

    private static let everything = Set(RiskMeasureCode.allCases)
    private static let ofPyPortfolioOpt: Set<RiskMeasureCode> = [.mv, .msv, .cvar, .cdar]
    private static let ofSkfolio: Set<RiskMeasureCode> = [
        .mv, .mad, .msv, .flpm, .slpm, .valueAtRisk, .cvar, .evar, .worstRealisation, .gmd, .kt, .skt,
        .maximumDrawdown, .averageDrawdown, .drawdownAtRisk, .cdar, .edar, .ulcerIndex, .relativeMaximumDrawdown,
        .relativeAverageDrawdown, .relativeDrawdownAtRisk, .relativeCDaR, .relativeEDaR, .relativeUlcerIndex,
    ]

    /// The measure of a series of returns per period.
    func value(of series: ReturnSeries) -> Double {
        switch rule {
        case .own: return base.value(of: series)
        case .half: return base.value(of: series) / 2
        case .square:
            let root = base.value(of: series)
            return root * root
        case .nextWorst(let compounded):
            let losses = compounded.map { series.negatedDrawdowns(compounded: $0) } ?? series
            let rank = rank(series.count)
            return series.values.isEmpty ? 0 : -losses.lowest(rank)[rank - 1]
        case .belowZero:
            return SeriesMath.rootMeanSquare(
                series.values.map { min($0, 0) }, divisor: Double(max(series.count, 1)))
        }
    }

    /// The measure of a series that nothing else is asked of.
    func value(of x: [Double]) -> Double { value(of: ReturnSeries(x)) }

    /// How the measure moves with each period's return.
    func sensitivity(at x: [Double]) -> [Double] {
        switch rule {
        case .own: return base.sensitivity(at: x)
        case .half: return base.sensitivity(at: x).map { $0 / 2 }
        case .square:
            let root = base.value(of: x)
            return base.sensitivity(at: x).map { 2 * root * $0 }
        case .nextWorst(let compounded):
            let coefficients = [Double](repeating: 0, count: rank(x.count) - 1) + [-1]
            guard let compounded else { return OrderStatistics(x).spread(coefficients) }
            let series = DrawdownSeries(x, compounded: compounded)
            return series.throughReturns(OrderStatistics(series.asReturns).spread(coefficients).map { -$0 })
        case .belowZero:
            let risk = value(of: x)
            return x.map { risk > 0 && $0 < 0 ? $0 / (Double(x.count) * risk) : 0 }
        }
    }

    /// w_i d risk / d w_i, divided by the degree: N numbers that add up to the risk where it is homogeneous.
    func contributions(weights: [Double], panel: ReturnPanel) -> [Double] {
        if case .own = rule { return base.contributions(weights: weights, panel: panel) }
        let margin = panel.returns.transposedMultiplied(by: sensitivity(at: panel.portfolioReturns(weights)))
        let scale = 1 / Double(degree ?? 1)
        return zip(weights, margin).map { $0 == 0 ? 0 : scale * $0 * $1 }
    }

    private enum Rule {
        case own, half, square, belowZero
        /// Of the returns where nil, else of drawdowns.
        case nextWorst(compounded: Bool?)
    }

    private var rule: Rule {
        switch (convention, code) {
        case (.skfolio, .valueAtRisk): .nextWorst(compounded: nil)
        case (.skfolio, .drawdownAtRisk): .nextWorst(compounded: false)
        case (.skfolio, .relativeDrawdownAtRisk): .nextWorst(compounded: true)
        case (.skfolio, .kt), (.skfolio, .skt): .square
        case (.skfolio, .flpm) where !hasTarget: .half
        case (.pypfopt, .msv): .belowZero
        default: .own
        }
    }

    /// floor(alpha T) + 1, at most T; a product that misses an integer by rounding is that integer.
    private func rank(_ count: Int) -> Int {
        let exact = alpha * Double(count)
        let nearest = exact.rounded()
        let whole = abs(exact - nearest) < 1e-9 * max(1, exact) ? nearest : exact.rounded(.down)
        return min(max(Int(whole) + 1, 1), max(count, 1))
    }
}
