import LinearAlgebra
import RealModule
import WireFormat

/// The graphical lasso with the penalty that predicts left-out returns best.
///
/// Five contiguous folds; four penalties from the largest off-diagonal covariance down to a hundredth of it, then three
/// refinements around the best. Ties go to the smaller penalty. The procedure, with its fixed tolerances on returns that are not
/// rescaled, is scikit-learn's `GraphicalLassoCV`; so are the penalties at which a fold counts as failed.
///
/// Source: J. Friedman, T. Hastie, R. Tibshirani (2008), Sparse Inverse Covariance Estimation with the Graphical Lasso,
/// Biostatistics 9; F. Pedregosa et al. (2011), Scikit-learn, Journal of Machine Learning Research 12.
struct CrossValidatedGraphicalLasso: CovarianceEstimator {
    private static let folds = 5
    private static let penaltiesPerStage = 4
    private static let stages = 4
    private static let mostRounds = 100

    func estimate(_ panel: ReturnPanel) throws(Problem) -> CovarianceEstimate {
        let n = panel.assets.count
        let sample = CentredReturns.covariance(CentredReturns.of(panel))
        guard n > 1 else { return CovarianceEstimate(sample) }
        guard panel.observations >= 2 * Self.folds else {
            throw Problem(
                .tooLittleHistory,
                "gl cross-validates on \(Self.folds) folds: \(panel.observations) returns are too few, \(2 * Self.folds) are the least."
            )
        }
        var largest = 0.0
        for j in 0..<n { for i in 0..<n where i != j { largest = max(largest, abs(sample[i, j])) } }
        // Uncorrelated already: the diagonal is the optimum for every penalty.
        guard largest > 0 else { return CovarianceEstimate(sample) }
        let penalty = bestPenalty(panel, largest: largest)
        guard let found = GraphicalLasso(sample: sample, penalty: penalty, rounds: Self.mostRounds) else {
            throw Problem(
                .unstable,
                "gl left the positive definite matrices at penalty \(penalty): use ledoit or oas for this panel.")
        }
        var warnings: [PortfolioWarning] = []
        if !found.isConverged {
            warnings.append(
                PortfolioWarning(
                    code: "estimator_not_converged", pointer: JSONPointer(["covariance_estimator"]),
                    detail: "gl stopped after \(Self.mostRounds) rounds short of its tolerance."))
        }
        return CovarianceEstimate(found.covariance, warnings: warnings)
    }

    /// The penalty of the largest mean score.
    private func bestPenalty(_ panel: ReturnPanel, largest: Double) -> Double {
        let folds = Self.split(panel.returns)
        var penalties = Self.logarithmic(from: largest, to: 0.01 * largest, count: Self.penaltiesPerStage)
        var path: [(penalty: Double, score: Double)] = []
        var best = 0
        for _ in 0..<Self.stages {
            let scores = folds.map { score($0.train, $0.test, penalties) }
            for (index, penalty) in penalties.enumerated() {
                let mean = scores.reduce(0) { $0 + $1[index] } / Double(folds.count)
                path.append((penalty, mean.isNaN ? -.infinity : mean))
            }
            path.sort { $0.penalty > $1.penalty }
            var most = -Double.infinity
            var lastFinite = 0
            for (index, point) in path.enumerated() {
                let isAbsurd = point.score >= 0.1 / Double.ulpOfOne
                if point.score.isFinite, !isAbsurd { lastFinite = index }
                if point.score >= most, !isAbsurd {
                    most = point.score
                    best = index
                }
            }
            let high = best == 0 || best == path.count - 1 || best == lastFinite ? best : best - 1
            let low: Double
            if best == 0 {
                low = path[1].penalty
            } else if best == path.count - 1 {
                low = 0.01 * path[best].penalty
            } else {
                low = path[best + 1].penalty
            }
            let grid = Self.logarithmic(from: path[high].penalty, to: low, count: Self.penaltiesPerStage + 2)
            penalties = Array(grid.dropFirst().dropLast())
        }
        return path[best].penalty
    }

    /// Log-likelihoods of the test returns along a path of penalties, largest first.
    private func score(_ train: Matrix, _ test: Matrix, _ penalties: [Double]) -> [Double] {
        var start = train
        return penalties.map { penalty in
            guard
                let found = GraphicalLasso(
                    sample: train, penalty: penalty, start: start, rounds: Self.mostRounds / 10)
            else { return -.infinity }
            start = found.covariance
            return GaussianLikelihood.value(sample: test, precision: found.precision)
        }
    }

    /// Covariances with divisor T, inside and outside each contiguous fold; the first T mod 5 folds have one period more.
    private static func split(_ returns: Matrix) -> [(train: Matrix, test: Matrix)] {
        let count = returns.rows
        var start = 0
        return (0..<folds).map { fold in
            let length = count / folds + (fold < count % folds ? 1 : 0)
            let inside = Array(start..<(start + length))
            let outside = Array(0..<start) + Array((start + length)..<count)
            start += length
            return (covariance(returns.selecting(rows: outside)), covariance(returns.selecting(rows: inside)))
        }
    }

    private static func covariance(_ returns: Matrix) -> Matrix {
        CentredReturns.covariance(CentredReturns.of(returns))
    }

    private static func logarithmic(from: Double, to: Double, count: Int) -> [Double] {
        let (a, b) = (Double.log10(from), Double.log10(to))
        return (0..<count).map { Double.exp10(a + (b - a) * Double($0) / Double(count - 1)) }
    }
}
