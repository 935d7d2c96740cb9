import ConvexSolver
import LinearAlgebra
import WireFormat

/// The allowed portfolio nearest to given weights: what linear constraints make of a rule that knows bounds and budget only.
///
/// ```
/// min  |w - v|^2   under all constraints
/// ```
struct NearestAllowed {
    let weights: [Double]
    let constraints: ConstraintSet
    let deadline: SolverDeadline

    /// Whether the weights are allowed already, up to rounding.
    var isAllowed: Bool {
        constraints.constraints.allSatisfy { $0.slack(at: weights) >= -1e-12 * max(1, abs($0.level)) }
    }

    /// The nearest weights.
    /// - Throws: `OPT-101`, `OPT-201/202`, `SYS-201`.
    func solve() throws(Problem) -> ModelSolution {
        try MeanVariance(
            mean: weights.map { 2 * $0 }, covariance: .identity(weights.count), constraints: constraints,
            deadline: deadline
        ).solve(.utility, riskFreeRate: 0, riskAversion: 1)
    }
}
