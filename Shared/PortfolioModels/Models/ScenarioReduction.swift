import LinearAlgebra
import WireFormat

extension ScenarioModel {
    /// The model of some of the scenarios, which keep their probabilities; means, unit and panel stay those of all.
    func restricted(scenarios kept: [Int]) -> ScenarioModel { ScenarioModel(self, scenarios: kept) }
}

extension MeanRisk.Solution {
    /// The solution with the scenarios that were left out: their series are zero.
    func expanded(scenarios kept: [Int], count: Int) -> MeanRisk.Solution {
        func spread(_ series: [Double], _ rest: Double) -> [Double] {
            var whole = [Double](repeating: rest, count: count)
            for (place, t) in kept.enumerated() { whole[t] = series[place] }
            return whole
        }
        var whole = self
        whole.evidence = evidence.map { item in
            var (constraint, evidence) = item
            evidence.duals = evidence.duals.map { spread($0, 0) }
            for i in evidence.pieces.indices {
                guard case .capped(let caps, let total) = evidence.pieces[i].envelope else { continue }
                evidence.pieces[i].envelope = .capped(spread(caps, caps.first ?? 0), total: total)
            }
            return (constraint, evidence)
        }
        return whole
    }
}

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
            let start = if let nearby = whole.nearby { nearby } else { try neighbour() }
            var kept = Set<Int>()
            func take(_ weights: [Double], times: Int) {
                let (losses, gains) = extremes(of: weights, tails, times: times)
                kept.formUnion(losses)
                kept.formUnion(gains)
            }
            take(start, times: (first + most - 1) / most)
            var part = whole
            part.nearby = start
            var iterations = 0
            for _ in 0..<6 where kept.count < count / 2 {
                let scenarios = kept.sorted()
                part.model = whole.model.restricted(scenarios: scenarios)
                guard var found = try solvePart(part) else { return nil }
                iterations += found.iterations
                let (losses, gains) = extremes(of: found.weights, tails, times: 1)
                if kept.isSuperset(of: losses), kept.isSuperset(of: gains) {
                    found.iterations = iterations
                    return found.expanded(scenarios: scenarios, count: count)
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

    /// The mean-variance portfolio of the same objective.
    private func neighbour() throws(Problem) -> [Double] {
        try MeanVariance(
            mean: whole.model.mean.map { $0 * whole.model.unit }, covariance: whole.covariance,
            constraints: whole.constraints, deadline: whole.deadline
        ).solve(objective, riskFreeRate: riskFreeRate, riskAversion: riskAversion).weights
    }

    /// The scenarios of the tails at these weights, and of tails so many times as large.
    private func extremes(
        of weights: [Double], _ tails: (losses: Int, gains: Int), times: Int
    ) -> (losses: [Int], gains: [Int]) {
        let x = whole.model.returns.multiplied(by: weights)
        let losses = OrderStatistics.lowest(tails.losses * times, of: x)
        let gains = tails.gains > 0 ? OrderStatistics.lowest(tails.gains * times, of: x.map { -$0 }) : []
        return (losses, gains)
    }
}
