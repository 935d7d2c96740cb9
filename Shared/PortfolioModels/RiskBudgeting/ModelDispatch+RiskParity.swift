import LinearAlgebra
import WireFormat

extension ModelDispatch {
    /// Risk parity by assets, by factors, or relaxed.
    /// - Throws: what the models throw.
    func riskParity() throws(Problem) -> OptimizationResult {
        switch request.model {
        case .factorRiskParity: try factorRiskParity()
        case .relaxedRiskParity: try relaxedRiskParity()
        default: try assetRiskParity()
        }
    }

    private func relaxedRiskParity() throws(Problem) -> OptimizationResult {
        let budgets = RiskBudgetingSolve.budgets(request, names: panel.assets)
        let relaxation = request.relaxation ?? .init()
        let level = min(max(1, constraints.budget.min), constraints.budget.max)
        guard level > 0 else {
            throw Problem(
                JSONPointer(["constraints", "budget"]), .contradiction,
                "RelaxedRiskParity is long only: its budget is above zero.")
        }
        // Exact parity is where the search starts, and of version A the answer wherever the constraints allow it.
        let parity = try VarianceBudgets(covariance: moments.covariance, budgets: budgets, assets: panel.assets).solve()
        var start = parity.weights.map { $0 * level }
        WeightCleanup.balance(&start, constraints)
        let model = RelaxedRiskParity(
            panel: panel, covariance: moments.covariance, budgets: budgets, relaxation: relaxation,
            constraints: constraints, deadline: deadline)
        var best: (answer: OptimizationResult, gap: Double)?
        for regularisation in [0, 1e-14, 1e-12, 1e-16, 1e-10] {
            let found: RelaxedRiskParity.Solution
            if regularisation == 0 {
                let isAllowed = NearestAllowed(weights: start, constraints: model.constraints, deadline: deadline)
                    .isAllowed
                guard relaxation.version == .a, isAllowed else { continue }
                found = RelaxedRiskParity.Solution(
                    weights: start, prices: constraints.constraints.map { _ in 0 }, multipliers: budgets,
                    iterations: parity.iterations, primalResidual: 0, dualResidual: parity.residual)
            } else {
                do {
                    found = try model.solve(from: start, regularisation: regularisation)
                } catch {
                    guard error.code == ProblemCode.unstable.rawValue else { throw error }
                    continue
                }
            }
            let answer = try relaxed(found, isExact: regularisation == 0)
            let gap = answer.solution.dualityGap
            if gap < best?.gap ?? .infinity { best = (answer, gap) }
            if gap <= 1e-9 { break }
        }
        guard let best, best.gap <= Verification.fullProof else {
            if let problem = try model.undefined(near: start) { throw problem }
            throw Problem(.notConverged, "No certified solution: the gap is \(best?.gap ?? .infinity).")
        }
        return best.answer
    }

    private func relaxed(
        _ found: RelaxedRiskParity.Solution, isExact: Bool
    ) throws(Problem) -> OptimizationResult {
        var best: OptimizationResult?
        for ratios in [nil, found.ratios] where best == nil || ratios != nil {
            // The answer's own prove all there is to prove but at the edge of what is defined.
            if let best, best.solution.dualityGap <= 1e-9 { break }
            let proof = RelaxedRiskParityProof(multipliers: found.multipliers, ratios: ratios)
            let answer = try relaxed(found, proof, isExact: isExact)
            if answer.solution.dualityGap < best?.solution.dualityGap ?? .infinity { best = answer }
        }
        guard let best else { throw Problem(.unstable, "The relaxed parity's bound is not a number.") }
        return best
    }

