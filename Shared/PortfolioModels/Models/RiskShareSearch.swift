import LinearAlgebra
import WireFormat

/// Mean-risk problems with limits of the shares of the variance that are not convex.
///
/// A portfolio is improved by solving the problem with every such limit replaced by a cone inside it that touches it there, over and over:
/// all iterates are allowed, the objective never gets worse, and a portfolio that stays is stationary. Iterates that are not allowed yet
/// pay for being beyond the cones, ever more. Several starts find the better of several such portfolios; the problem without the limits
/// bounds them all.
///
/// Source: T. Lipp, S. Boyd (2016), Variations and extension of the convex-concave procedure, Optimization and Engineering 17.
extension MeanRiskSolve {
    /// The best portfolio found that keeps the limits.
    /// - Parameters:
    ///   - relaxed: the answer without them.
    ///   - limits: those that `relaxed` does not keep by its own constraints.
    ///   - isConvex: whether the limits are cones, so that a stationary portfolio is the best one.
    /// - Throws: `OPT-101` where no start leads to a portfolio that keeps them.
    func sharing(_ relaxed: Solved, _ limits: [RiskShareLimit], isConvex: Bool = false) throws(Problem) -> Solved {
        guard !limits.allSatisfy({ $0.holds(at: relaxed.weights) }) else { return relaxed }
        var whole = relaxed.meanRisk
        let box = relaxed.choice ?? (whole.constraints.lower, whole.constraints.upper)
        whole.constraints = whole.constraints.narrowed(to: box)
        var best: Solved?
        var nearest: (weights: [Double], distance: Double)?
        var iterations = relaxed.solution.iterations
        let (starts, calm) = starts(relaxed.weights, whole)
        for start in starts {
            guard let allowed = try allowed(from: start, by: calm, whole, limits, &nearest, &iterations),
                let found = try improved(allowed, whole, limits, box, &iterations)
            else { continue }
            if best.map({ isBetter(found, than: $0) }) ?? true { best = found }
        }
        guard var answer = best else { throw conflict(limits, nearest?.weights ?? relaxed.weights) }
        // The relaxation is as good as its own proof.
        let reach = abs(relaxed.solution.objectiveValue - answer.solution.objectiveValue)
        let size = max(abs(answer.solution.objectiveValue), .leastNormalMagnitude)
        let bound = isConvex ? 0 : reach / size + relaxed.solution.dualityGap
        let gap = bound + answer.solution.dualityGap
        answer.choice = box
        answer.solution.dualityGap = gap
        answer.solution.iterations = iterations
        answer.solution.method = "convex_concave+\(answer.solution.method)"
        if gap > Verification.largestGap {
            answer.solution.status = "feasible"
            answer.warnings.append(
                PortfolioWarning(
                    code: "optimality_gap", pointer: JSONPointer(["constraints", "risk_contribution"]),
                    detail:
                        "The limits of risk contributions are not convex: the portfolio is the best near it, and within \(gap) of any, relative to the objective."
                ))
        }
        return answer
    }

    /// Portfolios from which the search begins, and one whose assets bear about the same risk.
    private func starts(_ relaxed: [Double], _ whole: MeanRisk) -> (all: [[Double]], calm: [Double]) {
        let total = relaxed.reduce(0, +)
        let held = whole.constraints.upper.indices.filter {
            whole.constraints.upper[$0] > 0 || whole.constraints.lower[$0] < 0
        }
        func spread(_ size: (Int) -> Double) -> [Double] {
            var weights = [Double](repeating: 0, count: relaxed.count)
            let sum = held.reduce(0) { $0 + size($1) }
            for i in held where sum > 0 { weights[i] = (total != 0 ? total : 1) * size(i) / sum }
            return weights
        }
        func mixed(_ share: Double, _ a: [Double], _ b: [Double]) -> [Double] {
            zip(a, b).map { share * $0 + (1 - share) * $1 }
        }
        let calm = spread { whole.covariance[$0, $0] > 0 ? 1 / whole.covariance[$0, $0].squareRoot() : 0 }
        let ways = [1, 0.75, 0.5, 0.25, 0].map { mixed($0, relaxed, calm) } + [spread { _ in 1 }]
        // Towards the assets that the relaxation holds most of, and those it leaves out.
        let order = held.sorted { relaxed[$0] > relaxed[$1] }
        let ends = Set(order.prefix(4) + order.suffix(4)).sorted()
        let towards = ends.map { end in mixed(0.5, spread { $0 == end ? 1 : 0 }, calm) }
        var numbers = SeededNumbers(seed: 1)
        let scattered = (0..<8).map { _ in
            let sizes = relaxed.map { _ in numbers.uniform() }
            return spread { sizes[$0] * sizes[$0] }
        }
        return (hasOrder ? ways : ways + towards + scattered, calm)
    }

