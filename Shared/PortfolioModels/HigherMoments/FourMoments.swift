import ConvexSolver
import LinearAlgebra
import WireFormat

/// Mean, variance, skewness and kurtosis in one objective, exactly.
///
/// ```
/// risk(w) = l_0 variance - l_1 third + l_2 fourth        third, fourth: central moments, divisor T; variance: T - 1
///
/// MinRisk min risk    Utility max mean'w - risk    Sharpe max (mean'w - rf) / risk    MaxRet max mean'w
/// ```
/// With deviations d the risk is a sum of `a d^2 - l_1 d^3 + l_2 d^4` over periods, convex for every d where `l_1^2 <= 8/3 a l_2`, and
/// for `d < a / (3 l_1)` in any case: a convex program in the weights, where moment matrices of order N^2 only bound it. It needs no
/// comoments: T N^2 per step.
///
/// Source: E. Jondeau, M. Rockinger (2006), Optimal Portfolio Allocation under Higher Moments, European Financial Management 12;
/// Riskfolio-Lib's mvsk_optimization has the same objective over a relaxation.
struct FourMoments: Sendable {
    let model: ScenarioModel
    let covariance: Matrix
    let constraints: ConstraintSet
    let aversion: OptimizeRequest.MomentAversion
    let parameters: RiskParameters
    let deadline: SolverDeadline
    var regularisation = 1e-14

    struct Solution: Sendable {
        var weights: [Double]
        var prices: [Double]
        var limits: [(constraint: Int, evidence: RiskEvidence)]
        var iterations: Int
        var primalResidual: Double
        var dualResidual: Double
    }

    private var unbiased: Double { model.unbiased }

    /// The largest deviation that an allowed portfolio can have, per period.
    private var reach: Double {
        var most = 0.0
        let size = constraints.assets.indices.map { max(abs(constraints.lower[$0]), abs(constraints.upper[$0])) }
        let isLong = constraints.lower.allSatisfy { $0 >= 0 }
        let centred = model.centred
        for t in 0..<model.count {
            var (largest, total) = (0.0, 0.0)
            for i in size.indices {
                let value = abs(centred[t, i]) * model.unit
                largest = max(largest, value)
                total += size[i] * value
            }
            most = max(most, isLong ? max(constraints.budget.max, 0) * largest : total)
        }
        return most
    }

    /// - Throws: `REQ-105` where the aversions make a risk that is not convex, `OPT-101`, `OPT-203`, `OPT-202`, `SYS-201`.
    func solve(_ objective: ObjectiveName, rate: Double) throws(Problem) -> Solution {
        let a = aversion.variance * unbiased
        let isConvex =
            aversion.skewness * aversion.skewness <= 8 / 3 * a * aversion.kurtosis
            || aversion.skewness * reach * 3 <= a
        guard isConvex else {
            throw Problem(
                JSONPointer(["moment_aversion", "skewness"]), .contradiction,
                "With so much weight on skewness the objective is not convex over the deviations of these assets (up to \(reach)): at most \(max((8 / 3 * a * aversion.kurtosis).squareRoot(), a / (3 * max(reach, 1e-300)))) makes it so."
            )
        }
        let plain = MeanVariance(
            mean: model.mean.map { $0 * model.unit }, covariance: covariance, constraints: constraints,
            deadline: deadline)
        if objective == .sharpe {
            guard max(aversion.variance, aversion.skewness, aversion.kurtosis) > 0 else {
                throw MeanVariance.unlimitedRatio
            }
            return try ratio(plain, rate)
        }
        let start = try plain.minimumRisk().weights
        var built = make(start, scale: nil)
        let unit = model.unit
        switch objective {
        case .minimumRisk: add(&built, weight: 1)
        case .utility:
            add(&built, weight: unit)
            for i in built.risk.weights { built.risk.program.cost[i] -= model.mean[i] }
        case .maximumReturn, .sharpe: for i in built.risk.weights { built.risk.program.cost[i] -= model.mean[i] }
        }
        return try finish(built, size: objective == .minimumRisk ? unit * unit : unit)
    }

