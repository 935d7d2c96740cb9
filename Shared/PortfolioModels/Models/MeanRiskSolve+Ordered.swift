import WireFormat

/// Ordered averages: rounds of windows in which the scenarios' order is taken as known.
extension MeanRiskSolve {
    /// The answer of ordered averages by formulations without ranks, which ties of all scenarios do not trouble; nil where there are none, or
    /// where rounding stops these too.
    func unranked(_ model: MeanRisk) throws(Problem) -> Solved? {
        guard hasOrder, given == nil,
            !measures.contains(where: { type(of: $0).code == .gmd })
                || GiniMeanDifference.canBeWeighted(periods: panel.observations, assets: panel.assets.count)
        else { return nil }
        var plain = model
        let even = [Double](repeating: 1 / Double(panel.observations), count: panel.observations)
        plain.model = ScenarioModel(panel: panel, mean: moments.mean, probabilities: even)
        plain.measure = plain.model.weighted(model.measure, parameters)
        do throws(Problem) {
            var nearest: [Double]?
            return try composite(plain, nearest: &nearest)
        } catch {
            guard error.isOfRounding else { throw error }
            return nil
        }
    }

    /// Whether an ordered average is in the objective or a limit; under probabilities none goes by rank.
    var hasOrder: Bool { moments.scenarioWeights == nil && measures.contains { type(of: $0).needsOrdering } }

    /// The measures of the objective and of limits.
    private var measures: [any ConvexRiskMeasure] {
        let limits = request.constraints.maxRisk.map { $0.measure }
        let named = (given == nil ? [request.riskMeasure] : []) + limits
        return (given.map { [$0] } ?? [])
            + named.compactMap { RiskMeasures.measure($0, parameters) as? any ConvexRiskMeasure }
    }

    /// Rounds of ever narrower windows: a rough solve finds the neighbourhood, all levels the solution. The bound says when it is found.
    func ordered(_ model: MeanRisk, nearest: inout [Double]?) throws(Problem) -> Solved {
        var best: Solved?
        var failure: Problem?
        var hopeful = model
        hopeful.nearby = neighbour(of: model)
        hopeful.ordering = .expected(tails: hopeful.nearby.map { [panel.portfolioReturns($0)] } ?? [])
        let isSmooth =
            given == nil
            && measures.allSatisfy { type(of: $0).code == .gmd || !type(of: $0).needsOrdering }
        for (start, rounds) in [
            (hopeful, OrderingWindow.quick(isSmooth: isSmooth, count: panel.observations)),
            (model, OrderingWindow.careful),
        ] {
            do throws(Problem) {
                let found = try narrowed(start, rounds)
                if found.error < best?.error ?? .infinity { best = found }
            } catch {
                guard error.isOfRounding else { throw error }
                failure = error
            }
            if let best, best.error <= enough { return best }
        }
        nearest = best?.weights
        if best?.solution.dualityGap ?? .infinity > enough { try checkRatio(model) }
        if let best, best.isProven { return best }
        if best == nil, let failure { throw failure }
        throw Problem(.notConverged, "No certified solution: the gap is \(best?.solution.dualityGap ?? .infinity).")
    }

    /// The best of a rough solve and its rounds of windows; the first that is proven ends them.
    private func narrowed(
        _ start: MeanRisk, _ rounds: [(width: Double, isRough: Bool)]
    ) throws(Problem) -> Solved {
        let mergesLevels = measures.contains { $0.mergesLevels(count: panel.observations) }
        var attempt = start
        attempt.accuracy = rounds.contains { $0.isRough } ? 1e-6 : 1e-12
        var weights = try attempt.solve(
            request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion
        ).weights
        // The tail of the start need not be the solution's: until it is known, those of the solutions on the way count too.
        for _ in 0..<6 {
            guard case .expected(let known) = attempt.ordering, !known.isEmpty else { break }
            let x = panel.portfolioReturns(weights)
            guard measures.contains(where: { !OrderingWindow.knows(known, $0, tailsOf: x) }) else { break }
            attempt.ordering = .expected(tails: known + [x])
            weights = try attempt.solve(
                request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion
            ).weights
        }
        var best: Solved?
        for round in rounds where !round.isRough || mergesLevels {
            attempt.ordering = .near(
                returns: panel.portfolioReturns(weights), width: round.width,
                merged: round.isRough ? OrderingWindow.merged(panel.observations) : 1)
            attempt.nearby = weights
            attempt.accuracy = round.isRough ? 1e-6 : 1e-12
            guard !round.isRough else {
                weights = try attempt.solve(
                    request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion
                ).weights
                continue
            }
            let found = try solveOnce(attempt)
            if found.error < best?.error ?? .infinity { best = found }
            if let best, best.error <= enough { return best }
            weights = found.weights
        }
        guard let best else { throw Problem(.notConverged, "No certified solution: no round of windows ended.") }
        return best
    }

    /// The mean-variance portfolio of the same objective: close to that of any measure of dispersion. Nil where it has none.
    private func neighbour(of model: MeanRisk) -> [Double]? {
        guard constraints.convex.isEmpty, constraints.soft.isEmpty else { return nil }
        return try? quadraticPart(model).weights
    }
}