    /// Weights that keep the limits, found from ones that need not; nil where the search ends at ones that do not.
    private func allowed(
        from start: [Double], by calm: [Double], _ whole: MeanRisk, _ limits: [RiskShareLimit],
        _ nearest: inout (weights: [Double], distance: Double)?, _ iterations: inout Int
    ) throws(Problem) -> [Double]? {
        if limits.allSatisfy({ $0.holds(at: start) }), whole.constraints.residual(at: start) <= 1e-9 { return start }
        var weights = start
        var detours = 0
        // In return, as the objective: a unit is a deviation of the portfolio's own.
        var price = 0.3 * whole.model.unit
        for _ in 0..<40 {
            var model = whole
            model.nearby = nil
            model.constraints.add(
                limits.compactMap { $0.cone(at: weights) }.map { SoftConstraint(constraint: $0.relaxed, weight: price) }
            )
            guard let found = try attempt(model) else {
                // A corner that the solver does not leave: on from somewhere inside.
                detours += 1
                guard detours <= 3 else { return nil }
                weights = zip(weights, calm).map { 0.5 * ($0 + $1) }
                continue
            }
            iterations += found.iterations
            weights = found.weights
            let distance = limits.reduce(0) { max($0, $1.distance(at: weights)) }
            if distance < nearest?.distance ?? .infinity { nearest = (weights, distance) }
            if distance <= 1e-9 { return weights }
            price *= 2
        }
        return nil
    }

    /// The stationary portfolio that allowed weights lead to, proven to be the best of those that keep the last cones.
    private func improved(
        _ start: [Double], _ whole: MeanRisk, _ limits: [RiskShareLimit], _ box: (lower: [Double], upper: [Double]),
        _ iterations: inout Int
    ) throws(Problem) -> Solved? {
        var weights = start
        var best: Solved?
        for _ in 0..<200 {
            var model = whole
            model.constraints.add(limits.compactMap { $0.cone(at: weights) })
            let found: Solved
            do {
                found = try proven(model, from: weights)
            } catch {
                guard error.code != ProblemCode.deadline.rawValue else { throw error }
                return best
            }
            iterations += found.solution.iterations
            guard let last = best else {
                best = found
                weights = found.weights
                continue
            }
            guard isBetter(found, than: last) else { return last }
            let change = abs(found.solution.objectiveValue - last.solution.objectiveValue)
            best = found
            weights = found.weights
            if change <= 1e-10 * abs(last.solution.objectiveValue) { return found }
        }
        return best
    }

    /// The best portfolio within the cones: from the middle of the allowed, else from the portfolio that the cones touch.
    private func proven(_ model: MeanRisk, from weights: [Double]) throws(Problem) -> Solved {
        do {
            return try convex(model)
        } catch {
            guard error.isOfRounding else { throw error }
            var near = model
            near.nearby = weights
            return try convex(near)
        }
    }

    private func isBetter(_ found: Solved, than other: Solved) -> Bool {
        request.objective == .minimumRisk
            ? found.solution.objectiveValue < other.solution.objectiveValue
            : found.solution.objectiveValue > other.solution.objectiveValue
    }

    /// Nil where rounding or the cones leave nothing.
    private func attempt(_ model: MeanRisk) throws(Problem) -> MeanRisk.Solution? {
        for regularisation in ModelDispatch.regularisations {
            var model = model
            model.regularisation = regularisation
            do {
                return try model.solve(
                    request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
            } catch {
                guard error.code != ProblemCode.deadline.rawValue else { throw error }
            }
        }
        return nil
    }

    private func conflict(_ limits: [RiskShareLimit], _ nearest: [Double]) -> Problem {
        let broken = limits.filter { !$0.holds(at: nearest) }
        guard !broken.isEmpty else {
            return Problem(.notConverged, "Rounding stopped the search within the limits of risk contributions.")
        }
        let relaxations = broken.compactMap { limit in
            limit.share(at: nearest).map { share in
                Problem.Relaxation(
                    constraint: limit.name, from: limit.level, to: share + (limit.isUpper ? 1e-7 : -1e-7))
            }
        }
        let hint = relaxations.map { "\($0.constraint) from \($0.from) to \($0.to)" }.joined(separator: ", ")
        return Problem(
            .infeasible,
            "No portfolio was found that keeps these limits of risk contributions: \(broken.map { $0.name }.joined(separator: ", ")). A change that makes it possible: \(hint).",
            errors: broken.map {
                Violation(
                    $0.pointer, .other("conflict"), "\($0.name) cannot hold together with the others.", limit: $0.level)
            }, conflict: broken.map { $0.name }, relaxation: relaxations)
    }
}
