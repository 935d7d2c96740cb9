import LinearAlgebra
import WireFormat

/// The few scenarios that decide what a measure is near its least point. On them it is less or equal for every portfolio; where it is equal
/// at a solution, that is the solution on all of them.
protocol DecidingScenarios {
    var whole: ScenarioModel { get }
    /// Ascending: those that decide at some portfolios, and those that may near them.
    func likely(at portfolios: [[Double]]) -> [Int]
    /// Whether the first guess rarely holds all: solves are then rough until none is missing.
    static var needsSearch: Bool { get }
    /// What decides at a portfolio and is not among those kept, with what comes next; empty where the kept ones say it all.
    func missing(at weights: [Double], kept: [Int]) -> [Int]
    /// The model on some scenarios.
    func part(_ kept: [Int]) -> ScenarioModel
    /// A dual series of that model as one of the whole.
    func spread(_ series: [Double], _ kept: [Int]) -> [Double]
}

extension DecidingScenarios {
    /// Solves on likely scenarios until none is missing.
    /// - Parameters:
    ///   - portfolios: near the solution.
    ///   - known: scenarios that decided a problem like this one.
    ///   - nearby: where the first solve starts.
    ///   - isExact: whether the solution is wanted to the last digits.
    ///   - solve: solves the problem of some scenarios, to a few digits where that will do; nil ends the search.
    /// - Returns: nil where the search did not end, or a part had no solution: that says nothing of the whole.
    /// - Throws: `SYS-201` if the deadline passes.
    func decide<Found>(
        from portfolios: [[Double]], known: [Int] = [], nearby: [Double]?, isExact: Bool = true,
        _ solve: (
            _ part: ScenarioModel, _ nearby: [Double]?, _ isRough: Bool
        ) throws(Problem) -> (found: Found, weights: [Double])?
    ) throws(Problem) -> (found: Found, scenarios: [Int])? {
        var kept = Set(likely(at: portfolios)).union(known).sorted()
        var nearby = nearby
        var isRough = isExact && Self.needsSearch
        do throws(Problem) {
            for _ in 0..<8 where 2 * kept.count < whole.count {
                guard let (found, weights) = try solve(part(kept), nearby, isRough) else { return nil }
                let missing = missing(at: weights, kept: kept)
                // Where a few digits are wanted a few scenarios may be missing.
                let isEnough = isExact ? missing.isEmpty : 10 * missing.count < kept.count
                if isEnough, !isRough { return (found, kept) }
                // A few that are missing don't move the solution far: what comes next may be it.
                if 30 * missing.count < kept.count { isRough = false }
                kept = Set(kept).union(missing).sorted()
                nearby = weights
            }
            return nil
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }

    /// What a program over some scenarios found, as evidence over all.
    func expanded(_ evidence: RiskEvidence, _ kept: [Int]) -> RiskEvidence {
        let probabilities = whole.probabilities
        var result = evidence
        result.duals = evidence.duals.map { spread($0, kept) }
        // A cap is in proportion to its scenario's probability.
        guard let likeliest = kept.indices.max(by: { probabilities[kept[$0]] < probabilities[kept[$1]] }) else {
            return result
        }
        for i in evidence.sets.indices {
            guard case .capped(let caps, let total) = evidence.sets[i].envelope else { continue }
            let share = caps[likeliest] / probabilities[kept[likeliest]]
            var all = probabilities.map { $0 * share }
            for (place, t) in kept.enumerated() { all[t] = caps[place] }
            result.sets[i].envelope = .capped(all, total: total)
        }
        return result
    }
}

extension MeanRisk {
    /// The scenarios that decide the model's measure; nil where it is about all.
    var deciding: (any DecidingScenarios)? {
        TailScenarios(model, measure: measure) ?? DrawdownPeriods(model, measure: measure)
    }
}
