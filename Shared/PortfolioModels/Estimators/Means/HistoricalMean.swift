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
    static func estimate(_ panel: ReturnPanel) -> [Double] {
        panel.assets.indices.map { asset in
            let column = panel.column(asset)
            let rough = SeriesMath.mean(column)
            var correction = 0.0
            for value in column { correction += value - rough }
            return rough + correction / Double(column.count)
        }
    }
}
