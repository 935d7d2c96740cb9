import ConvexSolver
import LinearAlgebra
import WireFormat

/// One mean-risk problem from the request to the answer's `solution`: the quadratic program where it suffices, else the composite one.
struct MeanRiskSolve: Sendable {
    var request: OptimizeRequest
    /// The scenarios.
    let panel: ReturnPanel
    let moments: Moments
    /// Whether the moments are those of the plain sample, which the panel has to more digits.
    let isSample: Bool
    var constraints: ConstraintSet
    var exposures: [FactorExposure] = []
    let parameters: RiskParameters
    let riskFreeRate: Double
    let deadline: SolverDeadline
    /// The measure of a request that names none of the registry's.
    var given: (any ConvexRiskMeasure)?
    /// The assets' own returns, where the scenarios are a model's: what networks and clusters are made of.
    var observed: ReturnPanel?
    /// Rows of the constraints that the request does not have, such as a frontier's return.
    var cuts: [RequestRules.Rule] = []
    /// Weights near which the answer probably is.
    var near: [Double]?
    /// The proven distance from the best portfolio, relative to the objective, that ends the attempts.
    var enough = 1e-9

    /// The parts of an answer that follow from the weights.
    struct Solved {
        var weights: [Double]
        var solution: OptimizeResponse.Solution
        var prices: [OptimizeResponse.Binding]
        var contributions: [Double]
        var evidence: SolutionEvidence
        var meanVariance: MeanVariance?
        var meanRisk: MeanRisk
        /// The most that any other portfolio could gain.
        var gain = 0.0
        /// By asset, what is left of the objective's slope after the prices.
        var promise: [Double] = []
        /// The bounds within which the answer is the best one, and what the search proved beyond them.
        var choice: (lower: [Double], upper: [Double])?
        var warnings: [PortfolioWarning] = []
    }

    /// Mean-variance under linear constraints and hinges is a quadratic program, and solved to the last digit as one.
    var isQuadratic: Bool {
        request.riskMeasure == .mv && constraints.convex.isEmpty && constraints.soft.isEmpty && reward.isLinear
    }

    private var reward: Reward {
        var reward = Reward(kelly: request.kelly)
        if let costs = request.constraints.costs {
            let held = Dictionary(costs.from.map { ($0.asset, $0.value) }, uniquingKeysWith: { $1 })
            func level(_ bound: ConstraintRequest.Bound?, _ asset: String) -> Double {
                (bound?.value(of: asset) ?? 0) / costs.horizon
            }
            reward.costs = Reward.Costs(
                reference: request.assets.map { held[$0] ?? 0 },
                linear: request.assets.map { level(costs.linear, $0) },
                impact: request.assets.map { level(costs.impact, $0) })
        }
        return reward
    }

    /// - Throws: as `MeanRisk.solve`.
    func run() throws(Problem) -> Solved {
        guard let plain = given ?? RiskMeasures.measure(request.riskMeasure, parameters) as? any ConvexRiskMeasure
        else {
            throw Problem(
                JSONPointer(["risk_measure"]), .other("not_optimisable"),
                "\(request.riskMeasure.rawValue) is not convex: it is evaluated, not optimised.")
        }
        let scenarios = ScenarioModel(panel: panel, mean: moments.mean, probabilities: moments.scenarioWeights)
        let model = MeanRisk(
            model: scenarios, measure: scenarios.weighted(plain, parameters),
            covariance: moments.covariance, constraints: constraints, parameters: parameters, reward: reward,
            deadline: deadline)
        guard !request.constraints.riskContribution.isEmpty else {
            var start = model
            // On the corners of costs no interior point starts.
            if let near, near.count == panel.assets.count, reward.costs == nil, !request.constraints.hasChoice,
                NearestAllowed(weights: near, constraints: constraints, deadline: deadline).isAllowed
            {
                start.nearby = near
            }
            var found = try unshared(start)
            // What comes after, such as a frontier, is elsewhere.
            found.meanRisk.nearby = nil
            return found
        }
        // A solve that leaves a limit by a rounding is done again with limits tighter by as much.
        var margin = 0.0
        var answer = try shared(model, margin: margin)
        for _ in 0..<3 {
            let weights = answer.weights
            let miss = try RiskShareLimit.all(request, covariance: moments.covariance)
                .reduce(0) { max($0, $1.distance(at: weights)) }
            guard miss > 5e-10 else { break }
            margin += 2 * miss
            answer = try shared(model, margin: margin)
        }
        return answer
    }

    /// The answer with limits of shares that are tighter than asked for by a margin.
    private func shared(_ model: MeanRisk, margin: Double) throws(Problem) -> Solved {
        let shares = try RiskShareLimit.all(request, covariance: moments.covariance, margin: margin)
        // What is a cone by itself belongs to the constraints.
        let centre = request.assets.map { _ in 1 / Double(request.assets.count) }
        let cones = shares.map { $0.cone(within: constraints.lower, near: centre) }
        if cones.contains(where: { $0 != nil }) {
            var narrower = self
            narrower.constraints.add(cones.compactMap { $0 })
            var narrow = model
            narrow.constraints = narrower.constraints
            do {
                return try narrower.sharing(
                    try narrower.unshared(narrow), zip(shares, cones).filter { $1 == nil }.map { $0.0 })
            } catch {
                // Where rounding stops the program with the cones, the search may still get there.
                guard error.isOfRounding else { throw error }
            }
        }
        return try sharing(try unshared(model), shares, isConvex: cones.allSatisfy { $0 != nil })
    }