    private func ratio(_ plain: MeanVariance, _ rate: Double) throws(Problem) -> Solution {
        // Whether anything beats the rate is a linear question.
        let best = try plain.maximumReturn().weights
        let mean = model.mean.map { $0 * model.unit }
        let excess = Vector.dot(mean, best) - rate
        guard excess > 1e-12 * mean.reduce(abs(rate), { max($0, abs($1)) }) else {
            throw MeanVariance.noExcess(excess: excess, rate: rate)
        }
        let start = try plain.minimumRisk(atLeast: rate + 0.5 * excess).weights
        let level = excess / model.unit
        let gain = (Vector.dot(mean, start) - rate) / model.unit
        var built = make(start, scale: level / max(gain, 0.1 * level))
        add(&built, weight: 1)
        built.fixExcess(Reward(), rate: rate, level: level)
        guard let k = built.scaleIndex else { throw Problem(.internalError, "The program has no scale.") }
        let found = try run(built)
        let least = found.values.indices.reduce(0.0) { sum, term in
            if case .objective(let weight) = built.risk.program.terms[term].place {
                sum + weight * found.values[term]
            } else {
                sum
            }
        }
        // S = tau / F in units of return over return squared.
        return try finish(built, found, size: level * found.v[k] / max(least * least, 1e-300) / model.unit)
    }

    private func make(_ point: [Double], scale: Double?) -> MeanRiskProgram {
        let typical = 1 / Double(point.count)
        var built = MeanRiskProgram(
            model: model, covariance: covariance, set: constraints,
            point: point.map { abs($0) < 1e-6 * typical ? 1e-3 * typical : $0 }, ratioScale: scale)
        built.addLimits(parameters)
        return built
    }

    private func add(_ built: inout MeanRiskProgram, weight: Double) {
        let unit = model.unit
        let shape = CompositeProgram.Shape.quartic(
            cost: model.probabilities, second: aversion.variance * unbiased, third: aversion.skewness * unit,
            fourth: aversion.kurtosis * unit * unit, scale: built.scaleIndex)
        built.risk.program.terms.append(
            .init(.objective(weight), parts: [.scenarios(shape, .rows(built.risk.centredRows(sign: 1)))]))
    }

    private func run(_ built: MeanRiskProgram) throws(Problem) -> CompositeSolution {
        try built.risk.program.solved(regularisation: regularisation, deadline: deadline)
    }

    private func finish(
        _ built: MeanRiskProgram, _ solved: CompositeSolution? = nil, size: Double
    ) throws(Problem) -> Solution {
        let found = if let solved { solved } else { try run(built) }
        return Solution(
            weights: try built.weights(of: found), prices: built.prices(found, size: size), limits: built.limits(found),
            iterations: found.iterations,
            primalResidual: found.primalResidual, dualResidual: found.dualResidual)
    }
}

/// The four moments of given weights by their definitions, and the objective's gradient.
struct FourMomentsPoint {
    let mean: Double
    /// Divisor T - 1.
    let variance: Double
    /// Central, divisor T.
    let third: Double
    let fourth: Double
    let risk: Double
    let objective: Double
    let direction: [Double]