    private func relaxed(
        _ found: RelaxedRiskParity.Solution, _ proof: RelaxedRiskParityProof, isExact: Bool
    ) throws(Problem) -> OptimizationResult {
        let majorant = proof.majorant(request, covariance: moments.covariance, weights: found.weights)
        let limits = LimitMinorants(none: ())
        let refined = PriceRefinement(set: constraints, limits: limits, weights: found.weights)
            .refine(found.prices, direction: majorant.direction)
        var best: OptimizationResult?
        for prices in isExact ? [found.prices] : [found.prices, refined] {
            let binding = BindingConstraints(
                prices: prices, weights: found.weights, gradient: limits.reduced(majorant.direction, prices),
                set: constraints)
            var answer = try result(
                Allocation(
                    weights: found.weights,
                    method: isExact ? "risk_budgeting_newton" : "structured_interior_point"))
            answer.solution.binding = binding.binding
            answer.prices = zip(constraints.constraints, binding.prices).filter { $1 != 0 }.map {
                OptimizeResponse.Binding(constraint: $0.name, dual: $1)
            }
            answer.solution.iterations = found.iterations
            answer.proof = proof
            answer.certify(gap: proof.gap(request, panel: panel, result: answer), constraints)
            if answer.solution.dualityGap < best?.solution.dualityGap ?? .infinity { best = answer }
        }
        guard let best else { throw Problem(.unstable, "The relaxed parity's bound is not a number.") }
        return best
    }

    private func factorRiskParity() throws(Problem) -> OptimizationResult {
        guard let wanted = request.factors else {
            throw Problem(JSONPointer(["factors"]), .missing, "FactorRiskParity needs factors.")
        }
        let mimicking = try FactorMimickingPortfolios(loadings: loadings(wanted), factors: wanted.names)
        let solved = try FactorRiskParity(
            request: request, panel: panel, moments: moments, own: own, parameters: parameters, mimicking: mimicking,
            periodsPerYear: periodsPerYear, deadline: deadline
        ).solve()
        var answer = try result(Allocation(weights: solved.weights, method: solved.found.method))
        answer.solution.risk = solved.risk
        answer.solution.objectiveValue = solved.risk
        answer.solution.dualityGap = solved.gap
        answer.solution.dualResidual = solved.gap
        answer.solution.iterations = solved.found.iterations
        answer.riskContributions = solved.contributions
        answer.proof = solved.proof
        answer.modelFigures = zip(mimicking.factors, solved.byFactor).map {
            .init("factor_risk_contribution.\($0)", $1)
        }
        return answer
    }

    /// B: estimated, or as given; given loadings need no returns of the factors.
    private func loadings(_ wanted: FactorRequest) throws(Problem) -> Matrix {
        guard wanted.panel == nil, !wanted.loadings.isEmpty else {
            let factors = try FactorPanel.aligned(wanted, to: panel, loaded: nil)
            return try FactorLoadings(wanted, panel: panel, factors: factors).matrix
        }
        var matrix = Matrix(rows: panel.assets.count, columns: wanted.names.count)
        for (asset, name) in panel.assets.enumerated() {
            for term in wanted.loadings.first(where: { $0.asset == name })?.factors ?? [] {
                if let column = wanted.names.firstIndex(of: term.asset) { matrix[asset, column] += term.value }
            }
        }
        return matrix
    }

    private func assetRiskParity() throws(Problem) -> OptimizationResult {
        let wanted = RiskBudgetingSolve.settled(request)
        let set = try ConstraintSet(
            request: wanted, mean: moments.mean, periodsPerYear: periodsPerYear, panel: panel, parameters: parameters,
            covariance: own?.covariance, probabilities: moments.scenarioWeights)
        let solved = try RiskBudgetingSolve(
            request: wanted, panel: panel, moments: moments, isSample: own == nil, constraints: set,
            parameters: parameters, periodsPerYear: periodsPerYear, deadline: deadline
        ).run()
        var answer = try result(Allocation(weights: solved.weights, method: solved.found.method))
        answer.solution.risk = solved.risk
        answer.solution.objectiveValue = solved.risk
        answer.certify(gap: solved.gap, set)
        answer.solution.iterations = solved.found.iterations
        answer.solution.binding = solved.binding
        answer.prices = solved.prices
        answer.riskContributions = solved.contributions
        answer.proof = solved.evidence
        return answer
    }
}

extension RiskBudgetEvidence: AnswerProof {
    /// How far an answer's contributions are from the nearest to the budgets that the constraints allow.
    func gap(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double {
        let wanted = RiskBudgetingSolve.settled(request)
        let slope = slope(moments: model.isSample ? nil : result.moments, weights: result.weights)
        return RiskBudgetBound(
            wanted, panel: panel, mean: result.moments?.mean, weights: result.weights,
            budgets: RiskBudgetingSolve.budgets(request, names: panel.assets), slope: slope.slope, risk: slope.risk,
            prices: result.prices, limits: minorants(weights: result.weights), periodsPerYear: result.periodsPerYear
        ).gap
    }
}
