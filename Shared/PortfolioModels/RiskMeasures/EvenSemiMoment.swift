public import WireFormat

/// Even semi-moment, a measure of degree two.
///
/// ```
/// ESM(x) = ( (1/T) sum_t min(x_t - mean, 0)^(2p) )^(1/p)
/// ```
/// Source: D. Cajas (2022), Convex Optimization of Portfolio Kurtosis, SSRN 4202967.
public struct EvenSemiMoment: EvenMomentMeasure {
    public static let code = RiskMeasureCode.esm
    public static let title = "Even semi-moment"
    public static let degree: Int? = 2

    static let isOneSided = true
    let moment: EvenPowerMean

    public init(_ parameters: RiskParameters) { moment = EvenPowerMean(power: parameters.power) }
}