    init(
        _ model: ScenarioModel, _ aversion: OptimizeRequest.MomentAversion, objective name: ObjectiveName, rate: Double,
        weights: [Double]
    ) {
        let x = model.panel.portfolioReturns(weights)
        let p = model.probabilities
        let centre = Vector.dot(p, x)
        var (second, third, fourth) = (0.0, 0.0, 0.0)
        var slope = x
        for t in x.indices {
            let d = x[t] - centre
            second += p[t] * d * d
            third += p[t] * d * d * d
            fourth += p[t] * d * d * d * d
            slope[t] =
                p[t] * d
                * (2 * aversion.variance * model.unbiased - 3 * aversion.skewness * d + 4 * aversion.kurtosis * d * d)
        }
        let shift = slope.reduce(0, +)
        for t in slope.indices { slope[t] -= p[t] * shift }
        let gradient = model.panel.returns.transposedMultiplied(by: slope)
        let mu = model.mean.map { $0 * model.unit }
        mean = Vector.dot(mu, weights)
        variance = second * model.unbiased
        self.third = third
        self.fourth = fourth
        let risk = aversion.variance * variance - aversion.skewness * third + aversion.kurtosis * fourth
        self.risk = risk
        switch name {
        case .minimumRisk:
            objective = risk
            direction = gradient.map { -$0 }
        case .utility:
            objective = mean - risk
            direction = zip(mu, gradient).map { $0 - $1 }
        case .maximumReturn:
            objective = mean
            direction = mu
        case .sharpe:
            let ratio = risk > 0 ? (mean - rate) / risk : 0
            objective = ratio
            direction = zip(mu, gradient).map { risk > 0 ? ($0 - ratio * $1) / risk : 0 }
        }
    }
}

/// The moments' model, and the limits' evidence.
struct FourMomentsProof: AnswerProof {
    let problem: FourMoments
    let limits: [(name: String, evidence: RiskEvidence)]

    static func figures(_ point: FourMomentsPoint) -> [OptimizeResponse.Figure] {
        [
            .init("variance", point.variance), .init("third_moment", point.third),
            .init("fourth_moment", point.fourth), .init("moment_risk", point.risk),
        ]
    }

    func point(_ request: OptimizeRequest, weights: [Double], periodsPerYear: Double) -> FourMomentsPoint {
        FourMomentsPoint(
            problem.model, request.momentAversion ?? .init(), objective: request.objective,
            rate: request.riskFreeRate / periodsPerYear, weights: weights)
    }

    func minorants(_ weights: [Double]) -> LimitMinorants {
        var evidence = SolutionEvidence()
        evidence.limits = limits
        return LimitMinorants(
            set: problem.constraints, evidence: evidence,
            model: MeanRisk(
                model: problem.model, measure: StandardDeviation(problem.parameters), covariance: problem.covariance,
                constraints: problem.constraints, parameters: problem.parameters, reward: Reward(),
                deadline: problem.deadline), weights: weights)
    }

    func objective(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double? {
        point(request, weights: result.weights, periodsPerYear: result.periodsPerYear).objective
    }

    func gap(_ request: OptimizeRequest, panel: ReturnPanel, result: OptimizationResult) -> Double {
        let point = point(request, weights: result.weights, periodsPerYear: result.periodsPerYear)
        let unit = problem.model.unit
        let size: Double =
            switch request.objective {
            case .minimumRisk: max(abs(point.risk), 1e-6 * unit * unit)
            case .utility: max(abs(point.mean) + abs(point.risk), 1e-6 * unit)
            case .maximumReturn: max(abs(point.mean), 1e-6 * unit)
            case .sharpe: max(abs(point.objective), 1e-9)
            }
        let gap = OptimalityBound(
            request, panel: panel, mean: result.moments?.mean, weights: result.weights, direction: point.direction,
            slack: 0, size: size, prices: result.prices, limits: minorants(result.weights),
            periodsPerYear: result.periodsPerYear
        ).relativeGap
        guard request.objective == .minimumRisk else { return gap }
        // Where the risk is convex it is not below zero, whatever the prices fail to prove; and what is left of none is rounding.
        let rounding = RisklessPortfolio.noise * panel.typicalReturn
        return abs(point.risk) <= rounding * rounding ? min(gap, 0) : min(gap, point.risk / size)
    }
}

extension ModelDispatch {
    /// Mean, variance, skewness and kurtosis.
    /// - Throws: what `FourMoments` throws; `OPT-201` where no attempt is proven.
    func fourMoments() throws(Problem) -> OptimizationResult {
        var problem = FourMoments(
            model: ScenarioModel(panel: panel, mean: moments.mean, probabilities: moments.scenarioWeights),
            covariance: moments.covariance, constraints: constraints,
            aversion: request.momentAversion ?? .init(), parameters: parameters, deadline: deadline)
        let names = constraints.constraints
        var result = try limited { () throws(Problem) in
            do throws(Problem) {
                let found = try provenMoments(&problem, names)
                // A ratio over next to no risk is one on the way to a portfolio without any.
                let typical = problem.model.panel.typicalReturn
                if request.objective == .sharpe, found.solution.risk < 1e-3 * typical * typical {
                    _ = try riskless(problem)
                }
                return found
            } catch {
                guard error.isOfRounding, let found = try riskless(problem) else { throw error }
                return found
            }
        }
        try addFrontier(
            of: FourMomentsFrontier(dispatch: self, model: problem.model), scale: periodsPerYear, to: &result)
        return result
    }

