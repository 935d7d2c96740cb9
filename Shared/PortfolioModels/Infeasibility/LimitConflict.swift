import ConvexSolver
import LinearAlgebra
import WireFormat

/// Why limits of risk, distance and concentration cannot hold over a set of linear constraints that can.
///
/// The least relative excess s with `F_j(w) <= (1 + s) level_j` for every limit is a convex program that always has a solution; the
/// limits and rows that have a price in it contradict each other.
struct LimitConflict {
    let model: ScenarioModel
    let covariance: Matrix
    let set: ConstraintSet
    let parameters: RiskParameters
    let deadline: SolverDeadline

    /// The problem to answer with, or nil where the limits can hold, or where rounding leaves that open.
    /// - Parameter isKnown: whether something else has proven that they cannot.
    func problem(at point: [Double], isKnown: Bool = false) throws(Problem) -> Problem? {
        guard !set.convex.isEmpty else { return nil }
        let all = try excess(of: set, at: point)
        guard isKnown || (all.isProven && all.excess > 1e-9) else { return nil }
        // Deletion filter over the limits; of the rest, what has a price.
        var kept = set
        for index in set.convex.map(\.index).reversed() where kept.convex.count > 1 {
            let fewer = kept.without(set.constraints[index].name)
            if try excess(of: fewer, at: point).excess > 1e-9 { kept = fewer }
        }
        let least = try excess(of: kept, at: point)
        let limits = kept.convex.map { kept.constraints[$0.index] }
        let rows = least.priced.filter { name in !limits.contains { $0.name == name } }
        let names = limits.map { $0.name } + rows
        let relaxations = set.convex.compactMap { item -> Problem.Relaxation? in
            let constraint = set.constraints[item.index]
            let value = item.limit.value(all.weights)
            guard value > item.limit.most + 1e-9 * item.limit.size else { return nil }
            let to: Double
            switch item.limit.function {
            case .concentration: to = 1 / (value * (1 + 1e-7))
            case .cone: to = constraint.level + value / item.limit.perLevel * (1 + 1e-7)
            default: to = value / abs(item.limit.perLevel) * (1 + 1e-7)
            }
            return Problem.Relaxation(constraint: constraint.name, from: constraint.level, to: to)
        }
        // Weights that keep every limit contradict whatever the solver says.
        guard isKnown || !relaxations.isEmpty else { return nil }
        let hint = relaxations.map { "\($0.constraint) from \($0.from) to \($0.to)" }.joined(separator: ", ")
        return Problem(
            .infeasible,
            "These constraints cannot all hold: \(names.joined(separator: ", ")). A change that makes it possible: \(hint).",
            errors: limits.map {
                Violation(
                    $0.pointer, .other("conflict"), "\($0.name) cannot hold together with the others.", limit: $0.level)
            },
            conflict: names, relaxation: relaxations)
    }

    private func excess(
        of set: ConstraintSet, at point: [Double]
    ) throws(Problem) -> (excess: Double, isProven: Bool, weights: [Double], priced: [String]) {
        var built = MeanRiskProgram(model: model, covariance: covariance, set: set, point: point, ratioScale: nil)
        built.addLimits(parameters)
        built.relaxLimits()
        let found = CompositeMethod.solve(
            built.program, settings: SolverSettings(maximumIterations: 150, deadline: deadline))
        if found.status == .deadline || found.status == .cancelled {
            throw Problem(.deadline, "The deadline passed while a conflict was being explained.")
        }
        var priced: [String] = []
        for (row, origin) in built.equalityOrigins.enumerated() {
            let price = found.equalityDuals[row]
            guard let origin, abs(price) > 1e-6 else { continue }
            priced.append(set.constraints[price < 0 ? origin.opposite ?? origin.constraint : origin.constraint].name)
        }
        if let term = built.rowTerm, let series = found.dualSeries[term].first {
            for (row, origin) in built.rowOrigins.enumerated() {
                if let origin, series[row] > 1e-6 { priced.append(set.constraints[origin.constraint].name) }
            }
        }
        for ceiling in built.ceilings where found.multipliers[ceiling.term] > 1e-6 {
            priced.append(set.constraints[ceiling.origin.constraint].name)
        }
        let excess = found.v.last ?? 0
        // Weights that keep the limits prove that there are some, whatever the solver says.
        let weights = Array(found.v.prefix(set.assets.count))
        let isProven = found.status == .optimal && found.relativeGap * max(excess, 1) < 0.1 * excess
        return (excess, isProven, weights, priced)
    }
}
