import LinearAlgebra
import WireFormat

extension MeanUncertainty {
    /// The set of a request around the sample's means; nil where it asks for none.
    static func make(_ request: UncertaintyRequest.Set, _ panel: ReturnPanel) throws(Problem) -> MeanUncertainty? {
        guard request.shape != .none else { return nil }
        let count = Double(panel.observations)
        let sample = SampleCovariance.estimate(panel)
        switch request.method {
        case .delta:
            return .box(halfWidths: HistoricalMean.estimate(panel).map { request.delta * abs($0) })
        case .normal:
            guard request.shape == .ellipsoid else {
                let z = NormalDistribution.quantile(1 - request.q / 2)
                return .box(halfWidths: sample.diagonal.map { z * ($0 / count).squareRoot() })
            }
            let shape = sample.scaled(by: 1 / count)
            let radius = try request.radius {
                ChiSquare.quantile(1 - request.q, degrees: Double(panel.assets.count)).squareRoot()
            }
            return .ellipsoid(shape: request.isDiagonal ? .diagonal(shape.diagonal) : shape, radius: radius)
        case .stationary, .circular, .moving:
            let bootstrap = try BlockBootstrap(
                request.method, observations: panel.observations, samples: request.samples, window: request.window,
                seed: request.seed)
            let means = bootstrap.means(CentredReturns.of(panel))
            guard request.shape == .ellipsoid else {
                return .box(
                    halfWidths: panel.assets.indices.map { asset in
                        let column = means.column(asset)
                        return
                            (SampleQuantile.of(column, 1 - request.q / 2) - SampleQuantile.of(column, request.q / 2))
                            / 2
                    })
            }
            var shape = Covariation.of(means)
            if request.isDiagonal { shape = .diagonal(shape.diagonal) }
            let radius = try request.radius { () throws(Problem) -> Double in
                try Covariation.distance(means, shape, request, "means")
            }
            return .ellipsoid(shape: shape, radius: radius)
        }
    }
}

/// The spread of resampled figures about the estimate, which is zero here.
enum Covariation {
    /// Covariance of the columns, divisor samples - 1.
    static func of(_ figures: Matrix) -> Matrix {
        CentredReturns.of(figures).gram().scaled(by: 1 / Double(max(figures.rows - 1, 1)))
    }

    /// The 1 - q quantile of the Mahalanobis distances of the rows from zero.
    static func distance(
        _ figures: Matrix, _ shape: Matrix, _ request: UncertaintyRequest.Set, _ what: String
    ) throws(Problem) -> Double {
        let factor = try CovarianceFactor(
            shape, for: "The radius of resampled \(what)", observations: request.samples, place: ["uncertainty"])
        let distances = (0..<figures.rows).map { sample in
            let row = figures.row(sample)
            return Vector.dot(row, factor.solve(row))
        }
        return max(SampleQuantile.of(distances, 1 - request.q), 0).squareRoot()
    }
}
