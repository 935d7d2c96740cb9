import LinearAlgebra
import WireFormat

/// The sample mean of each asset's returns, per period.
///
/// ```
/// mu_i = (1/T) sum_t r_ti
/// ```
/// One refinement pass removes the rounding of the first, so constant returns have exactly their own mean.
struct HistoricalMean: MeanEstimator {
    func estimate(_ panel: ReturnPanel) throws(Problem) -> [Double] { Self.estimate(panel) }

    /// N means.
    static func estimate(_ panel: ReturnPanel) -> [Double] { panel.returns.columnMeans }
}
