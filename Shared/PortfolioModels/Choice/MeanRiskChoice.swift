import ConvexSolver
import LinearAlgebra
import WireFormat

/// Mean-risk problems with rules on which assets are held.
extension MeanRiskSolve {
    /// The best portfolio under the rules, with the bound of the search as its gap.
    /// - Throws: `OPT-101` where no portfolio keeps them, and as `MeanRisk.solve`.
    func chosen(_ model: MeanRisk) throws(Problem) -> Solved {
        let rules = try HoldingRules(request.constraints, panel: observed ?? panel)
        let root = HoldingBox(lower: constraints.lower, upper: constraints.upper)
        try explain(root, model)
        let sense = request.objective == .minimumRisk ? 1.0 : -1.0
        // The best of those where everything is decided: the answer, should time run out.
        var decided: (box: HoldingBox, solved: Solved, value: Double)?
        let search = BranchAndBound(
            rules: rules,
            relax: { (box: HoldingBox, rules: HoldingRules) throws(Problem) -> BranchAndBound.Relaxation? in
                let node: Solved?
                do throws(Problem) {
                    node = try self.node(box, model, rules)
                } catch {
                    if error.isUnlimitedRatio { return try self.unbounded(box, model, rules) }
                    guard error.isOfRounding || error.code == ProblemCode.ratioUndefined.rawValue else { throw error }
                    return .unknown
                }
                guard let found = node else { return nil }
                let value = sense * found.solution.objectiveValue
                if !box.state.contains(.free), value < decided?.value ?? .infinity { decided = (box, found, value) }
                // A ratio's gain is counted at the risk found; what is better has no risk of a hundredth of that.
                let gain = self.request.objective == .sharpe ? 100 * found.gain : found.gain
                return BranchAndBound.Relaxation(
                    weights: found.weights, value: value, bound: value - gain, promise: found.promise,
                    iterations: found.solution.iterations)
            }, mostNodes: mostNodes(model), monitor: deadline.monitor)
        guard let best = try search.search(root) else { throw try ruleConflict(search, root) }
        let isKept = decided.map { $0.box.lower == best.box.lower && $0.box.upper == best.box.upper } ?? false
        let chosen = isKept ? decided?.solved : try node(best.box, model, rules)
        guard var answer = chosen else { throw Problem(.internalError, "The chosen assets have no portfolio.") }
        let size = abs(best.value) > 0 ? abs(best.value) : 1
        let gap = max((best.value - best.bound) / size, 0)
        guard gap.isFinite else { throw Problem(.notConverged, "No bound on what other choices of assets give.") }
        answer.choice = (best.box.lower, best.box.upper)
        answer.solution.dualityGap = gap
        answer.solution.iterations = best.iterations
        answer.solution.method =
            "branch_and_bound+\(isQuadratic ? "interior_point" : answer.solution.method)"
        if gap > 1e-6 {
            answer.solution.status = "feasible"
            answer.warnings.append(
                PortfolioWarning(
                    code: "optimality_gap", pointer: JSONPointer(["constraints"]),
                    detail:
                        "The choice of assets is proven to be within \(gap) of the best one: the search stopped after \(best.nodes) nodes."
                ))
        }
        return answer
    }

    /// About ten seconds of relaxations on one core, counted in operations so that the same request gives the same answer.
    private func mostNodes(_ model: MeanRisk) -> Int {
        let width = Double(min(model.model.assets, 60))
        let work =
            isQuadratic ? 20 * width * width * width : 20 * Double(model.model.count) * (width * width + 40 * width)
        return Int(min(max(2e10 / work, 200), 50_000))
    }

