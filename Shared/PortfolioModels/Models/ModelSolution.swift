import ConvexSolver

/// What a model found: weights, the solver's evidence, and the prices of the named rows.
struct ModelSolution: Sendable {
    /// N weights, cleaned.
    var weights: [Double]
    /// Residuals, gap, iterations.
    var solver: QuadraticSolution
    /// By constraint of the set: improvement of the objective per unit of the caller's level; zero for bounds.
    var prices: [Double]
    /// d variance / d level of a required return, where one was required.
    var returnPrice: Double

    /// Whether its risk cannot be told from zero.
    func isRiskless(_ model: MeanVariance) -> Bool { model.deviation(weights) <= 1e-6 * model.unit }
}

extension QuadraticSolution {
    /// How it was found, as answers say it.
    var method: String {
        isPivoted ? MeanRiskSolve.activeSet : isPolished ? "interior_point+active_set" : "interior_point"
    }
}
