public import WireFormat

/// Even moment, a measure of degree two.
///
/// ```
/// EM(x) = ( (1/T) sum_t (x_t - mean)^(2p) )^(1/p)
/// ```
/// Source: D. Cajas (2022), Convex Optimization of Portfolio Kurtosis, SSRN 4202967.
public struct EvenMoment: EvenMomentMeasure {
    public static let code = RiskMeasureCode.em
    public static let title = "Even moment"
    public static let degree: Int? = 2

    static let isOneSided = false
    let moment: EvenPowerMean

    public init(_ parameters: RiskParameters) { moment = EvenPowerMean(power: parameters.power) }
}
