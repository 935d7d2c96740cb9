import LinearAlgebra
import WireFormat

/// What a solve found as an answer: with the bound that its prices prove, and in the caller's terms.
extension MeanRiskSolve {
    /// What a solve found, with the bound that its prices prove over the portfolios within the model's bounds.
    func certified(_ found: MeanRisk.Solution, _ model: MeanRisk) throws(Problem) -> Solved {
        let constraints = model.constraints
        let found = try settledSoft(found, constraints)
        var best:
            (bound: OptimalityBound, binding: BindingConstraints, point: MeanRiskPoint, evidence: SolutionEvidence)?
        var evidence = SolutionEvidence(found, constraints)
        var prices = found.prices
        for attempt in 0..<3 {
            // The solver's own prices may prove all there is to prove.
            if let best, best.bound.relativeGap <= 1e-12 { break }
            let point = MeanRiskPoint(
                objective: request.objective, model: model, weights: found.weights, riskFreeRate: riskFreeRate,
                riskAversion: request.riskAversion, evidence: evidence)
            // Limits take their share of the direction before the bounds are priced.
            let limits = LimitMinorants(set: constraints, evidence: evidence, model: model, weights: found.weights)
            if attempt > 0 {
                prices = PriceRefinement(
                    set: constraints, limits: limits, weights: found.weights, costs: model.reward.costs
                ).refine(found.prices, direction: point.direction)
            }
            let binding = BindingConstraints(
                prices: prices, weights: found.weights, gradient: limits.reduced(point.direction, prices),
                set: constraints)
            let bound = OptimalityBound(
                request, panel: observed ?? panel, moments: isSample ? nil : moments, weights: found.weights,
                point: point,
                prices: named(binding.prices, constraints), limits: limits,
                periodsPerYear: PortfolioOptimization.periodsPerYear(request, panel),
                exposures: exposures, box: (constraints.lower, constraints.upper), cuts: cuts)
            if bound.relativeGap < best?.bound.relativeGap ?? .infinity { best = (bound, binding, point, evidence) }
            if let settled = settled(evidence, binding, point, model) {
                evidence = settled
            } else if attempt > 0 {
                break
            }
        }
        guard let (bound, binding, point, proven) = best else {
            throw Problem(.notConverged, "No certified solution after \(found.iterations) iterations.")
        }
        return Solved(
            weights: found.weights,
            solution: OptimizeResponse.Solution(
                status: "optimal", objectiveValue: point.objective, expectedReturn: point.expectedReturn,
                risk: point.risk, primalResidual: constraints.residual(at: found.weights),
                dualResidual: found.dualResidual, dualityGap: max(bound.relativeGap, 0), iterations: found.iterations,
                method: found.isActiveSet
                    ? Self.activeSet : found.tangents == nil ? "structured_interior_point" : Self.cuttingPlanes,
                binding: binding.binding + softBinding(proven, point)),
            prices: named(binding.prices, constraints), contributions: contributions(found.weights, model),
            evidence: proven, meanVariance: nil, meanRisk: model, gain: max(bound.gain, 0),
            promise: binding.rest, warnings: softWarnings(found.weights))
    }

    /// Soft constraints that pay a price, in the objective's units.
    private func softBinding(_ evidence: SolutionEvidence, _ point: MeanRiskPoint) -> [OptimizeResponse.Binding] {
        let unit = request.objective == .sharpe && point.risk > 0 ? 1 / point.risk : 1
        return zip(constraints.soft, evidence.soft).compactMap { soft, found in
            guard found.share > 1e-9 else { return nil }
            return .init(constraint: soft.constraint.name, dual: unit * soft.weight * found.share)
        }
    }

    /// How far the answer is beyond soft constraints, and what that costs.
    private func softWarnings(_ weights: [Double]) -> [PortfolioWarning] {
        constraints.soft.compactMap { soft in
            let excess = soft.excess(at: weights)
            // Less is what a solve leaves of a constraint that is kept.
            guard excess > 1e-7 * soft.size(at: weights) else { return nil }
            return PortfolioWarning(
                code: "soft_limit_exceeded", pointer: soft.constraint.pointer,
                detail:
                    "The portfolio is beyond the soft constraint \(soft.constraint.name) by \(excess), which costs the objective \(soft.weight * excess)."
            )
        }
    }

    func named(_ prices: [Double], _ set: ConstraintSet) -> [OptimizeResponse.Binding] {
        zip(set.constraints, prices).filter { $1 != 0 }.map { .init(constraint: $0.name, dual: $1) }
    }

    func contributions(_ weights: [Double], _ model: MeanRisk) -> [Double] {
        // A deviation under other moments is not that of the panel's series.
        if request.riskMeasure == .mv, !isSample { return moments.riskContributions(weights) }
        return model.measure.contributionsWithTarget(weights: weights, panel: panel)
    }

    /// The solution with soft constraints that it breaks by a rounding kept to the letter: at a weight far above the price a rounding would
    /// count for more than the rest.
    private func settledSoft(_ found: MeanRisk.Solution, _ set: ConstraintSet) throws(Problem) -> MeanRisk.Solution {
        var hard = set
        for soft in set.soft {
            if case .convex = soft.constraint.kind { continue }
            let excess = soft.excess(at: found.weights)
            if excess > 0, excess <= 1e-6 * soft.size(at: found.weights) { hard.add([soft.constraint]) }
        }
        guard hard.constraints.count > set.constraints.count else { return found }
        do throws(Problem) {
            var moved = found
            hard.isExplained = false
            moved.weights = try NearestAllowed(weights: found.weights, constraints: hard, deadline: deadline).solve()
                .weights
            return moved
        } catch {
            guard error.code != ProblemCode.deadline.rawValue else { throw error }
            return found
        }
    }

    /// The evidence with slopes of the costs that leave least of the direction: where a weight does not move, any between those of its
    /// two sides is one; where it moves, a slope a little beside its own proves as much but for the square of the difference.
    private func settled(
        _ evidence: SolutionEvidence, _ binding: BindingConstraints, _ point: MeanRiskPoint, _ model: MeanRisk
    ) -> SolutionEvidence? {
        guard let costs = model.reward.costs else { return nil }
        var result = evidence
        let set = model.constraints
        let unit = request.objective == .sharpe ? point.risk : 1
        let w = binding.weights
        let own = costs.minorant(at: w, kinks: evidence.costKinks).slope
        result.costSlopes = w.indices.map { i in
            // What a bound holds back needs no slope.
            let isHeld =
                (w[i] <= set.lower[i] && binding.rest[i] < 0) || (w[i] >= set.upper[i] && binding.rest[i] > 0)
            let slope = (evidence.costSlopes?[i] ?? own[i]) + (isHeld ? 0 : unit * binding.rest[i])
            if costs.impact[i] > 0 { return isHeld ? own[i] : slope }
            return w[i] == costs.reference[i] ? min(max(slope, -costs.linear[i]), costs.linear[i]) : own[i]
        }
        return result
    }
}
