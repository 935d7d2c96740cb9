public import WireFormat

/// Square root semi-kurtosis, a measure of degree two.
///
/// ```
/// SKT(x) = sqrt( (1/T) sum_t min(x_t - mean, 0)^4 )
/// ```
/// Source: D. Cajas (2022), Convex Optimization of Portfolio Kurtosis, SSRN 4202967.
public struct SquareRootSemiKurtosis: RiskMeasure {
    public static let code = RiskMeasureCode.skt
    public static let title = "Square root semi-kurtosis"
    public static let degree: Int? = 2

    private let moment: EvenPowerMean

    public init(_ parameters: RiskParameters) { moment = EvenPowerMean(power: 2) }

    public func value(of x: [Double]) -> Double {
        moment.value(of: SeriesMath.centred(x).map { min($0, 0) })
    }

    public func sensitivity(at x: [Double]) -> [Double] {
        SeriesMath.throughMean(moment.slope(at: SeriesMath.centred(x).map { min($0, 0) }))
    }
}