    /// The answer without limits that are not convex.
    private func unshared(_ model: MeanRisk) throws(Problem) -> Solved {
        if request.constraints.hasChoice { return try chosen(model) }
        return isQuadratic ? try quadratic(model) : try convex(model)
    }

    /// The answer of a convex problem that is not a quadratic program.
    func convex(_ model: MeanRisk) throws(Problem) -> Solved {
        if let only = try onlyPortfolio(model), only.solution.risk > 0 || request.objective != .sharpe {
            return only.pointedOut
        }
        var solved: Solved
        var nearest: [Double]?
        do throws(Problem) {
            solved = hasOrder ? try ordered(model, nearest: &nearest) : try composite(model, nearest: &nearest)
        } catch {
            guard error.isOfRounding else { throw error }
            // Curvature is lost where there is no risk: what is best there is a linear question.
            if let found = try riskless(model) { return found }
            let near = try nearRiskless(model)
            if let near, near.isProven { return near.pointedOut }
            if let found = try withNeededLimits(model), found.isProven { return found.pointedOut }
            if let found = try withHardLimits(model), found.isProven {
                solved = found
            } else if let found = try unranked(model) {
                solved = found
            } else if let found = try byCuttingPlanes(model, near: nearest), found.isProven {
                solved = found
            } else {
                throw near == nil ? error : Self.unreachedRatio
            }
        }
        if !solved.isFullyProven, let found = try nearRiskless(model), found.error < solved.error { solved = found }
        if !solved.isFullyProven, let found = try withHardLimits(model), found.error < solved.error { solved = found }
        if !solved.isFullyProven, solved.solution.method != Self.cuttingPlanes {
            do throws(Problem) {
                if let found = try byCuttingPlanes(model, near: solved.weights), found.isProven,
                    found.error < solved.error
                {
                    solved = found
                }
            } catch {
                // What lacks the last digits alone is an answer where there is no time for them.
                guard error.code == ProblemCode.deadline.rawValue, solved.isProven else { throw error }
                return solved.pointedOut
            }
        }
        if let exact = try withoutRisk(model, risk: solved.solution.risk) { return exact }
        // What beats the rate at a risk of nothing, or less, has no largest ratio.
        if request.objective == .sharpe, !(solved.solution.risk > 0) { throw MeanVariance.unlimitedRatio }
        return solved.pointedOut
    }

    /// The portfolio of least risk where it has none, for one that was found close to it: a risk close to nothing may be nothing, and then
    /// the portfolio without any is the answer, not one a little beside it. Nil where there is none.
    func withoutRisk(_ model: MeanRisk, risk: Double) throws(Problem) -> Solved? {
        let unit = type(of: model.measure).degree == 2 ? model.model.unit * model.model.unit : model.model.unit
        guard request.objective == .minimumRisk, risk > 0, risk < 1e-4 * unit, let exact = try riskless(model),
            exact.solution.risk < risk
        else { return nil }
        return exact
    }

    static let cuttingPlanes = "cutting_planes"
    static let activeSet = "active_set"

    /// Solves until the bound proves the solution: rounding that spoils one path to the last digits spares another.
    func composite(_ model: MeanRisk, nearest: inout [Double]?) throws(Problem) -> Solved {
        var best: Solved?
        var failure: Problem?
        for (regularisation, cap) in zip(ModelDispatch.regularisations, [1.0, 5, 0.2, 25]) {
            var attempt = model
            attempt.regularisation = regularisation
            attempt.penaltyCap = cap
            // A start that did not lead there is not tried again.
            if failure != nil || best != nil { attempt.nearby = nil }
            do {
                let found = try solveOnce(attempt)
                if found.error < best?.error ?? .infinity { best = found }
            } catch {
                // What no other path can mend ends the search.
                guard error.isOfRounding else { throw error }
                failure = error
            }
            if let best, best.error <= enough { return best }
        }
        nearest = best?.weights
        try checkRatio(model)
        // What verification would refuse is said here, as what it is: a solve that did not get there.
        if let best, best.isProven { return best }
        throw failure
            ?? Problem(
                .notConverged,
                "No certified solution: the gap is \(best?.solution.dualityGap ?? .infinity) after \(best?.solution.iterations ?? 0) iterations."
            )
    }

    /// Says of a ratio that is not proven why there may be none.
    /// - Throws: `OPT-203` where nothing beats the rate, or a portfolio without risk does; `SYS-201`.
    func checkRatio(_ model: MeanRisk) throws(Problem) {
        guard request.objective == .sharpe else { return }
        let excess = try netExcess(model)
        guard excess > 0 else { throw MeanVariance.noExcess(excess: excess, rate: riskFreeRate) }
        if try risklessBeyondRate(model) != nil { throw MeanVariance.unlimitedRatio }
    }

