import LinearAlgebra
import WireFormat

extension ModelDispatch {
    /// The worst case over sets of mean and covariance, or over a Wasserstein ball of distributions.
    /// - Throws: what `WorstCase` throws; `OPT-201` where no attempt is proven.
    func worstCase() throws(Problem) -> OptimizationResult {
        let wanted = request.uncertainty ?? UncertaintyRequest()
        let radius = wanted.wassersteinRadius
        let sets = radius == nil ? try UncertaintySets(wanted, panel: panel) : UncertaintySets.none
        let problem = WorstCase(
            model: ScenarioModel(panel: panel, mean: moments.mean, probabilities: moments.scenarioWeights),
            covariance: moments.covariance, sets: sets, radius: radius, constraints: constraints,
            parameters: parameters, deadline: deadline)
        var answer = try limited { () throws(Problem) in try proven(problem) }
        try addFrontier(
            of: WorstCaseFrontier(dispatch: self, problem: problem), scale: periodsPerYear.squareRoot(), to: &answer)
        return answer
    }

    private func proven(_ sample: WorstCase) throws(Problem) -> OptimizationResult {
        var problem = sample
        let isShort = constraints.lower.contains { $0 < 0 }
        var isCovariance = true
        let failure: Problem
        do throws(Problem) {
            return try firstProven(Self.regularisations) { (regularisation) throws(Problem) in
                problem.regularisation = regularisation
                let answer = try answer(solve(&problem, request.objective), problem)
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
        if isShort, case .box? = problem.sets.covariance {
            throw Problem(
                .notConverged,
                "No certified solution: with weights that may be short the worst corner of the covariance's box changes with their signs. An ellipsoid has no corners."
            )
        }
        throw failure
    }

    /// With weights that may be short, the box's worst corner depends on their signs: corners are added until none is worse.
    ///
    /// Each is a covariance, so that the worst of them is convex; where the optimum is at a kink between signs, a mixture of corners proves it.
    /// - Parameter level: the least worst return, of `minimumRisk`.
    func solve(
        _ problem: inout WorstCase, _ objective: ObjectiveName, atLeast level: Double? = nil
    ) throws(Problem) -> WorstCase.Solution {
        let rate = request.riskFreeRate / periodsPerYear
        func attempt(_ problem: WorstCase) throws(Problem) -> WorstCase.Solution {
            try problem.solve(objective, rate: rate, aversion: request.riskAversion, atLeast: level)
        }
        guard constraints.lower.contains(where: { $0 < 0 }), objective != .maximumReturn,
            case .box(_, let upper)? = problem.sets.covariance
        else { return try attempt(problem) }
        if problem.corners.isEmpty { problem.corners = [upper] }
        var found = try attempt(problem)
        for _ in 0..<(2 * panel.assets.count + 10) {
            let corner = problem.worstCovariance(found.weights)
            func variance(_ matrix: Matrix) -> Double {
                Vector.dot(found.weights, matrix.symmetricMultiplied(by: found.weights))
            }
            let known = problem.corners.reduce(0) { max($0, variance($1)) }
            guard variance(corner) > known * (1 + 1e-12), WorstCasePoint.isPositive(corner) else { break }
            problem.corners.append(corner)
            found = try attempt(problem)
        }
        return found
    }

    func answer(_ found: WorstCase.Solution, _ problem: WorstCase) throws(Problem) -> OptimizationResult {
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
