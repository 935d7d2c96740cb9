import ConvexSolver
import LinearAlgebra
import WireFormat

/// Mean-variance under linear constraints and hinges, as the quadratic program it is.
extension MeanRiskSolve {
    func quadratic(_ model: MeanRisk) throws(Problem) -> Solved {
        let plain = MeanVariance(
            mean: moments.mean, covariance: moments.covariance, constraints: constraints, deadline: deadline)
        if let found = try reduction(of: model).solve() {
            var solved = try certified(found, model)
            if solved.solution.dualityGap <= 1e-9 {
                if !found.isActiveSet { solved.solution.method = "interior_point" }
                solved.meanVariance = plain
                return solved
            }
        }
        let found = try plain.solve(
            request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
        let point = MeanRiskPoint(
            objective: request.objective, model: model, weights: found.weights, riskFreeRate: riskFreeRate,
            riskAversion: request.riskAversion, evidence: SolutionEvidence())
        let binding = BindingConstraints(
            prices: found.prices, weights: found.weights, gradient: point.direction, set: constraints)
        let answer = Solved(
            weights: found.weights,
            solution: OptimizeResponse.Solution(
                status: "optimal", objectiveValue: point.objective, expectedReturn: point.expectedReturn,
                risk: point.risk, primalResidual: found.solver.primalResidual, dualResidual: found.solver.dualResidual,
                dualityGap: found.solver.relativeGap, iterations: found.solver.iterations,
                method: found.solver.method,
                binding: binding.binding),
            prices: named(binding.prices, constraints), contributions: contributions(found.weights, model),
            evidence: SolutionEvidence(), meanVariance: plain, meanRisk: model)
        if var exact = try withoutRisk(model, risk: point.risk) {
            exact.meanVariance = plain
            return exact
        }
        return try rescued(answer, plain: found, model)
    }

    /// The answer of a quadratic program that may have lost its digits, or a better one from the scenarios themselves: where the assets' scales
    /// lie far apart, or where next to nothing is left of their variances.
    private func rescued(_ answer: Solved, plain: ModelSolution, _ model: MeanRisk) throws(Problem) -> Solved {
        let variances = moments.covariance.diagonal.filter { $0 > 0 }
        guard let least = variances.min(), let most = variances.max(),
            most > 1e8 * least || most > 1e8 * answer.solution.risk * answer.solution.risk
        else { return answer }
        let own = try certified(Self.solution(plain), model)
        guard !own.isFullyProven else { return answer }
        do throws(Problem) {
            let other = try convex(model)
            return other.error < own.error ? other : answer
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return answer
        }
    }

    /// A quadratic program's solution in the form of the others.
    private static func solution(_ found: ModelSolution) -> MeanRisk.Solution {
        MeanRisk.Solution(
            weights: found.weights, prices: found.prices, evidence: [], costKinks: found.weights.map { _ in 0 },
            isActiveSet: found.solver.isPivoted, iterations: found.solver.iterations,
            primalResidual: found.solver.primalResidual,
            dualResidual: found.solver.dualResidual)
    }

    private func reduction(of model: MeanRisk) -> AssetReduction {
        AssetReduction(
            whole: model, objective: request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion
        ) { (part: MeanRisk) throws(Problem) -> MeanRisk.Solution in try quadraticPart(part) }
    }

    /// A quadratic problem on the assets that matter, in the form of the others.
    func reducedQuadratic(_ model: MeanRisk) throws(Problem) -> MeanRisk.Solution {
        if let found = try reduction(of: model).solve() { return found }
        return try quadraticPart(model)
    }

    func quadraticPart(_ part: MeanRisk) throws(Problem) -> MeanRisk.Solution {
        Self.solution(
            try MeanVariance(
                mean: part.model.mean.map { $0 * part.model.unit }, covariance: part.covariance,
                constraints: part.constraints, deadline: deadline
            ).solve(request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion))
    }
}