    /// The largest return over the rate within the limits of risk, after costs and penalties; infinite where there are none of these.
    private func netExcess(_ model: MeanRisk) throws(Problem) -> Double {
        guard model.reward.costs != nil || !model.constraints.soft.isEmpty || !model.constraints.convex.isEmpty else {
            return .infinity
        }
        let found = try model.solve(.maximumReturn, riskFreeRate: riskFreeRate, riskAversion: 0)
        let point = MeanRiskPoint(
            objective: .maximumReturn, model: model, weights: found.weights, riskFreeRate: riskFreeRate,
            riskAversion: 0, evidence: SolutionEvidence(found, model.constraints))
        return point.reward - riskFreeRate
    }

    /// A portfolio that beats the rate and has no risk to speak of, beside which the ratio has no maximum; nil where none was found.
    func risklessBeyondRate(_ model: MeanRisk) throws(Problem) -> [Double]? {
        let plain = MeanVariance(
            mean: moments.mean, covariance: moments.covariance, constraints: constraints, deadline: deadline)
        let excess = Vector.dot(moments.mean, try plain.maximumReturn().weights) - riskFreeRate
        guard excess > 0 else { return nil }
        do {
            let level = riskFreeRate + 1e-3 * excess
            let least =
                isQuadratic
                ? try plain.minimumRisk(atLeast: level).weights
                : try model.minimumRisk(atLeast: level).solution.weights
            let risk = model.measure.value(of: panel.portfolioReturns(least))
            let unit = type(of: model.measure).degree == 2 ? model.model.unit * model.model.unit : model.model.unit
            return risk <= 1e-5 * unit ? least : nil
        } catch {
            guard error.isOfRounding else { throw error }
            return nil
        }
    }

    func solveOnce(_ model: MeanRisk) throws(Problem) -> Solved {
        try certified(
            try model.solve(request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion), model)
    }
}

extension MeanRiskSolve.Solved {
    /// How far the answer is from proven and from allowed: a portfolio that breaks a row may seem better than the best.
    var error: Double { max(solution.dualityGap, solution.primalResidual) }

    /// Whether gap and residual are what verification demands of an answer.
    var isProven: Bool {
        solution.dualityGap <= Verification.largestGap && solution.primalResidual <= Self.rowTolerance
    }

    var isFullyProven: Bool {
        solution.dualityGap <= Verification.fullProof && solution.primalResidual <= Self.rowTolerance
    }

    /// A part of what verification lets rows be broken by.
    private static var rowTolerance: Double { 3e-10 }

    /// With a warning where the proof is short of the last digits.
    fileprivate var pointedOut: Self {
        guard solution.dualityGap > Verification.fullProof else { return self }
        var result = self
        result.warnings.append(
            PortfolioWarning(
                code: "optimality_gap", pointer: JSONPointer(["solution", "duality_gap"]),
                detail:
                    "The prices prove the portfolio to be within \(solution.dualityGap) of the best one, relative to the objective: rounding hides the rest."
            ))
        return result
    }

    /// The frontier that the request asks for, annual; nil where it asks for none.
    func frontier(
        _ whole: MeanRiskSolve, _ periods: Double, _ warnings: inout [PortfolioWarning]
    ) throws(Problem) -> [OptimizeResponse.FrontierPoint]? {
        guard let wanted = whole.request.frontier else { return nil }
        let points =
            if wanted.turningPoints {
                try turningPoints(whole)
            } else if choice != nil || !whole.request.constraints.riskContribution.isEmpty {
                try ChosenFrontier(whole: whole, periodsPerYear: periods).points(wanted.points, by: wanted.axis)
            } else if let meanVariance {
                try EfficientFrontier(model: meanVariance, monitor: whole.deadline.monitor).points(
                    wanted.points, by: wanted.axis)
            } else {
                try EfficientFrontier(
                    model: ProvenFrontier(whole: whole, model: meanRisk), monitor: whole.deadline.monitor
                ).points(wanted.points, by: wanted.axis)
            }
        let isSquare = type(of: meanRisk.measure).degree == 2
        if wanted.turningPoints {
            return EfficientFrontier.annual(points, wanted, periods: periods, scale: periods.squareRoot())
        }
        return EfficientFrontier.answer(
            points, wanted, periods: periods, scale: isSquare ? periods : periods.squareRoot(), &warnings)
    }

    /// The turning points of mean-variance, ascending in risk.
    private func turningPoints(_ whole: MeanRiskSolve) throws(Problem) -> [EfficientFrontier.Point] {
        guard choice == nil, whole.request.constraints.riskContribution.isEmpty, let plain = meanVariance else {
            throw CriticalLine.refused("This problem is not of that kind.")
        }
        let deadline = whole.deadline
        let line = try CriticalLine(plain) { deadline.interruption != nil }
        let compiled = CompiledConstraints(plain.constraints)
        return try line.points(from: try plain.leastRisk()).map {
            plain.point(WeightCleanup.clean($0, compiled, plain.constraints))
        }
    }
}
