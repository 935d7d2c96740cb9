import LinearAlgebra
import WireFormat

extension CovarianceUncertainty {
    /// The set of a request around the sample's covariance; nil where it asks for none.
    static func make(
        _ request: UncertaintyRequest.Set, _ panel: ReturnPanel
    ) throws(Problem) -> CovarianceUncertainty? {
        guard request.shape != .none else { return nil }
        let sample = SampleCovariance.estimate(panel)
        switch request.method {
        case .delta:
            return box(sample, halfWidths: sample.storage.map { request.delta * abs($0) })
        case .normal:
            let variances = normalVariances(sample, observations: panel.observations)
            guard request.shape == .ellipsoid else {
                let z = NormalDistribution.quantile(1 - request.q / 2)
                return box(sample, halfWidths: variances.storage.map { z * $0.squareRoot() })
            }
            let n = panel.assets.count
            let radius = try request.radius {
                ChiSquare.quantile(1 - request.q, degrees: Double(n * (n + 1) / 2)).squareRoot()
            }
            return .ellipsoid(
                shape: request.isDiagonal
                    ? .independent(variances: variances)
                    : .normal(covariance: sample, observations: panel.observations),
                radius: radius)
        case .stationary, .circular, .moving:
            return try bootstrapped(request, panel, sample)
        }
    }

    /// (s_ii s_jj + s_ij^2) / T.
    private static func normalVariances(_ sample: Matrix, observations: Int) -> Matrix {
        var result = sample
        for j in 0..<sample.columns {
            for i in 0..<sample.rows {
                let square = sample[i, j] * sample[i, j]
                result[i, j] = (sample[i, i] * sample[j, j] + square) / Double(observations)
            }
        }
        return result
    }

    private static func box(_ center: Matrix, halfWidths: [Double]) -> CovarianceUncertainty {
        var (lower, upper) = (center, center)
        for (index, width) in halfWidths.enumerated() {
            lower.storage[index] -= width
            upper.storage[index] += width
        }
        return .box(lower: lower, upper: upper)
    }

    private static func bootstrapped(
        _ request: UncertaintyRequest.Set, _ panel: ReturnPanel, _ sample: Matrix
    ) throws(Problem) -> CovarianceUncertainty {
        let n = panel.assets.count
        let pairs = (0..<n).flatMap { j in (j..<n).map { (i: $0, j: j) } }
        let isFull = request.shape == .ellipsoid && !request.isDiagonal
        guard !isFull || n * n * n * n <= UncertaintySets.mostEntries else {
            throw Problem(
                .tooLargeProblem,
                "A full ellipsoid of \(n) assets has \(n * n) squared entries: use \"diagonal\": true or the method normal."
            )
        }
        let bootstrap = try BlockBootstrap(
            request.method, observations: panel.observations, samples: request.samples, window: request.window,
            seed: request.seed)
        let centred = CentredReturns.of(panel)
        let means = bootstrap.means(centred)
        if isFull {
            return try full(
                request, bootstrap.covariances(centred, means: means, pairs: pairs.map { ($0.i, $0.j) }), pairs, sample)
        }
        var (lower, upper) = (sample, sample)
        var variances = Matrix(rows: n, columns: n)
        var distances = [Double](repeating: 0, count: request.samples)
        // Columns of a few hundred pairs at a time: memory stays at samples x 256 whatever N is.
        for start in stride(from: 0, to: pairs.count, by: 256) {
            let part = Array(pairs[start..<min(start + 256, pairs.count)])
            let figures = bootstrap.covariances(centred, means: means, pairs: part.map { ($0.i, $0.j) })
            for (k, (i, j)) in part.enumerated() {
                let column = figures.column(k)
                let low = min(SampleQuantile.of(column, request.q / 2), sample[i, j])
                let high = max(SampleQuantile.of(column, 1 - request.q / 2), sample[i, j])
                let deviations = SeriesMath.centred(column)
                let variance = Vector.dot(deviations, deviations) / Double(max(column.count - 1, 1))
                for (a, b) in [(i, j), (j, i)] {
                    lower[a, b] = low
                    upper[a, b] = high
                    variances[a, b] = variance
                }
                guard variance > 0 else { continue }
                let multiplicity = i == j ? 1.0 : 2
                for s in distances.indices {
                    let distance = column[s] - sample[i, j]
                    distances[s] += multiplicity * distance * distance / variance
                }
            }
        }
        guard request.shape == .ellipsoid else { return .box(lower: lower, upper: upper) }
        let radius = try request.radius { SampleQuantile.of(distances, 1 - request.q).squareRoot() }
        return .ellipsoid(shape: .independent(variances: variances), radius: radius)
    }

    /// V over all N^2 entries, from that of the distinct ones, in which distances are measured.
    private static func full(
        _ request: UncertaintyRequest.Set, _ figures: Matrix, _ pairs: [(i: Int, j: Int)], _ sample: Matrix
    ) throws(Problem) -> CovarianceUncertainty {
        let n = sample.rows
        var shifted = figures
        for (k, (i, j)) in pairs.enumerated() {
            for s in 0..<figures.rows { shifted[s, k] -= sample[i, j] }
        }
        let spread = Covariation.of(shifted)
        let radius = try request.radius { () throws(Problem) -> Double in
            try Covariation.distance(shifted, spread, request, "covariances")
        }
        var shape = Matrix(rows: n * n, columns: n * n)
        for (b, (k, l)) in pairs.enumerated() {
            for (a, (i, j)) in pairs.enumerated() {
                for row in Set([i + j * n, j + i * n]) {
                    for column in Set([k + l * n, l + k * n]) { shape[row, column] = spread[a, b] }
                }
            }
        }
        return .ellipsoid(shape: .full(shape), radius: radius)
    }
}
