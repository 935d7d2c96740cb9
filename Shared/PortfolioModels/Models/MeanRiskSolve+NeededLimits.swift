import WireFormat

/// Limits that matter alone, where rounding stops the solve of all.
extension MeanRiskSolve {
    /// The answer without the limits that the best portfolio keeps by itself: these have no price, and leave the solver less to trip over.
    /// Nil where all matter, or where rounding stops that too.
    /// - Throws: `SYS-201` if the deadline passes.
    func withNeededLimits(_ model: MeanRisk) throws(Problem) -> Solved? {
        guard !hasOrder else { return nil }
        let set = model.constraints
        let limits = set.convex.map { $0.index }
        var needed: Set<Int> = []
        var best: Solved?
        do throws(Problem) {
            while best == nil, needed.count < limits.count {
                let kept = set.constraints.indices.filter { !limits.contains($0) || needed.contains($0) }
                var part = model
                part.constraints.keep(kept)
                for regularisation in ModelDispatch.regularisations {
                    part.regularisation = regularisation
                    let found = try part.solve(
                        request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
                    let broken = limits.filter { index in
                        let constraint = set.constraints[index]
                        return !needed.contains(index)
                            && constraint.slack(at: found.weights) < -1e-12 * constraint.size(at: found.weights)
                    }
                    guard broken.isEmpty else {
                        needed.formUnion(broken)
                        break
                    }
                    let solved = try certified(found.among(kept, of: set.constraints.count), model)
                    if solved.error < best?.error ?? .infinity { best = solved }
                    if solved.error <= enough { break }
                }
            }
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
        }
        return best
    }
}

extension MeanRisk.Solution {
    /// The solution of some constraints as one of all of them, the others being without a price.
    /// - Parameter count: of all constraints.
    fileprivate func among(_ kept: [Int], of count: Int) -> MeanRisk.Solution {
        var whole = self
        whole.prices = [Double](repeating: 0, count: count)
        for (place, index) in kept.enumerated() { whole.prices[index] = prices[place] }
        whole.evidence = evidence.map { item in
            (item.constraint.map { $0 < kept.count ? kept[$0] : $0 - kept.count + count }, item.evidence)
        }
        return whole
    }
}
