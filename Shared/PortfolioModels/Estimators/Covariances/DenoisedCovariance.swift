import LinearAlgebra
import WireFormat

/// The sample covariance without the part of its correlations that pure noise explains.
///
/// Eigenvalues of the correlation matrix below the edge of the Marchenko-Pastur law that fits them are noise.
/// ```
/// fixed      noise eigenvalues become their mean, then the diagonal one again
/// spectral   noise eigenvalues become zero, then the diagonal one again
/// shrink     the noise part keeps `alpha` of its correlations and all of its diagonal
/// detone     less the leading `marketComponents` of the raw correlation matrix; the diagonal stays below one
/// ```
/// Detoning leaves the diagonal as it is, as in Riskfolio-Lib.
///
/// Source: M. Lopez de Prado (2020), Machine Learning for Asset Managers, chapter 2.
struct DenoisedCovariance: CovarianceEstimator {
    /// What becomes of the noise.
    enum Kind: Sendable { case fixed, spectral, shrink }

    let kind: Kind
    let bandwidth: Double
    let share: Double
    let detonedComponents: Int

    init(_ kind: Kind, _ request: CovarianceEstimatorRequest) {
        self.kind = kind
        share = request.alpha
        bandwidth = request.bandwidth
        detonedComponents = request.detone ? request.marketComponents : 0
    }

    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let n = panel.assets.count
        var correlation = Correlation(of: SampleCovariance.estimate(panel))
        let eigen: SymmetricEigen
        do { eigen = try SymmetricEigen(correlation.matrix) } catch {
            throw Problem(.unstable, "The correlations have no spectral decomposition: \(error).")
        }
        let ratio = Double(panel.observations) / Double(n)
        let fit = MarchenkoPasturFit(eigenvalues: eigen.values, ratio: ratio, bandwidth: bandwidth)
        let kept = eigen.values.count { $0 > fit.largestNoiseEigenvalue }
        correlation.matrix = denoised(eigen, kept: kept)
        if detonedComponents > 0 {
            let market = part(eigen, from: n - min(detonedComponents, n), to: n)
            for index in market.storage.indices { correlation.matrix.storage[index] -= market.storage[index] }
            correlation.matrix = cleared(correlation.matrix)
        }
        return CovarianceEstimate(correlation.covariance)
    }

    private func denoised(_ eigen: SymmetricEigen, kept: Int) -> Matrix {
        let n = eigen.values.count
        let noise = n - kept
        var values = eigen.values
        switch kind {
        case .fixed:
            let mean = noise > 0 ? values.prefix(noise).reduce(0, +) / Double(noise) : 0
            for index in 0..<noise { values[index] = mean }
            return normalised(combine(values, eigen.vectors, 0, n))
        case .spectral:
            return normalised(part(eigen, from: noise, to: n))
        case .shrink:
            var result = part(eigen, from: noise, to: n)
            let rest = part(eigen, from: 0, to: noise)
            for j in 0..<n { for i in 0..<n { result[i, j] += i == j ? rest[i, i] : share * rest[i, j] } }
            return result
        }
    }

    /// sum of lambda_k v_k v_k' over a range of components, ascending.
    private func part(_ eigen: SymmetricEigen, from: Int, to: Int) -> Matrix {
        combine(eigen.values, eigen.vectors, from, to)
    }

    private func combine(_ values: [Double], _ vectors: Matrix, _ from: Int, _ to: Int) -> Matrix {
        var result = Matrix(rows: values.count, columns: values.count)
        let chosen = vectors.selecting(columns: Array(from..<to))
        result.gemm(
            chosen.scaled(rows: [Double](repeating: 1, count: values.count), columns: Array(values[from..<to])),
            chosen, transposeSecond: true)
        result.mirrorLowerTriangle()
        return result
    }

    /// With a unit diagonal; an asset of which nothing is left is uncorrelated.
    private func normalised(_ matrix: Matrix) -> Matrix {
        Correlation(of: cleared(matrix)).matrix
    }

    /// Without the rounding that is left of assets whose every component has been taken out.
    private func cleared(_ matrix: Matrix) -> Matrix {
        var cleaned = matrix
        for i in 0..<matrix.rows where matrix[i, i] <= 1e-12 {
            for j in 0..<matrix.rows {
                cleaned[i, j] = 0
                cleaned[j, i] = 0
            }
        }
        return cleaned
    }
}
