public import LinearAlgebra
public import WireFormat

/// Where the true mean may lie.
public enum MeanUncertainty: Sendable, Equatable {
    /// |m_i - mu_i| <= half-width.
    case box(halfWidths: [Double])
    /// (m - mu)' S^-1 (m - mu) <= k^2.
    case ellipsoid(shape: Matrix, radius: Double)

    /// The least return that a portfolio has over the set: mu'w less d'|w|, or less k sqrt(w'S w).
    public func worstReturn(_ weights: [Double], mean: [Double]) -> Double {
        let expected = Vector.dot(mean, weights)
        switch self {
        case .box(let widths): return expected - zip(widths, weights).reduce(0) { $0 + $1.0 * abs($1.1) }
        case .ellipsoid(let shape, let radius):
            return expected - radius * max(Vector.dot(weights, shape.symmetricMultiplied(by: weights)), 0).squareRoot()
        }
    }
}

/// Where the true covariance may lie.
public enum CovarianceUncertainty: Sendable, Equatable {
    /// Every entry lies between those of two symmetric matrices, which themselves need not be covariances.
    case box(lower: Matrix, upper: Matrix)
    /// vec(C - Sigma)' V^-1 vec(C - Sigma) <= k^2.
    case ellipsoid(shape: Shape, radius: Double)

    /// V, the covariance of the estimated covariance's entries, without its N^2 x N^2 entries wherever there is a shorter way.
    public enum Shape: Sendable, Equatable {
        /// (I + K)(S x S) / T: of normal returns.
        case normal(covariance: Matrix, observations: Int)
        /// Entries that do not depend on each other: their variances, N x N.
        case independent(variances: Matrix)
        /// N^2 x N^2.
        case full(Matrix)

        /// vec(A)' V vec(A) for a symmetric A.
        public func quadratic(_ a: Matrix) -> Double {
            switch self {
            case .normal(let covariance, let observations):
                // K vec(A) = vec(A), so both halves are tr(A S A S).
                let product = a * covariance
                return 2 * Vector.dot(product.storage, product.transposed().storage) / Double(observations)
            case .independent(let variances):
                return zip(a.storage, variances.storage).reduce(0) { $0 + $1.0 * $1.0 * $1.1 }
            case .full(let matrix): return Vector.dot(a.storage, matrix.symmetricMultiplied(by: a.storage))
            }
        }
    }

    /// The largest w'C w over the set: exact for an ellipsoid; for a box where no other asset pair's bound has to be given up to
    /// keep C a covariance, as with the upper matrix positive semidefinite and no short weight.
    public func worstVariance(_ weights: [Double], covariance: Matrix) -> Double {
        switch self {
        case .box(let lower, let upper):
            var sum = 0.0
            for (j, b) in weights.enumerated() {
                for (i, a) in weights.enumerated() {
                    sum += a * b * (a * b >= 0 ? upper[i, j] : lower[i, j])
                }
            }
            return sum
        case .ellipsoid(let shape, let radius):
            var outer = Matrix(rows: weights.count, columns: weights.count)
            for (j, b) in weights.enumerated() { for (i, a) in weights.enumerated() { outer[i, j] = a * b } }
            let variance = Vector.dot(weights, covariance.symmetricMultiplied(by: weights))
            return variance + radius * max(shape.quadratic(outer), 0).squareRoot()
        }
    }
}

/// The uncertainty sets of a request, around the sample's moments.
///
/// ```
/// delta       half-widths are a share of the estimate's magnitude
/// normal      Var m = S / T,  Var s_ij = (s_ii s_jj + s_ij^2) / T;  box at the q/2 quantiles, ellipsoid at chi-square's 1 - q
/// bootstraps  the same figures of resamples: quantiles of each entry, distances of all
/// ```
/// A box always holds the estimate itself. `k` "general" is sqrt((1 - q) / q), which holds for any distribution; a number is taken as
/// it is, for its own set only.
///
/// Source: R. Tutuncu, M. Koenig (2004), Robust Asset Allocation, Annals of Operations Research 132; F. Fabozzi, P. Kolm, D.
/// Pachamanova, S. Focardi (2007), Robust Portfolio Optimization and Management, chapter 12; D. Bertsimas, D. Brown, C. Caramanis
/// (2011), Theory and Applications of Robust Optimization.
public struct UncertaintySets: Sendable, Equatable {
    /// Nil where the mean is taken as it is.
    public let mean: MeanUncertainty?
    /// Nil where the covariance is taken as it is.
    public let covariance: CovarianceUncertainty?

    /// Most entries of a full shape: 134 MB.
    static let mostEntries = 1 << 24

    init(mean: MeanUncertainty?, covariance: CovarianceUncertainty?) {
        self.mean = mean
        self.covariance = covariance
    }

    /// The sets of a panel.
    /// - Throws: `REQ-104` for a block longer than the sample, `DAT-002` where a radius needs more samples than there are, `OPT-301`
    ///   for a full ellipsoid of more than 64 assets.
    public init(_ request: UncertaintyRequest, panel: ReturnPanel) throws(Problem) {
        mean = try MeanUncertainty.make(request.mean, panel)
        covariance = try CovarianceUncertainty.make(request.covariance, panel)
    }
}

extension UncertaintyRequest.Set {
    /// k, where it does not come from the samples themselves.
    func radius(normal: () throws(Problem) -> Double) throws(Problem) -> Double {
        switch radius {
        case .normal: try normal()
        case .general: ((1 - q) / q).squareRoot()
        case .value(let number): number
        }
    }
}
