import ConvexSolver
import LinearAlgebra
import WireFormat

extension FourMoments {
    /// The solution of the quadratic program that the problem is to second order around a portfolio: a step of Newton within the linear
    /// constraints. It settles which assets are at their bounds where the interior point, next to a portfolio at which one of them enters or
    /// leaves, comes to no more than half of the digits. Nil of ratios and largest means, beside limits that are not linear, and where
    /// rounding stops it.
    /// - Throws: `SYS-201` if the deadline passes.
    func newtonStep(from solution: Solution, _ objective: ObjectiveName) throws(Problem) -> Solution? {
        guard objective == .minimumRisk || objective == .utility, constraints.convex.isEmpty else { return nil }
        let weights = solution.weights
        let direction = FourMomentsPoint(model, aversion, objective: objective, rate: 0, weights: weights).direction
        let hessian = hessian(at: weights)
        // direction'(v - w) - 1/2 (v - w)'H(v - w), less a constant
        let mean = zip(direction, hessian.symmetricMultiplied(by: weights)).map { $0 + $1 }
        do throws(Problem) {
            let found = try MeanVariance(
                mean: mean, covariance: hessian, constraints: constraints, deadline: deadline
            ).solve(.utility, riskFreeRate: 0, riskAversion: 0.5)
            return Solution(
                weights: found.weights, prices: found.prices, limits: [],
                iterations: solution.iterations + found.solver.iterations,
                primalResidual: found.solver.primalResidual, dualResidual: found.solver.dualResidual)
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// Of the risk, in the caller's units.
    private func hessian(at weights: [Double]) -> Matrix {
        let x = model.panel.portfolioReturns(weights)
        let p = model.probabilities
        let centre = Vector.dot(p, x)
        let roots = x.indices.map { t in
            let d = x[t] - centre
            let curvature =
                2 * aversion.variance * model.unbiased - 6 * aversion.skewness * d + 12 * aversion.kurtosis * d * d
            return model.unit * (p[t] * max(curvature, 0)).squareRoot()
        }
        return model.centred.scaled(rows: roots).gram()
    }
}
