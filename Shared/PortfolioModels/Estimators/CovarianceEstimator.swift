public import LinearAlgebra
public import WireFormat

/// A covariance and what its caller should know about it.
public struct CovarianceEstimate: Sendable, Equatable {
    /// N x N, symmetric, finite.
    public var matrix: Matrix
    /// Repairs and degenerate cases.
    public var warnings: [PortfolioWarning]

    /// An estimate.
    public init(_ matrix: Matrix, warnings: [PortfolioWarning] = []) {
        self.matrix = matrix
        self.warnings = warnings
    }
}

/// A way to estimate the covariance of the assets' returns, per period.
public protocol CovarianceEstimator: Sendable {
    /// The covariance in the order of the panel's assets.
    /// - Throws: a problem where the estimator is not defined for the panel.
    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate
}

/// The registry of covariance estimators: every name a request may use makes one.
public enum CovarianceEstimators {
    /// The estimator of a request; what it makes of a matrix that is not positive semidefinite is `MomentEstimation`'s.
    public static func make(_ request: CovarianceEstimatorRequest) -> any CovarianceEstimator {
        switch request.method {
        case .hist: SampleCovariance()
        case .semi: SemiCovariance()
        case .ewma1: ExponentialCovariance(decay: request.decay, isAdjusted: true)
        case .ewma2: ExponentialCovariance(decay: request.decay, isAdjusted: false)
        case .ledoit:
            switch request.target {
            case .identity: LedoitWolfShrinkage()
            case .singleFactor: SingleFactorShrinkage()
            case .constantCorrelation: ConstantCorrelationShrinkage()
            }
        case .oas: OracleApproximatingShrinkage()
        case .shrunk: FixedShrinkage(share: request.alpha)
        case .gl: CrossValidatedGraphicalLasso()
        case .jlogo: LocalGlobalCovariance()
        case .fixed: DenoisedCovariance(.fixed, request)
        case .spectral: DenoisedCovariance(.spectral, request)
        case .shrink: DenoisedCovariance(.shrink, request)
        case .gerber0: GerberCovariance(.participants, threshold: request.threshold)
        case .gerber1: GerberCovariance(.allButNeutral, threshold: request.threshold)
        case .gerber2: GerberCovariance(.scaled, threshold: request.threshold)
        case .pairwise: PairwiseCovariance()
        case .custom: CustomCovariance(matrix: request.matrix)
        }
    }
}

/// A covariance that the caller gives.
struct CustomCovariance: CovarianceEstimator {
    let matrix: NamedMatrix?

    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let pointer = JSONPointer(["covariance_estimator", "values"])
        let count = panel.assets.count
        guard let rows = matrix?.ordered(by: panel.assets) else {
            throw Problem(pointer, .missing, "The method custom needs a \(count) x \(count) matrix of these assets.")
        }
        guard rows.allSatisfy({ $0.count == count }) else {
            throw Problem(pointer, .outOfRange, "A \(count) x \(count) matrix is needed.")
        }
        let matrix = Matrix(rows)
        guard matrix.rows == count, matrix.columns == count, matrix.isFinite else {
            throw Problem(pointer, .outOfRange, "A finite \(count) x \(count) matrix is needed.")
        }
        let size = matrix.maximumMagnitude
        for j in 0..<count {
            for i in 0..<j where abs(matrix[i, j] - matrix[j, i]) > 1e-8 * size {
                throw Problem(
                    pointer, .outOfRange, "The matrix is not symmetric: entry (\(i), \(j)) is not that of (\(j), \(i))."
                )
            }
            guard matrix[j, j] >= 0 else {
                throw Problem(pointer, .outOfRange, "The variance of \(Problem.echo(panel.assets[j])) is negative.")
            }
        }
        var symmetric = matrix
        symmetric.mirrorLowerTriangle()
        return CovarianceEstimate(symmetric)
    }
}
