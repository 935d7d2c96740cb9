import ConvexSolver
import LinearAlgebra
import WireFormat

/// The portfolio that follows a series of returns most closely, under any linear constraints.
///
/// ```
/// min  sum_t (r_t'w - b_t)^2 / (T - 1)
/// ```
/// Not centred, like the constraint `tracking_error`. It is the utility 2 g'w - w'G w with G = R'R / (T - 1), g = R'b / (T - 1).
///
/// Source: R. Roll (1992), A Mean/Variance Analysis of Tracking Error, JPM 18(4).
struct BenchmarkTracking {
    let panel: ReturnPanel
    /// T returns.
    let benchmark: [Double]
    let constraints: ConstraintSet
    let deadline: SolverDeadline

    /// The optimum.
    /// - Throws: `OPT-101`, `OPT-201/202`, `SYS-201`.
    func solve() throws(Problem) -> ModelSolution {
        let divisor = Double(max(panel.observations - 1, 1))
        var G = panel.returns.gram()
        for index in G.storage.indices { G.storage[index] /= divisor }
        let g = panel.returns.transposedMultiplied(by: benchmark).map { 2 * $0 / divisor }
        return try MeanVariance(mean: g, covariance: G, constraints: constraints, deadline: deadline)
            .solve(.utility, riskFreeRate: 0, riskAversion: 1)
    }

    /// The series that a request names: its returns, or those of its weights; nil where it names none that fits.
    static func series(_ wanted: ConstraintRequest, _ panel: ReturnPanel) -> [Double]? {
        if let given = wanted.benchmarkReturns { return given.aligned(to: panel.dates) }
        guard !wanted.benchmark.isEmpty else { return nil }
        return panel.portfolioReturns(
            panel.assets.map { asset in wanted.benchmark.last { $0.asset == asset }?.value ?? 0 })
    }
}
