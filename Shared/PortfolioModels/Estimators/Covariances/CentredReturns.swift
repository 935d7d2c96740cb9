import LinearAlgebra

/// T x N returns less their means.
enum CentredReturns {
    static func of(_ panel: ReturnPanel) -> Matrix {
        var centred = panel.returns
        let count = panel.observations
        for asset in panel.assets.indices {
            let deviations = SeriesMath.centred(panel.column(asset))
            centred.storage.replaceSubrange((asset * count)..<((asset + 1) * count), with: deviations)
        }
        return centred
    }

    /// X'X / T of centred returns, both triangles: the covariance with divisor T, which shrinkage starts from.
    static func covariance(_ centred: Matrix) -> Matrix {
        scaled(centred.gram(), by: 1 / Double(centred.rows))
    }

    static func scaled(_ matrix: Matrix, by factor: Double) -> Matrix {
        var result = matrix
        for index in result.storage.indices { result.storage[index] *= factor }
        return result
    }
}
