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
        var isCovariance = true
        let failure: Problem
        do throws(Problem) {
            return try firstProven(Self.regularisations) { (regularisation) throws(Problem) in
                problem.regularisation = regularisation
                let answer = try answer(solve(&problem, isShort: isShort), problem)
                isCovariance =
                    (answer.proof as? WorstCaseProof)?.point(
                        request, weights: answer.weights, periodsPerYear: periodsPerYear
                    ).isCovariance ?? true
                return answer
            }
        } catch {
            guard error.code == ProblemCode.notConverged.rawValue else { throw error }
            failure = error
        }
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
        throw failure
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
        return try self.answer(
            Proven(
                weights: found.weights, prices: found.prices, iterations: found.iterations,
                objective: point.objective, direction: point.direction, limits: proof.minorants(found.weights),
                proof: proof,
                figures: [.init("worst_return", point.worstReturn), .init("worst_risk", point.worstRisk)]))
    }
}

extension UncertaintySets {
    /// Mean and covariance as they are.
    static let none = UncertaintySets(mean: nil, covariance: nil)
}
