import ConvexSolver
import LinearAlgebra
import WireFormat

/// Risk budgeting from the request to the answer: attempts until the bound proves one.
struct RiskBudgetingSolve {
    /// With a budget that is one number.
    let request: OptimizeRequest
    let panel: ReturnPanel
    let moments: Moments
    let isSample: Bool
    let constraints: ConstraintSet
    let parameters: RiskParameters
    let periodsPerYear: Double
    let deadline: SolverDeadline

    /// The parts of an answer that follow from the weights.
    struct Solved {
        var weights: [Double]
        var risk: Double
        /// By asset, adding up to the risk.
        var contributions: [Double]
        var binding: [OptimizeResponse.Binding]
        var prices: [OptimizeResponse.Binding]
        var evidence: RiskBudgetEvidence
        var gap: Double
        var found: RiskBudgeting.Solution
    }

    /// The request with the budget that is used: of a range the number nearest to one.
    static func settled(_ request: OptimizeRequest) -> OptimizeRequest {
        var wanted = request
        let range = request.constraints.budget
        let level = min(max(1, range.min), range.max)
        wanted.constraints.budget = .init(min: level, max: level)
        return wanted
    }

    /// The shares by asset: the request's, or equal ones.
    static func budgets(_ request: OptimizeRequest, names: [String]) -> [Double] {
        guard let wanted = request.riskBudget else { return names.map { _ in 1 / Double(names.count) } }
        let raw = names.map { name in wanted.last { $0.asset == name }?.value ?? 0 }
        let total = raw.reduce(0, +)
        return raw.map { $0 / total }
    }

    /// - Throws: as `RiskBudgeting.solve`, `OPT-201` where nothing is proven.
    func run() throws(Problem) -> Solved {
        guard let plain = RiskMeasures.measure(request.riskMeasure, parameters) as? any ConvexRiskMeasure else {
            throw Problem(
                JSONPointer(["risk_measure"]), .other("not_optimisable"),
                "\(request.riskMeasure.rawValue) is not convex: it is evaluated, not optimised.")
        }
        let scenarios = ScenarioModel(panel: panel, mean: moments.mean, probabilities: moments.scenarioWeights)
        let measure = scenarios.weighted(plain, parameters)
        let model = RiskBudgeting(
            model: scenarios, measure: measure, covariance: moments.covariance, isSample: isSample,
            constraints: constraints, parameters: parameters,
            budgets: Self.budgets(request, names: panel.assets), deadline: deadline)
        let best =
            type(of: measure).needsOrdering && request.riskMeasure != .mv ? try ordered(model) : try attempts(model)
        if let best, best.gap <= Verification.fullProof { return best }
        throw try failure(model, best?.gap)
    }

    /// Rounding that spoils one path to the last digits spares another.
    private func attempts(_ model: RiskBudgeting) throws(Problem) -> Solved? {
        var best: Solved?
        var attempt = model
        for regularisation in [1e-14, 1e-12, 1e-16, 1e-10, 1e-14, 1e-12] {
            attempt.regularisation = regularisation
            if let solved = try proven(attempt) {
                if solved.gap < best?.gap ?? .infinity { best = solved }
                // Where a path ends is a better place to start from than where it started.
                attempt.nearby = solved.weights
            }
            if let best, best.gap <= 1e-9 { return best }
        }
        return best
    }

    /// Merged levels of an ordered average find the neighbourhood, all levels the solution.
    private func ordered(_ model: RiskBudgeting) throws(Problem) -> Solved? {
        var attempt = model
        var best: Solved?
        guard var weights = try? attempt.solve().weights else { return try attempts(model) }
        for width in [0.05, 0.02, 0.02, 0.05, 0.1, 0.3] {
            attempt.ordering = .near(returns: panel.portfolioReturns(weights), width: width)
            attempt.nearby = weights
            guard let solved = try proven(attempt) else { continue }
            if solved.gap < best?.gap ?? .infinity { best = solved }
            if let best, best.gap <= 1e-9 { return best }
            weights = solved.weights
        }
        return best
    }