    /// The portfolio without any deviation, which has none of the moments; nil where there is none.
    /// - Throws: `OPT-203` where one earns the rate: a small step from it has a ratio as large as one likes.
    private func riskless(_ problem: FourMoments) throws(Problem) -> OptimizationResult? {
        let plain = MeanRisk(
            model: problem.model, measure: StandardDeviation(parameters), covariance: problem.covariance,
            constraints: constraints, parameters: parameters, reward: Reward(), deadline: deadline)
        guard [.minimumRisk, .sharpe].contains(request.objective),
            let weights = try RisklessPortfolio(model: plain, target: 0).best()
        else { return nil }
        if request.objective == .sharpe {
            let rate = request.riskFreeRate / periodsPerYear
            let size = moments.mean.reduce(abs(rate)) { max($0, abs($1)) }
            guard Vector.dot(moments.mean, weights) >= rate - 1e-12 * size else { return nil }
            throw MeanVariance.unlimitedRatio
        }
        let proof = FourMomentsProof(problem: problem, limits: [])
        let point = proof.point(request, weights: weights, periodsPerYear: periodsPerYear)
        var found = try answer(
            Proven(
                weights: weights, prices: constraints.constraints.map { _ in 0 }, iterations: 0,
                objective: point.objective, direction: point.direction, limits: proof.minorants(weights), proof: proof,
                figures: FourMomentsProof.figures(point)))
        found.solution.method = "riskless_portfolio"
        return found.solution.isProven(to: Verification.fullProof) ? found : nil
    }

    private func provenMoments(
        _ problem: inout FourMoments, _ names: [NamedConstraint]
    ) throws(Problem) -> OptimizationResult {
        try firstProven(Self.regularisations) { (regularisation) throws(Problem) in
            problem.regularisation = regularisation
            let found = try problem.solve(request.objective, rate: request.riskFreeRate / periodsPerYear)
            let own = try answer(problem, found, names)
            guard !own.solution.isProven(to: 1e-9),
                let step = try problem.newtonStep(from: found, request.objective)
            else { return own }
            let next = try answer(problem, step, names)
            return next.solution.largestError < own.solution.largestError ? next : own
        }
    }

    private func answer(
        _ problem: FourMoments, _ found: FourMoments.Solution, _ names: [NamedConstraint]
    ) throws(Problem) -> OptimizationResult {
        let proof = FourMomentsProof(
            problem: problem, limits: found.limits.map { (names[$0.constraint].name, $0.evidence) })
        let point = proof.point(request, weights: found.weights, periodsPerYear: periodsPerYear)
        return try answer(
            Proven(
                weights: found.weights, prices: found.prices, iterations: found.iterations,
                objective: point.objective, direction: point.direction, limits: proof.minorants(found.weights),
                proof: proof, figures: FourMomentsProof.figures(point)))
    }
}
