import LinearAlgebra
import WireFormat

/// Solves a tail measure's problem on the scenarios that decide it: those that are worst for a mean-variance portfolio, and those that the
/// solution shows to be missing.
struct ScenarioReduction {
    let whole: MeanRisk
    let objective: ObjectiveName
    /// Per period.
    let riskFreeRate: Double
    let riskAversion: Double

    /// Solves the problem of some scenarios.
    let solvePart: (MeanRisk) throws(Problem) -> MeanRisk.Solution?

    /// The solution of the whole problem; nil where it does not reduce.
    /// - Throws: `SYS-201` if the deadline passes.
    func solve() throws(Problem) -> MeanRisk.Solution? {
        guard let tails = whole.deciding, objective != .maximumReturn,
            whole.constraints.convex.isEmpty, whole.constraints.soft.isEmpty, whole.reward.kelly == .none
        else { return nil }
        let starts = if let nearby = whole.nearby { [nearby] } else { try neighbours() }
        guard let only = starts.last else { return nil }
        var part = whole
        var iterations = 0
        // One portfolio that the constraints allow is nearer than equal weights.
        let nearby = starts.count == 1 && isAllowed(only) ? only : nil
        let decided = try tails.decide(
            from: starts, known: whole.deciders, nearby: nearby, isExact: whole.accuracy < MeanRisk.roughly
        ) {
            (model, nearby, isRough) throws(Problem) -> (found: MeanRisk.Solution, weights: [Double])? in
            part.model = model
            part.nearby = nearby
            part.accuracy = isRough ? MeanRisk.roughly : whole.accuracy
            guard let found = try solvePart(part) else { return nil }
            iterations += found.iterations
            return (found, found.weights)
        }
        guard let decided else { return nil }
        var found = decided.found
        found.iterations = iterations
        found.deciders = decided.scenarios
        found.evidence = found.evidence.map {
            ($0.constraint, tails.expanded($0.evidence, decided.scenarios))
        }
        return found
    }

    /// Mean-variance portfolios, with whose tails the search begins; none where there are none.
    private func neighbours() throws(Problem) -> [[Double]] {
        let mean = whole.model.mean
        guard whole.constraints.lower.allSatisfy({ $0 >= 0 }) else {
            do throws(Problem) {
                return [
                    try MeanVariance(
                        mean: mean.map { $0 * whole.model.unit }, covariance: whole.covariance,
                        constraints: whole.constraints, deadline: whole.deadline
                    ).solve(objective, riskFreeRate: riskFreeRate, riskAversion: riskAversion).weights
                ]
            } catch {
                guard error.code != ProblemCode.deadline.rawValue else { throw error }
                return []
            }
        }
        let rate = riskFreeRate / whole.model.unit
        var targets: [[Double]] = []
        if objective != .sharpe { targets.append(mean.map { _ in 1 }) }
        if objective != .minimumRisk { targets.append(mean.map { $0 - rate }) }
        return targets.compactMap { LikelySupport.portfolio(covariance: whole.covariance, target: $0) }
    }

    private func isAllowed(_ weights: [Double]) -> Bool {
        NearestAllowed(weights: weights, constraints: whole.constraints, deadline: whole.deadline).isAllowed
    }
}
