public import WireFormat

/// Square root kurtosis, a measure of degree two.
///
/// ```
/// KT(x) = sqrt( (1/T) sum_t (x_t - mean)^4 )
/// ```
/// Source: D. Cajas (2022), Convex Optimization of Portfolio Kurtosis, SSRN 4202967.
public struct SquareRootKurtosis: EvenMomentMeasure {
    public static let code = RiskMeasureCode.kt
    public static let title = "Square root kurtosis"
    public static let degree: Int? = 2

    static let isOneSided = false
    let moment: EvenPowerMean

    public init(_ parameters: RiskParameters) { moment = EvenPowerMean(power: 2) }
}
