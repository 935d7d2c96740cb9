import LinearAlgebra

/// A covariance taken apart into correlations and standard deviations.
///
/// An asset that does not move has correlation one with itself and zero with the rest.
struct Correlation {
    /// N x N with a unit diagonal.
    var matrix: Matrix
    let deviations: [Double]

    /// - Parameter covariance: N x N with a diagonal that is not negative.
    init(of covariance: Matrix) {
        deviations = covariance.diagonal.map { max($0, 0).squareRoot() }
        let inverse = deviations.map { $0 > 0 ? 1 / $0 : 0 }
        matrix = covariance.scaled(rows: inverse, columns: inverse)
        for i in inverse.indices { matrix[i, i] = 1 }
    }

    /// The covariance of the correlations with the same standard deviations.
    var covariance: Matrix { matrix.scaled(rows: deviations, columns: deviations) }
}
