import LinearAlgebra
import WireFormat

/// Solves a tail measure's problem on the scenarios that its tail is likely to hold: those that are worst for a portfolio nearby.
///
/// Without the others the measure is less or equal for every portfolio, and equal for those whose tail is among the kept ones. A
/// solution whose tail is, is therefore that of the whole problem; else the tail joins, and the part is solved again.
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
        let count = whole.model.count
        guard let tails = whole.measure.tails(count: count), objective != .maximumReturn,
            whole.constraints.convex.isEmpty, whole.constraints.soft.isEmpty, whole.reward.kelly == .none
        else { return nil }
        let most = max(tails.losses, tails.gains)
        let first = max(3 * most, count / 10)
        guard (tails.gains > 0 ? 2 : 1) * first < count / 2 else { return nil }
        do throws(Problem) {
            let starts = if let nearby = whole.nearby { [nearby] } else { try neighbours() }
            guard let only = starts.last else { return nil }
            var kept = Set<Int>()
            func take(_ weights: [Double], times: Int) {
                let (losses, gains) = extremes(of: weights, tails, times: times)
                kept.formUnion(losses)
                kept.formUnion(gains)
            }
            for start in starts { take(start, times: (first + most - 1) / most) }
            var part = whole
            // One portfolio that the constraints allow is nearer than equal weights.
            if starts.count == 1, isAllowed(only) { part.nearby = only }
            var iterations = 0
            for _ in 0..<6 where kept.count < count / 2 {
                let scenarios = kept.sorted()
                part.model = whole.model.restricted(toScenarios: scenarios)
                guard var found = try solvePart(part) else { return nil }
                iterations += found.iterations
                let (losses, gains) = extremes(of: found.weights, tails, times: 1)
                if kept.isSuperset(of: losses), kept.isSuperset(of: gains) {
                    found.iterations = iterations
                    found.evidence = found.evidence.map {
                        ($0.constraint, $0.evidence.expanded(scenarios: scenarios, of: whole.model))
                    }
                    return found
                }
                take(found.weights, times: 2)
                part.nearby = found.weights
            }
            return nil
        } catch {
            // What rounding does to a part it need not do to the whole.
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// Mean-variance portfolios, with whose tails the search begins.
    private func neighbours() throws(Problem) -> [[Double]] {
        let mean = whole.model.mean
        guard whole.constraints.lower.allSatisfy({ $0 >= 0 }) else {
            return [
                try MeanVariance(
                    mean: mean.map { $0 * whole.model.unit }, covariance: whole.covariance,
                    constraints: whole.constraints, deadline: whole.deadline
                ).solve(objective, riskFreeRate: riskFreeRate, riskAversion: riskAversion).weights
            ]
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

    /// The scenarios of the tails at these weights, and of tails so many times as large.
    private func extremes(
        of weights: [Double], _ tails: (losses: Int, gains: Int), times: Int
    ) -> (losses: [Int], gains: [Int]) {
        let x = whole.model.returns.multiplied(by: weights)
        let losses = OrderStatistics.smallestPlaces(tails.losses * times, of: x)
        let gains = tails.gains > 0 ? OrderStatistics.smallestPlaces(tails.gains * times, of: x.map { -$0 }) : []
        return (losses, gains)
    }
}
