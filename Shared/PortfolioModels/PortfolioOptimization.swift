public import ConvexSolver
import LinearAlgebra
public import WireFormat

/// What an optimisation found, before it is stored or sent.
public struct OptimizationResult: Sendable {
    /// In the order of the request's assets.
    public var weights: [Double]
    /// Per period.
    public var solution: OptimizeResponse.Solution
    /// Prices of all named constraints that are not zero, for verification: improvement of the objective per unit of level.
    public var prices: [OptimizeResponse.Binding]
    /// Annual.
    public var metrics: [OptimizeResponse.Figure]
    /// Per period, by code.
    public var risk: [OptimizeResponse.Figure]
    /// Annual, ascending in risk; nil where not asked for.
    public var frontier: [OptimizeResponse.FrontierPoint]?
    /// Mean and covariance that the model put in place of the sample's; nil where it is the sample's.
    public var moments: Moments?
    /// By asset, adding up to the risk of `solution`.
    public var riskContributions: [Double]
    /// What annual figures were made with.
    public var periodsPerYear: Double
    public var warnings: [PortfolioWarning]
}

/// The way of a request: estimate -> constraints -> solve -> metrics -> frontier. Pure and synchronous.
public enum PortfolioOptimization {
    /// The engine's name in answers.
    public static let engine = "ballast-interior-point/1"

    /// Optimises a portfolio.
    /// - Parameters:
    ///   - request: decoded and checked.
    ///   - panel: returns of exactly the request's assets, in their order.
    ///   - deadline: polled at every iteration of every solve.
    /// - Throws: `OPT-101` infeasible with conflict and relaxation, `OPT-203` ratio undefined, `OPT-201/202` not solved,
    ///   `SYS-201` deadline, `DAT-002` too little history.
    public static func run(
        _ request: OptimizeRequest, panel: ReturnPanel, deadline: SolverDeadline = .none
    ) throws(Problem) -> OptimizationResult {
        if let problem = (request.unsupported() ?? request.lengthViolation(dates: panel.dates)).flatMap({
            Problem(violations: [$0])
        }) {
            throw problem
        }
        guard panel.assets == request.assets else {
            throw Problem(.internalError, "The panel's assets are not those of the request.")
        }
        let periods = periodsPerYear(request, panel)
        let rate = request.riskFreeRate / periods
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: periods)
        let own = MomentEstimation.isPlain(request) ? nil : moments
        let (mean, covariance) = (moments.mean, moments.covariance)
        let constraints = ConstraintSet(request: request, mean: mean, periodsPerYear: periods)
        let model = MeanVariance(mean: mean, covariance: covariance, constraints: constraints, deadline: deadline)
        let found = try model.solve(request.objective, riskFreeRate: rate, riskAversion: request.riskAversion)

        let x = panel.portfolioReturns(found.weights)
        let point = MeanVariancePoint(
            request: request, x: x, panel: panel, moments: own, weights: found.weights, riskFreeRate: rate)
        let binding = BindingConstraints(found, gradient: point.gradient, set: constraints)
        let figures = PortfolioMetrics(
            of: x, periodsPerYear: periods, riskFreeRate: request.riskFreeRate, parameters: RiskParameters(request))
        var warnings = moments.warnings + constraints.warnings + figures.warnings
        let frontier = try self.frontier(request, model, periods, &warnings)
        let prices = zip(constraints.constraints, binding.prices).filter { $1 != 0 }
        return OptimizationResult(
            weights: found.weights,
            solution: OptimizeResponse.Solution(
                status: "optimal", objectiveValue: point.objective, expectedReturn: point.expectedReturn,
                risk: point.risk,
                primalResidual: found.solver.primalResidual, dualResidual: found.solver.dualResidual,
                dualityGap: found.solver.relativeGap, iterations: found.solver.iterations,
                method: found.solver.isPolished ? "interior_point+active_set" : "interior_point",
                binding: binding.binding),
            prices: prices.map { .init(constraint: $0.name, dual: $1) }, metrics: figures.metrics, risk: figures.risk,
            frontier: frontier, moments: own,
            riskContributions: own.map { $0.riskContributions(found.weights) }
                ?? StandardDeviation(RiskParameters(request)).contributions(weights: found.weights, panel: panel),
            periodsPerYear: periods, warnings: warnings)
    }

    /// Periods a year: the request's, else its calendar's, else by whether the panel has weekends.
    public static func periodsPerYear(_ request: OptimizeRequest, _ panel: ReturnPanel) -> Double {
        request.periodsPerYear ?? request.calendar?.periodsPerYear ?? panel.periodsPerYear
    }

    private static func frontier(
        _ request: OptimizeRequest, _ model: MeanVariance, _ periods: Double, _ warnings: inout [PortfolioWarning]
    ) throws(Problem) -> [OptimizeResponse.FrontierPoint]? {
        guard let wanted = request.frontier else { return nil }
        let points = try EfficientFrontier(model: model).points(wanted.points, by: wanted.axis)
        if points.count < wanted.points {
            let text =
                points.count == 1
                ? "No portfolio that the constraints allow returns more than the one of least risk: the frontier is one point."
                : "\(wanted.points - points.count) points are left out: another of equal risk returns more."
            let place = JSONPointer(["efficient_frontier"])
            warnings.append(PortfolioWarning(code: "frontier_degenerate", pointer: place, detail: text))
        }
        return points.map { point in
            OptimizeResponse.FrontierPoint(
                risk: point.risk * periods.squareRoot(), expectedReturn: point.expectedReturn * periods,
                weights: wanted.withWeights ? point.weights : nil)
        }
    }
}

extension RiskParameters {
    /// The parameters of a request; the target of lower partial moments is zero.
    public init(_ request: OptimizeRequest) {
        self.init(
            alpha: request.alpha, beta: request.beta, levels: request.levels, gainLevels: request.gainLevels,
            kappa: request.kappa, kappaGain: request.kappaGain, power: request.power)
    }
}

extension OptimizationResult {
    /// The answer, with what only the service knows.
    public func response(
        request: OptimizeRequest, panel: ReturnPanel, portfolioID: String?, timestamp: UTCTimestamp, revision: Int64?,
        fingerprint: String, meta: OptimizeResponse.Meta
    ) -> OptimizeResponse {
        OptimizeResponse(
            portfolioID: portfolioID, timestamp: timestamp, assets: request.assets, weights: weights, metrics: metrics,
            efficientFrontier: frontier, solution: solution, risk: risk, riskContributions: riskContributions,
            data: OptimizeResponse.DataUsed(
                start: panel.dates[0], end: panel.dates[panel.dates.count - 1], observations: panel.observations,
                assets: panel.assets.count, revision: revision, fingerprint: fingerprint, missing: panel.missing),
            meta: meta, warnings: warnings)
    }
}