    /// Says why where even the constraints without the rules have no portfolio, or none that a ratio could be made of.
    private func explain(_ root: HoldingBox, _ model: MeanRisk) throws(Problem) {
        do throws(Problem) {
            if isQuadratic {
                _ = try quadratic(model)
            } else {
                _ = try model.solve(
                    request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
            }
        } catch {
            guard error.isOfRounding || error.isUnlimitedRatio else { throw error }
        }
    }

    /// The relaxation of a node, as good as the convex problems can be solved; nil where it has no portfolio, or none that a ratio could be
    /// made of.
    private func node(_ box: HoldingBox, _ whole: MeanRisk, _ rules: HoldingRules) throws(Problem) -> Solved? {
        let (part, model) = relaxation(box, whole, rules)
        do throws(Problem) {
            if let only = try part.onlyPortfolio(model) { return only }
            var quick: Solved?
            do throws(Problem) {
                quick = try part.quickly(box, model)
                guard let quick, !quick.isProven else { return quick }
            } catch {
                guard error.isOfRounding else { throw error }
            }
            do throws(Problem) {
                let slow = try part.convex(model)
                return slow.error < quick?.error ?? .infinity ? slow : quick
            } catch {
                guard error.isOfRounding, let quick else { throw error }
                return quick
            }
        } catch {
            // Too few assets may have no portfolio, or none that beats the rate.
            guard error.code == ProblemCode.infeasible.rawValue || error.isWithoutExcess else { throw error }
            return nil
        }
    }

    /// The convex problem of a node: the undecided rules are forgotten, or are rows.
    private func relaxation(
        _ box: HoldingBox, _ whole: MeanRisk, _ rules: HoldingRules
    ) -> (part: MeanRiskSolve, model: MeanRisk) {
        var (part, model) = (self, whole)
        model.constraints = whole.constraints.narrowed(to: (box.lower, box.upper))
        model.constraints.isExplained = false
        for (index, count) in rules.counts.enumerated() {
            guard let row = cut(count, box) else { continue }
            let name = "\(count.name).\(index).relaxed"
            model.constraints.limit(row.coefficients, atMost: row.level, name: name)
            part.cuts.append(RequestRules.Rule(name: name, coefficients: row.coefficients, high: row.level))
        }
        part.constraints = model.constraints
        return (part, model)
    }

    /// By the interior point alone, on the assets that are not left out: what most nodes take; nil where none are left.
    private func quickly(_ box: HoldingBox, _ model: MeanRisk) throws(Problem) -> Solved? {
        let needed = model.needed
        let kept = box.state.indices.filter { box.state[$0] != .out || needed[$0] }
        guard !kept.isEmpty else { return nil }
        let part = model.restricted(to: kept, lower: box.lower, upper: box.upper)
        func certify(_ found: MeanRisk.Solution) throws(Problem) -> Solved {
            try certified(found.expanded(kept, count: box.state.count), model)
        }
        if isQuadratic { return try certify(try reducedQuadratic(part)) }
        let rounds = OrderingWindow.careful.map { $0.width }
        var best: Solved?
        var attempt = part
        for round in 0..<(hasOrder ? rounds.count + 1 : 3) {
            let found = try attempt.solve(
                request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
            let solved = try certify(found)
            if solved.error < best?.error ?? .infinity { best = solved }
            if let best, best.error <= 1e-9 { return best }
            if hasOrder, round < rounds.count {
                attempt.ordering = .near(returns: panel.portfolioReturns(solved.weights), width: rounds[round])
                attempt.nearby = found.weights
            } else {
                attempt.regularisation = round == 0 ? 1e-12 : 1e-16
            }
        }
        return best
    }

    /// A node whose ratio has no bound, as a portfolio without risk beats the rate there.
    /// - Throws: `OPT-203` where that portfolio keeps the rules.
    private func unbounded(
        _ box: HoldingBox, _ whole: MeanRisk, _ rules: HoldingRules
    ) throws(Problem) -> BranchAndBound.Relaxation {
        let (part, model) = relaxation(box, whole, rules)
        guard let weights = try part.risklessBeyondRate(model), box.branches(weights, rules) != nil else {
            throw MeanVariance.unlimitedRatio
        }
        return BranchAndBound.Relaxation(
            weights: weights, value: -.infinity, bound: -.infinity, promise: weights.map { _ in 0 }, iterations: 0)
    }

    /// `sum w_i / u_i <= room` over the undecided members; nil where bounds and budget say as much.
    private func cut(_ count: HoldingRules.Count, _ box: HoldingBox) -> (coefficients: [Double], level: Double)? {
        let free = count.members.filter { box.state[$0] == .free }
        let room = Double(count.most - count.members.filter { box.state[$0] == .held }.count)
        guard !free.isEmpty, constraints.lower.allSatisfy({ $0 >= 0 }) else { return nil }
        let most = constraints.budget.max
        var coefficients = [Double](repeating: 0, count: box.state.count)
        for i in free where box.upper[i] > 0 { coefficients[i] = 1 / min(box.upper[i], max(most, 1e-12)) }
        let largest = coefficients.reduce(0) { max($0, $1) }
        return largest * most <= room * (1 + 1e-12) ? nil : (coefficients, room)
    }

    /// Which rules leave no portfolio, and the smallest count that would do.
    private func ruleConflict(_ search: BranchAndBound, _ root: HoldingBox) throws(Problem) -> Problem {
        func isPossible(_ rules: HoldingRules) throws(Problem) -> Bool {
            let trial = BranchAndBound(
                rules: rules, relax: search.relax, mostNodes: min(search.mostNodes, 500), isFeasibilityOnly: true)
            return try trial.search(root) != nil
        }
        var conflict = search.rules
        for name in search.rules.names {
            let rest = conflict.without(name)
            if try !isPossible(rest) { conflict = rest }
        }
        var relaxations: [Problem.Relaxation] = []
        for name in conflict.names {
            let counts = search.rules.counts.filter { $0.name == name }
            guard let first = counts.first else { continue }
            var rules = search.rules
            let largest = counts.reduce(first.most) { max($0, $1.members.count) }
            for most in (first.most + 1)..<max(largest + 1, first.most + 2) {
                for index in rules.counts.indices where rules.counts[index].name == name {
                    rules.counts[index].most = most
                }
                guard try isPossible(rules) else { continue }
                relaxations.append(
                    Problem.Relaxation(constraint: name, from: Double(first.most), to: Double(most)))
                break
            }
        }
        let names = conflict.names
        let hint =
            relaxations.first.map { " \($0.constraint) of \(Int($0.to)) would be possible." } ?? ""
        return Problem(
            .infeasible,
            "No portfolio within the constraints keeps these rules on which assets are held: \(names.joined(separator: ", ")).\(hint)",
            errors: names.map { name in
                Violation(
                    JSONPointer(["constraints"] + name.split(separator: ".").map { String($0) }), .other("conflict"),
                    "\(name) cannot hold together with the other constraints.")
            }, conflict: names, relaxation: relaxations)
    }
}
