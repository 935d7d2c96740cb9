import LinearAlgebra
import WireFormat

extension ModelDispatch {
    /// The worst case over sets of mean and covariance, or over a Wasserstein ball of distributions.
    /// - Throws: what `WorstCase` throws; `OPT-201` where no attempt is proven.
    func worstCase() throws(Problem) -> OptimizationResult {
        let wanted = request.uncertainty ?? UncertaintyRequest()
        let radius = wanted.wassersteinRadius
        let sets = radius == nil ? try UncertaintySets(wanted, panel: panel) : UncertaintySets.none
        var problem = WorstCase(
            model: ScenarioModel(panel: panel, mean: moments.mean, probabilities: moments.scenarioWeights),
            covariance: moments.covariance, sets: sets, radius: radius, constraints: constraints,
            parameters: parameters, deadline: deadline)
        let isShort = constraints.lower.contains { $0 < 0 }
        var best: OptimizationResult?
        var isCovariance = true
        for regularisation in [1e-14, 1e-12, 1e-16, 1e-10] {
            problem.regularisation = regularisation
            let found: WorstCase.Solution
            do {
                found = try solve(&problem, isShort: isShort)
            } catch {
                guard error.code == ProblemCode.unstable.rawValue else { throw error }
                continue
            }
            let answer = try answer(found, problem)
            isCovariance =
                (answer.proof as? WorstCaseProof)?.point(
                    request, weights: answer.weights, periodsPerYear: periodsPerYear
                ).isCovariance ?? true
            if answer.solution.largestError < best?.solution.largestError ?? .infinity { best = answer }
            if let best, best.solution.isProven(to: 1e-9) { return best }
        }
        if let best, best.solution.isProven(to: Verification.fullProof) { return best }
        guard isCovariance else {
            let detail =
                "The worst entries of the covariance's set make no covariance together: the box is too wide for this sample. An ellipsoid, a smaller q or delta, or more history makes one."
            throw Problem(
                .unstable, detail,
                errors: [Violation(JSONPointer(["uncertainty", "covariance"]), .other("not_a_covariance"), detail)])
        }
        if isShort, case .box? = sets.covariance {
            throw Problem(
                .notConverged,
                "No certified solution: with weights that may be short the worst corner of the covariance's box changes with their signs. An ellipsoid has no corners."
            )
        }
        throw Problem(
            .notConverged, "No certified solution: the gap is \(best?.solution.dualityGap ?? .infinity).")
    }

    /// With weights that may be short, the box's worst corner follows their signs: solved until they stay.
    private func solve(_ problem: inout WorstCase, isShort: Bool) throws(Problem) -> WorstCase.Solution {
        let rate = request.riskFreeRate / periodsPerYear
        func attempt(_ problem: WorstCase) throws(Problem) -> WorstCase.Solution {
            try problem.solve(request.objective, rate: rate, aversion: request.riskAversion)
        }
        guard isShort, case .box? = problem.sets.covariance else { return try attempt(problem) }
        var found = try attempt(problem)
        for _ in 0..<12 {
            let signs = found.weights.map { $0 < 0 ? -1.0 : 1 }
            if signs == problem.signs { break }
            problem.signs = signs
            found = try attempt(problem)
        }
        return found
    }

    private func answer(_ found: WorstCase.Solution, _ problem: WorstCase) throws(Problem) -> OptimizationResult {
        let names = constraints.constraints
        let proof = WorstCaseProof(
            problem: problem, evidence: found.evidence,
            limits: found.limits.map { (names[$0.constraint].name, $0.evidence) })
        let point = proof.point(request, weights: found.weights, periodsPerYear: periodsPerYear)
        let limits = proof.minorants(found.weights)
        let refined = PriceRefinement(set: constraints, limits: limits, weights: found.weights)
            .refine(found.prices, direction: point.direction)
        var best: OptimizationResult?
        for prices in [found.prices, refined] {
            let binding = BindingConstraints(
                prices: prices, weights: found.weights, gradient: limits.reduced(point.direction, prices),
                set: constraints)
            var answer = try result(Allocation(weights: found.weights, method: "structured_interior_point"))
            answer.solution.objectiveValue = point.objective
            answer.solution.binding = binding.binding
            answer.prices = zip(names, binding.prices).filter { $1 != 0 }.map {
                OptimizeResponse.Binding(constraint: $0.name, dual: $1)
            }
            answer.solution.iterations = found.iterations
            answer.proof = proof
            answer.modelFigures = [
                .init("worst_return", point.worstReturn),
                .init("worst_risk", point.worstRisk),
            ]
            let gap = proof.gap(request, panel: panel, result: answer)
            answer.certify(gap: gap, constraints)
            if answer.solution.dualityGap < best?.solution.dualityGap ?? .infinity { best = answer }
        }
        guard let best else { throw Problem(.unstable, "The bound of the worst case is not a number.") }
        return best
    }
}

extension UncertaintySets {
    /// Mean and covariance as they are.
    static let none = UncertaintySets(mean: nil, covariance: nil)
}
