import WireFormat

/// Soft limits of risk whose penalty outweighs what they cost.
extension MeanRiskSolve {
    /// The answer with the soft convex limits as hard ones, whose prices are below the penalties: exact penalties change nothing but the program's
    /// digits. Nil where there are none, where a penalty is worth paying, or where rounding stops that too.
    /// - Throws: `SYS-201` if the deadline passes.
    func withHardLimits(_ model: MeanRisk) throws(Problem) -> Solved? {
        let set = model.constraints
        var margins = set.soft.map { _ in 0.0 }
        var best: Solved?
        // What the solve leaves beyond a limit costs its penalty, which may be beyond all else: then the limit is tightened by as much.
        for _ in 0..<3 {
            guard let found = try withHardLimits(model, tighterBy: margins) else { return best }
            if found.error < best?.error ?? .infinity { best = found }
            guard !found.isFullyProven else { break }
            let excess = set.soft.map { $0.excess(at: found.weights) }
            guard excess.contains(where: { $0 > 0 }) else { break }
            for i in margins.indices { margins[i] += 2 * excess[i] }
        }
        return best
    }

    private func withHardLimits(_ model: MeanRisk, tighterBy margins: [Double]) throws(Problem) -> Solved? {
        let set = model.constraints
        var (part, hard) = (self, model)
        guard hard.constraints.hardenConvex(by: margins) else { return nil }
        hard.constraints.isExplained = false
        part.constraints = hard.constraints
        do throws(Problem) {
            let found = try part.convex(hard)
            func price(_ name: String) -> Double { found.prices.first { $0.constraint == name }?.dual ?? 0 }
            let unit = request.objective == .sharpe ? found.solution.risk : 1
            var own = found.evidence.soft.makeIterator()
            let soft = set.soft.map { item in
                guard case .convex = item.constraint.kind else { return own.next() ?? SoftEvidence(share: 0) }
                return SoftEvidence(share: unit * price(item.constraint.name) / item.weight)
            }
            guard zip(set.soft, soft).allSatisfy({ $1.share <= 1 }) else { return nil }
            let names = set.constraints.indices.map { set.name(at: $0) } + set.soft.map { $0.constraint.name }
            var evidence: [(constraint: Int?, evidence: RiskEvidence)] = []
            if let objective = found.evidence.objective { evidence.append((nil, objective)) }
            for limit in found.evidence.limits {
                if let place = names.firstIndex(of: limit.name) { evidence.append((place, limit.evidence)) }
            }
            return try certified(
                MeanRisk.Solution(
                    weights: found.weights,
                    prices: set.constraints.map { constraint in
                        if case .bounds = constraint.kind { 0 } else { price(constraint.name) }
                    }, evidence: evidence, costKinks: found.evidence.costKinks,
                    costSlopes: found.evidence.costSlopes, soft: soft, tangents: found.evidence.tangents,
                    iterations: found.solution.iterations, primalResidual: 0, dualResidual: 0), model)
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return nil
        }
    }
}
