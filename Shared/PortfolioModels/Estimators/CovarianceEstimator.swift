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

/// The covariance estimators by the names that requests use, which are Riskfolio-Lib's where it has the estimator.
public enum CovarianceMethod: String, Sendable, CaseIterable {
    /// The sample covariance, divisor T - 1.
    case hist
    /// The semi-covariance below the means.
    case semi
    /// Exponential weights, normalised.
    case ewma1
    /// Exponential smoothing, started at the first return.
    case ewma2
    /// Ledoit-Wolf towards a multiple of the identity.
    case ledoit
    /// Ledoit-Wolf towards a single-factor model.
    case ledoitSingleFactor = "ledoit_single_factor"
    /// Ledoit-Wolf towards a constant correlation.
    case ledoitConstantCorrelation = "ledoit_constant_correlation"
    /// Oracle approximating shrinkage.
    case oas
    /// Shrinkage by a fixed share.
    case shrunk
    /// The graphical lasso, cross-validated.
    case graphicalLasso = "gl"
    /// Sparse inverse on the maximally filtered graph.
    case jlogo
    /// Denoised: noise eigenvalues averaged.
    case fixed
    /// Denoised: noise eigenvalues removed.
    case spectral
    /// Denoised: noise correlations shrunk.
    case shrink
    /// Gerber statistic over the movements that both assets take part in.
    case gerber0
    /// Gerber statistic over all but the periods in which both rest.
    case gerber1
    /// Gerber statistic scaled by its diagonal: positive semidefinite.
    case gerber2
    /// Pairwise complete observations, made positive semidefinite.
    case pairwise
    /// Figures given by the caller.
    case custom
}

/// The registry of covariance estimators.
public enum CovarianceEstimators {
    /// The estimator of a name.
    /// - Throws: `REQ-104` for a parameter outside its domain.
    public static func make(
        _ method: CovarianceMethod, _ parameters: EstimatorParameters
    ) throws(Problem) -> any CovarianceEstimator {
        let place = ["covariance_estimator"]
        switch method {
        case .hist: return SampleCovariance()
        case .semi: return SemiCovariance()
        case .ewma1: return ExponentialCovariance(decay: try parameters.checkedDecay(place), isAdjusted: true)
        case .ewma2: return ExponentialCovariance(decay: try parameters.checkedDecay(place), isAdjusted: false)
        case .ledoit: return LedoitWolfShrinkage()
        case .ledoitSingleFactor: return SingleFactorShrinkage()
        case .ledoitConstantCorrelation: return ConstantCorrelationShrinkage()
        case .oas: return OracleApproximatingShrinkage()
        case .shrunk: return FixedShrinkage(share: try parameters.checkedShrinkage())
        case .graphicalLasso: return CrossValidatedGraphicalLasso()
        case .jlogo: return LocalGlobalCovariance()
        case .fixed: return try DenoisedCovariance(.fixed, parameters)
        case .spectral: return try DenoisedCovariance(.spectral, parameters)
        case .shrink: return try DenoisedCovariance(.shrink, parameters)
        case .gerber0: return GerberCovariance(.participants, threshold: try parameters.checkedThreshold())
        case .gerber1: return GerberCovariance(.allButNeutral, threshold: try parameters.checkedThreshold())
        case .gerber2: return GerberCovariance(.scaled, threshold: try parameters.checkedThreshold())
        case .pairwise: return PairwiseCovariance()
        case .custom: return CustomCovariance(matrix: parameters.customCovariance)
        }
    }
}

/// A covariance that the caller gives.
struct CustomCovariance: CovarianceEstimator {
    let matrix: Matrix?

    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let pointer = JSONPointer(["covariance_estimator", "values"])
        let count = panel.assets.count
        guard let matrix else {
            throw Problem(pointer, .missing, "The method custom needs a \(count) x \(count) matrix.")
        }
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
