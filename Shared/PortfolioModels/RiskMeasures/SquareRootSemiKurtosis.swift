public import WireFormat

/// Square root semi-kurtosis, a measure of degree two.
///
/// ```
/// SKT(x) = sqrt( (1/T) sum_t min(x_t - mean, 0)^4 )
/// ```
/// Source: D. Cajas (2022), Convex Optimization of Portfolio Kurtosis, SSRN 4202967.
public struct SquareRootSemiKurtosis: EvenMomentMeasure {
    public static let code = RiskMeasureCode.skt
    public static let title = "Square root semi-kurtosis"
    public static let degree: Int? = 2

    static let isOneSided = true
    let moment: EvenPowerMean

    public init(_ parameters: RiskParameters) { moment = EvenPowerMean(power: 2) }
}