    /// One attempt with what it proves; nil where rounding stopped it.
    private func proven(_ model: RiskBudgeting) throws(Problem) -> Solved? {
        let found: RiskBudgeting.Solution
        do {
            found = try model.solve()
        } catch {
            guard error.isOfRounding else { throw error }
            return nil
        }
        let evidence = RiskBudgetEvidence(
            model: model, objective: found.evidence,
            limits: found.limits.map { (constraints.constraints[$0.constraint].name, $0.evidence) })
        let slope = evidence.slope(moments: isSample ? nil : moments, weights: found.weights)
        guard slope.risk > 1e-9 * size(model) else { throw VarianceBudgets.riskless }
        let direction = RiskBudgetBound.direction(
            weights: found.weights, budgets: model.budgets, slope: slope.slope, risk: slope.risk)
        let limits = evidence.minorants(weights: found.weights)
        let refined = PriceRefinement(set: constraints, limits: limits, weights: found.weights)
            .refine(found.prices, direction: direction)
        var best: Solved?
        for prices in model.isFree ? [found.prices] : [found.prices, refined] {
            let binding = BindingConstraints(
                prices: prices, weights: found.weights, gradient: limits.reduced(direction, prices), set: constraints)
            let named = zip(constraints.constraints, binding.prices).filter { $1 != 0 }.map {
                OptimizeResponse.Binding(constraint: $0.name, dual: $1)
            }
            let gap = RiskBudgetBound(
                request, panel: panel, mean: isSample ? nil : moments.mean, weights: found.weights,
                budgets: model.budgets, slope: slope.slope, risk: slope.risk, prices: named, limits: limits,
                periodsPerYear: periodsPerYear
            ).gap
            guard gap < best?.gap ?? .infinity else { continue }
            best = Solved(
                weights: found.weights, risk: slope.risk,
                contributions: zip(found.weights, slope.slope).map { $0 * $1 }, binding: binding.binding,
                prices: named, evidence: evidence, gap: gap, found: found)
        }
        return best
    }

    /// Why no attempt came to a proof: a bound that leaves an asset nothing, a portfolio without risk, or rounding.
    private func failure(_ model: RiskBudgeting, _ gap: Double?) throws(Problem) -> Problem {
        for (index, asset) in constraints.assets.enumerated() {
            var mean = [Double](repeating: 0, count: constraints.assets.count)
            mean[index] = 1
            let most = try MeanVariance(
                mean: mean, covariance: moments.covariance, constraints: constraints, deadline: deadline
            ).maximumReturn().weights[index]
            if most <= 1e-9 { return RiskBudgeting.noShare(asset, "The constraints leave it no weight above \(most).") }
        }
        for weights in try candidates(model) {
            let risk =
                request.riskMeasure == .mv
                ? moments.deviation(weights) : model.measure.value(of: panel.portfolioReturns(weights))
            if risk <= 1e-4 * size(model) { return VarianceBudgets.riskless }
        }
        return Problem(
            .notConverged, "No certified solution: the contributions are proven to \(gap ?? .infinity) only.")
    }
}

extension RiskBudgetingSolve {
    /// What one unit of the solver is in the measure.
    fileprivate func size(_ model: RiskBudgeting) -> Double {
        type(of: model.measure).degree == 2 ? model.model.unit * model.model.unit : model.model.unit
    }

    /// Allowed portfolios among which one without risk would be: the one of least risk, and single assets.
    fileprivate func candidates(_ model: RiskBudgeting) throws(Problem) -> [[Double]] {
        let problem = MeanRisk(
            model: model.model, measure: model.measure, covariance: model.covariance, constraints: constraints,
            parameters: parameters, reward: Reward(), deadline: deadline)
        var found: [[Double]] = []
        if request.riskMeasure == .mv {
            found.append(
                try MeanVariance(
                    mean: moments.mean, covariance: moments.covariance, constraints: constraints, deadline: deadline
                ).minimumRisk().weights)
        } else if let least = try? problem.solve(.minimumRisk, riskFreeRate: 0, riskAversion: 1) {
            found.append(least.weights)
        }
        if let riskless = try RisklessPortfolio(model: problem, target: parameters.target).best() {
            found.append(riskless)
        }
        guard model.isFree else { return found }
        let n = constraints.assets.count
        return found + (0..<n).map { i in (0..<n).map { $0 == i ? constraints.budget.max : 0 } }
    }
}

/// What a risk budgeting answer proves itself by.
struct RiskBudgetEvidence: Sendable {
    let model: RiskBudgeting
    var objective: RiskEvidence?
    var limits: [(name: String, evidence: RiskEvidence)]

    func slope(moments: Moments?, weights: [Double]) -> RiskSlope {
        RiskSlope(
            measure: model.measure, evidence: objective, moments: moments, model: model.model, weights: weights)
    }

    func minorants(weights: [Double]) -> LimitMinorants {
        var evidence = SolutionEvidence()
        evidence.limits = limits
        return LimitMinorants(
            set: model.constraints, evidence: evidence,
            model: MeanRisk(
                model: model.model, measure: model.measure, covariance: model.covariance,
                constraints: model.constraints, parameters: model.parameters, reward: Reward(),
                deadline: model.deadline), weights: weights)
    }
}
