import ConvexSolver
import LinearAlgebra
import WireFormat

/// What a solution proves itself by: dual series of the risks, and slopes of the costs at weights that do not move.
struct SolutionEvidence: Sendable {
    /// Of the objective's risk.
    var objective: RiskEvidence?
    /// By the name of the limiting constraint.
    var limits: [(name: String, evidence: RiskEvidence)] = []
    var costKinks: [Double] = []
}

/// One mean-risk problem from the request to the answer's `solution`: the quadratic program where it suffices, else the composite one.
struct MeanRiskSolve {
    let request: OptimizeRequest
    let panel: ReturnPanel
    let moments: Moments
    /// Whether the moments are those of the plain sample, which the panel has to more digits.
    let isSample: Bool
    let constraints: ConstraintSet
    let parameters: RiskParameters
    let riskFreeRate: Double
    let deadline: SolverDeadline

    /// The parts of an answer that follow from the weights.
    struct Solved {
        var weights: [Double]
        var solution: OptimizeResponse.Solution
        var prices: [OptimizeResponse.Binding]
        var contributions: [Double]
        var evidence: SolutionEvidence
        fileprivate var meanVariance: MeanVariance?
        var meanRisk: MeanRisk
    }

    /// Mean-variance under linear constraints and hinges is a quadratic program, and solved to the last digit as one.
    private var isQuadratic: Bool {
        request.riskMeasure == .mv && constraints.convex.isEmpty && reward.isLinear
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
        guard let measure = RiskMeasures.measure(request.riskMeasure, parameters) as? any ConvexRiskMeasure else {
            throw Problem(
                JSONPointer(["risk_measure"]), .other("not_optimisable"),
                "\(request.riskMeasure.rawValue) is not convex: it is evaluated, not optimised.")
        }
        let model = MeanRisk(
            model: ScenarioModel(panel: panel, mean: moments.mean), measure: measure,
            covariance: moments.covariance, constraints: constraints, parameters: parameters, reward: reward,
            deadline: deadline)
        return isQuadratic ? try quadratic(model) : try composite(model)
    }

    private func quadratic(_ model: MeanRisk) throws(Problem) -> Solved {
        let plain = MeanVariance(
            mean: moments.mean, covariance: moments.covariance, constraints: constraints, deadline: deadline)
        let found = try plain.solve(
            request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
        let point = MeanRiskPoint(
            objective: request.objective, model: model, weights: found.weights, riskFreeRate: riskFreeRate,
            riskAversion: request.riskAversion, evidence: nil, costKinks: [])
        let binding = BindingConstraints(
            prices: found.prices, weights: found.weights, gradient: point.direction, set: constraints)
        return Solved(
            weights: found.weights,
            solution: OptimizeResponse.Solution(
                status: "optimal", objectiveValue: point.objective, expectedReturn: point.expectedReturn,
                risk: point.risk, primalResidual: found.solver.primalResidual, dualResidual: found.solver.dualResidual,
                dualityGap: found.solver.relativeGap, iterations: found.solver.iterations,
                method: found.solver.isPolished ? "interior_point+active_set" : "interior_point",
                binding: binding.binding),
            prices: named(binding.prices), contributions: contributions(found.weights, model),
            evidence: SolutionEvidence(), meanVariance: plain, meanRisk: model)
    }

    private func composite(_ model: MeanRisk) throws(Problem) -> Solved {
        let found = try model.solve(request.objective, riskFreeRate: riskFreeRate, riskAversion: request.riskAversion)
        let evidence = SolutionEvidence(
            objective: found.evidence.first { $0.constraint == nil }?.evidence,
            limits: found.evidence.compactMap { item in
                item.constraint.map { (constraints.constraints[$0].name, item.evidence) }
            }, costKinks: found.costKinks)
        let point = MeanRiskPoint(
            objective: request.objective, model: model, weights: found.weights, riskFreeRate: riskFreeRate,
            riskAversion: request.riskAversion, evidence: evidence.objective, costKinks: found.costKinks)
        // Limits take their share of the direction before the bounds are priced.
        let limits = LimitMinorants(set: constraints, evidence: evidence, model: model, weights: found.weights)
        let binding = BindingConstraints(
            prices: found.prices, weights: found.weights, gradient: limits.reduced(point.direction, found.prices),
            set: constraints)
        let prices = named(binding.prices)
        let gap = OptimalityBound(
            request, panel: panel, moments: isSample ? nil : moments, weights: found.weights, point: point,
            prices: prices, limits: limits,
            periodsPerYear: PortfolioOptimization.periodsPerYear(request, panel)
        ).relativeGap
        guard gap <= 1e-6 else {
            throw Problem(
                .notConverged, "No certified solution after \(found.iterations) iterations: the gap is \(gap).")
        }
        return Solved(
            weights: found.weights,
            solution: OptimizeResponse.Solution(
                status: "optimal", objectiveValue: point.objective, expectedReturn: point.expectedReturn,
                risk: point.risk, primalResidual: found.primalResidual, dualResidual: found.dualResidual,
                dualityGap: max(gap, 0), iterations: found.iterations, method: "structured_interior_point",
                binding: binding.binding),
            prices: prices, contributions: contributions(found.weights, model), evidence: evidence, meanVariance: nil,
            meanRisk: model)
    }

    private func named(_ prices: [Double]) -> [OptimizeResponse.Binding] {
        zip(constraints.constraints, prices).filter { $1 != 0 }.map { .init(constraint: $0.name, dual: $1) }
    }

    private func contributions(_ weights: [Double], _ model: MeanRisk) -> [Double] {
        // A deviation under other moments is not that of the panel's series.
        request.riskMeasure == .mv && !isSample
            ? moments.riskContributions(weights) : model.measure.contributions(weights: weights, panel: panel)
    }
}

extension MeanRiskSolve.Solved {
    /// The frontier that the request asks for, annual; nil where it asks for none.
    func frontier(
        _ request: OptimizeRequest, _ periods: Double, _ warnings: inout [PortfolioWarning]
    ) throws(Problem) -> [OptimizeResponse.FrontierPoint]? {
        guard let wanted = request.frontier else { return nil }
        let points =
            if let meanVariance {
                try EfficientFrontier(model: meanVariance).points(wanted.points, by: wanted.axis)
            } else {
                try EfficientFrontier(model: meanRisk).points(wanted.points, by: wanted.axis)
            }
        if points.count < wanted.points {
            let text =
                points.count == 1
                ? "No portfolio that the constraints allow returns more than the one of least risk: the frontier is one point."
                : "\(wanted.points - points.count) points are left out: another of equal risk returns more."
            let place = JSONPointer(["efficient_frontier"])
            warnings.append(PortfolioWarning(code: "frontier_degenerate", pointer: place, detail: text))
        }
        let isSquare = type(of: meanRisk.measure).degree == 2
        return points.map { point in
            OptimizeResponse.FrontierPoint(
                risk: point.risk * (isSquare ? periods : periods.squareRoot()),
                expectedReturn: point.expectedReturn * periods, weights: wanted.withWeights ? point.weights : nil)
        }
    }
}
