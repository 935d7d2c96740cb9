import LinearAlgebra

/// The sample covariance of the assets' returns, per period.
///
/// ```
/// Sigma = (1/(T-1)) (R - 1 mu')' (R - 1 mu')
/// ```
/// One symmetric rank-T update on centred data: T N^2 flops, both triangles filled.
enum SampleCovariance {
    /// N x N; T is at least 2.
    static func estimate(_ panel: ReturnPanel) -> Matrix {
        var centred = panel.returns
        let count = panel.observations
        for asset in panel.assets.indices {
            let deviations = SeriesMath.centred(panel.column(asset))
            for t in 0..<count { centred.storage[asset * count + t] = deviations[t] }
        }
        var covariance = centred.gram()
        let divisor = Double(max(count - 1, 1))
        for index in covariance.storage.indices { covariance.storage[index] /= divisor }
        return covariance
    }
}
