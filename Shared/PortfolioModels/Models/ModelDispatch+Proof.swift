import ConvexSolver
import LinearAlgebra
import WireFormat

extension ModelDispatch {
    /// What a model with a certificate of its own has found.
    struct Proven {
        var weights: [Double]
        /// By constraint.
        var prices: [Double]
        var iterations: Int
        var objective: Double
        /// Slope of the objective in its improving direction, at the weights.
        var direction: [Double]
        var limits: LimitMinorants
        var proof: any AnswerProof
        var figures: [OptimizeResponse.Figure] = []
    }

    /// The same for another request, and its constraints.
    func replacing(_ request: OptimizeRequest, constraints: ConstraintSet? = nil) -> ModelDispatch {
        ModelDispatch(
            request: request, panel: panel, moments: moments, own: own, constraints: constraints ?? self.constraints,
            exposures: exposures, parameters: parameters, periodsPerYear: periodsPerYear, deadline: deadline,
            scope: scope)
    }

    /// Adds the frontier that the request asks for.
    /// - Parameter scale: from a risk per period to one a year.
    func addFrontier(
        of model: any FrontierModel, scale: Double, to result: inout OptimizationResult
    ) throws(Problem) {
        guard let wanted = request.frontier else { return }
        if wanted.turningPoints {
            throw CriticalLine.refused("\(request.model.rawValue) has a frontier of its own.")
        }
        let points = try EfficientFrontier(model: model, monitor: deadline.monitor).points(
            wanted.points, by: wanted.axis)
        result.frontier = EfficientFrontier.answer(
            points, wanted, periods: periodsPerYear, scale: scale, &result.warnings)
    }

    /// The answer with the prices that prove more: the solver's, or those corrected to the weights.
    /// - Throws: `OPT-202` where neither bound is a number.
    func answer(_ found: Proven) throws(Problem) -> OptimizationResult {
        let refined = PriceRefinement(set: constraints, limits: found.limits, weights: found.weights)
            .refine(found.prices, direction: found.direction)
        var best: OptimizationResult?
        for prices in [found.prices, refined] {
            let binding = BindingConstraints(
                prices: prices, weights: found.weights, gradient: found.limits.reduced(found.direction, prices),
                set: constraints)
            var answer = try result(Allocation(weights: found.weights, method: "structured_interior_point"))
            answer.solution.objectiveValue = found.objective
            answer.solution.binding = binding.binding
            answer.prices = zip(constraints.constraints, binding.prices).filter { $1 != 0 }.map {
                OptimizeResponse.Binding(constraint: $0.name, dual: $1)
            }
            answer.solution.iterations = found.iterations
            answer.proof = found.proof
            answer.modelFigures = found.figures
            answer.certify(gap: found.proof.gap(request, panel: panel, result: answer), constraints)
            if answer.solution.largestError < best?.solution.largestError ?? .infinity { best = answer }
        }
        guard let best else { throw Problem(.unstable, "The bound of \(request.model.rawValue) is not a number.") }
        return best
    }

    /// Attempts until one proves the last digits; then the nearest, if it is proven at all.
    /// - Throws: `OPT-201` where none is proven; what an attempt throws, but for `OPT-202`: rounding that stops one path spares another.
    func firstProven<Attempts: Sequence>(
        _ attempts: Attempts, _ attempt: (Attempts.Element) throws(Problem) -> OptimizationResult
    ) throws(Problem) -> OptimizationResult {
        var best: OptimizationResult?
        for element in attempts {
            do {
                let answer = try attempt(element)
                if answer.solution.largestError < best?.solution.largestError ?? .infinity { best = answer }
            } catch {
                guard error.code == ProblemCode.unstable.rawValue else { throw error }
                continue
            }
            if let best, best.solution.isProven(to: 1e-9) { return best }
        }
        if let best, best.solution.isProven(to: Verification.fullProof) { return best }
        throw Problem(
            .notConverged, "No certified solution: the gap is \(best?.solution.dualityGap ?? .infinity).")
    }

    /// A ratio that is not proven because it has no maximum is refused as that.
    /// - Throws: `OPT-203` in its place, and what the body throws.
    func limited(_ body: () throws(Problem) -> OptimizationResult) throws(Problem) -> OptimizationResult {
        do throws(Problem) {
            return try body()
        } catch {
            if error.isOfRounding, request.objective == .sharpe, try isRiskless() { throw MeanVariance.unlimitedRatio }
            throw error
        }
    }

    /// Whether a portfolio that beats the rate has no variance to speak of.
    private func isRiskless() throws(Problem) -> Bool {
        let plain = MeanVariance(
            mean: moments.mean, covariance: moments.covariance, constraints: constraints, deadline: deadline)
        let rate = request.riskFreeRate / periodsPerYear
        let excess = Vector.dot(moments.mean, try plain.maximumReturn().weights) - rate
        guard excess > 0 else { return false }
        let least = try plain.minimumRisk(atLeast: rate + 1e-3 * excess).weights
        return moments.deviation(least) <= 1e-5 * panel.returns.maximumMagnitude
    }

    /// Of the solver's Newton matrix: rounding that spoils one path to the last digits spares another.
    static let regularisations = [1e-14, 1e-12, 1e-16, 1e-10]
}
