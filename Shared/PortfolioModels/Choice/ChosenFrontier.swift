import ConvexSolver
import LinearAlgebra
import WireFormat

/// The efficient frontier under rules on which assets are held. Such a frontier is not convex: every point is a search of its own.
struct ChosenFrontier {
    let whole: MeanRiskSolve
    let periodsPerYear: Double

    /// At most `count` points per period, ascending in risk, on an even grid of returns or risks.
    func points(_ count: Int, by axis: FrontierAxis) throws(Problem) -> [EfficientFrontier.Point] {
        let unit = whole.panel.returns.maximumMagnitude
        let parts = whole.deadline.monitor?.divide(into: count)
        let first = try point(.minimumRisk)
        let best = try point(.maximumReturn)
        // Of several portfolios with the largest return the one of least risk.
        let last =
            try attempt { () throws(Problem) in
                try point(.minimumRisk, atLeast: best.expectedReturn - 1e-9 * unit)
            } ?? best
        guard last.expectedReturn - first.expectedReturn > 1e-10 * unit, last.risk > first.risk else { return [first] }
        var result = [first]
        parts?.finished(2)
        for index in 1..<(count - 1) {
            let share = Double(index) / Double(count - 1)
            func between(_ low: Double, _ high: Double) -> Double { low + share * (high - low) }
            let found = try attempt { () throws(Problem) in
                switch axis {
                case .expectedReturn:
                    try point(.minimumRisk, atLeast: between(first.expectedReturn, last.expectedReturn))
                case .risk: try point(.maximumReturn, atMost: between(first.risk, last.risk))
                }
            }
            if let found { result.append(found) }
            parts?.finished()
        }
        result.append(last)
        return EfficientFrontier.efficient(result.sorted { $0.risk < $1.risk }, unit: unit)
    }

    /// Nil where rounding leaves no portfolio at a level.
    private func attempt(
        _ body: () throws(Problem) -> EfficientFrontier.Point
    ) throws(Problem) -> EfficientFrontier.Point? {
        do {
            return try body()
        } catch {
            guard error.code == ProblemCode.infeasible.rawValue else { throw error }
            return nil
        }
    }

    private func point(
        _ objective: ObjectiveName, atLeast least: Double? = nil, atMost most: Double? = nil
    ) throws(Problem) -> EfficientFrontier.Point {
        var request = whole.request
        request.frontier = nil
        request.objective = objective
        // The target of lower partial moments stays that of the request's own objective.
        request.target = whole.parameters.target
        let wanted = request.constraints
        if let least {
            let level = least * (wanted.isAnnual ? periodsPerYear : 1)
            request.constraints.minReturn = max(level, wanted.minReturn ?? level)
        }
        if let most {
            let degree = RiskMeasures.all.first { $0.code == request.riskMeasure }?.degree ?? 1
            let periods = degree == 2 ? periodsPerYear : periodsPerYear.squareRoot()
            let level = most * (wanted.isAnnual ? periods : 1)
            let own = wanted.maxRisk.first { $0.measure == request.riskMeasure }?.level ?? level
            request.constraints.maxRisk.removeAll { $0.measure == request.riskMeasure }
            request.constraints.maxRisk.append(.init(measure: request.riskMeasure, level: min(level, own)))
        }
        let set = try ConstraintSet(
            request: request, mean: whole.moments.mean, periodsPerYear: periodsPerYear,
            panel: whole.observed ?? whole.panel,
            parameters: whole.parameters, covariance: whole.isSample ? nil : whole.moments.covariance,
            exposures: whole.exposures, scenarios: whole.panel, probabilities: whole.moments.scenarioWeights)
        let found = try MeanRiskSolve(
            request: request, panel: whole.panel, moments: whole.moments, isSample: whole.isSample, constraints: set,
            exposures: whole.exposures, parameters: whole.parameters, riskFreeRate: whole.riskFreeRate,
            deadline: whole.deadline, given: whole.given, observed: whole.observed
        ).run()
        return EfficientFrontier.Point(
            weights: found.weights, expectedReturn: found.solution.expectedReturn, risk: found.solution.risk)
    }
}
