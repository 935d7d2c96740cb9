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
    /// Moments that the model put in place of the sample's; nil where they are the sample's.
    public var moments: Moments?
    /// By asset, adding up to the risk of `solution`.
    public var riskContributions: [Double]
    /// What the solver believes about the risks of the problem, for verification.
    var evidence = SolutionEvidence()
    /// Per period: what the model says beside its objective, such as the worst return of a worst case.
    public var modelFigures: [OptimizeResponse.Figure] = []
    /// By asset; empty where the model resamples nothing.
    public var weightBands: [OptimizeResponse.WeightBand] = []
    /// What an answer of a model with a certificate of its own proves itself by.
    var proof: (any AnswerProof)?
    /// The model that was solved; nil where weights follow from a rule rather than from an objective.
    var model: MeanRisk?
    /// Bounds within which the answer is proven on its own, where the assets held were chosen by a search.
    var choice: (lower: [Double], upper: [Double])?
    /// Loadings that limits of exposure are about.
    var exposures: [FactorExposure] = []
    /// What annual figures were made with.
    public var periodsPerYear: Double
    public var warnings: [PortfolioWarning]
}

/// The way of a request: estimate -> constraints -> solve -> metrics -> frontier. Pure and synchronous.
public enum PortfolioOptimization {
    /// The engine's name in answers.
    public static let engine = "ballast-interior-point/2"

    /// Optimises a portfolio.
    /// - Parameters:
    ///   - request: decoded and checked.
    ///   - panel: returns of exactly the request's assets, in their order.
    ///   - deadline: polled at every iteration of every solve.
    ///   - scope: which measures the answer evaluates by code.
    ///   - base: what `MomentEstimation.base` made of the same panel, where somebody kept it.
    ///   - near: weights that the answer is probably near to, such as those of a window of periods before or of other bounds: the solve starts
    ///     there where they are allowed. The answer is the same up to what its proof leaves open.
    /// - Throws: `OPT-101` infeasible with conflict and relaxation, `OPT-203` ratio undefined, `OPT-201/202` not solved,
    ///   `SYS-201` deadline, `DAT-002` too little history.
    public static func run(
        _ request: OptimizeRequest, panel: ReturnPanel, deadline: SolverDeadline = .none,
        scope: PortfolioMetrics.Scope = .plain, base: Moments? = nil, near: [Double]? = nil
    ) throws(Problem) -> OptimizationResult {
        var request = request
        if request.model == .orderedWeightedAverage { request.riskMeasure = .gmd }
        if let problem = request.lengthViolation(dates: panel.dates).flatMap({ Problem(violations: [$0]) }) {
            throw problem
        }
        guard panel.assets == request.assets else {
            throw Problem(.internalError, "The panel's assets are not those of the request.")
        }
        let periods = periodsPerYear(request, panel)
        let rate = request.riskFreeRate / periods
        let moments = try MomentEstimation.estimate(request, panel: panel, periodsPerYear: periods, base: base)
        let own = MomentEstimation.isPlain(request) ? nil : moments
        if let problem = moments.unsupported(request).flatMap({ Problem(violations: [$0]) }) { throw problem }
        let parameters = RiskParameters(request, riskFreeRate: rate)
        let exposures = try FactorExposure.all(request, panel: panel)
        let scenarios = try moments.scenarioPanel(panel)
        let constraints = try ConstraintSet(
            request: request, mean: moments.mean, periodsPerYear: periods, panel: panel, parameters: parameters,
            covariance: own?.covariance, exposures: exposures, scenarios: scenarios,
            probabilities: moments.scenarioWeights)
        let allocation = ModelDispatch(
            request: request, panel: panel, moments: moments, own: own, constraints: constraints,
            exposures: exposures, parameters: parameters,
            periodsPerYear: periods, deadline: deadline, scope: scope)
        if let result = try allocation.run() { return result }
        var problem = MeanRiskSolve(
            request: request, panel: scenarios ?? panel, moments: moments, isSample: own == nil,
            constraints: constraints, exposures: exposures, parameters: parameters, riskFreeRate: rate,
            deadline: deadline, observed: scenarios == nil ? nil : panel, near: near)
        var ofModel: [PortfolioWarning] = []
        if request.model == .orderedWeightedAverage {
            let (coefficients, warnings) = try OrderedCoefficients(request: request, count: panel.observations).make()
            problem.given = GivenOrderedAverage(coefficients: coefficients)
            ofModel = warnings
        }
        let solved = try problem.run()
        let x = panel.portfolioReturns(solved.weights)
        let figures = PortfolioMetrics(
            of: x, periodsPerYear: periods, riskFreeRate: request.riskFreeRate, parameters: parameters,
            scope: scope, convention: request.convention,
            expectedReturn: PortfolioMetrics.expectedReturn(
                request.convention, weights: solved.weights, panel: panel, periodsPerYear: periods),
            hasTarget: request.target != nil)
        var warnings = moments.warnings + constraints.warnings + ofModel + figures.warnings + solved.warnings
        let frontier = try solved.frontier(problem, periods, &warnings)
        return OptimizationResult(
            weights: solved.weights, solution: solved.solution, prices: solved.prices, metrics: figures.metrics,
            risk: figures.risk, frontier: frontier, moments: own, riskContributions: solved.contributions,
            evidence: solved.evidence,
            model: solved.meanRisk, choice: solved.choice, exposures: exposures, periodsPerYear: periods,
            warnings: warnings)
    }

    /// Periods a year: the request's, else its calendar's, else by whether the panel has weekends.
    public static func periodsPerYear(_ request: OptimizeRequest, _ panel: ReturnPanel) -> Double {
        request.periodsPerYear ?? request.calendar?.periodsPerYear ?? panel.periodsPerYear
    }
}

extension RiskParameters {
    /// The parameters of a request.
    /// - Parameter riskFreeRate: per period; the target of lower partial moments in a ratio, which is zero elsewhere.
    public init(_ request: OptimizeRequest, riskFreeRate: Double = 0) {
        self.init(
            alpha: request.alpha, beta: request.beta, levels: request.levels, gainLevels: request.gainLevels,
            kappa: request.kappa, kappaGain: request.kappaGain, power: request.power,
            target: request.target ?? (request.objective == .sharpe ? riskFreeRate : 0))
    }
}

extension OptimizationResult {
    /// The answer without what it is proven by, which holds the panel: for keeping once it has been verified.
    public var withoutProof: OptimizationResult {
        var result = self
        result.evidence = SolutionEvidence()
        result.proof = nil
        result.model = nil
        return result
    }

    /// The answer, with what only the service knows.
    public func response(
        request: OptimizeRequest, panel: ReturnPanel, portfolioID: String?, timestamp: UTCTimestamp, revision: Int64?,
        fingerprint: String, meta: OptimizeResponse.Meta
    ) -> OptimizeResponse {
        OptimizeResponse(
            portfolioID: portfolioID, timestamp: timestamp, assets: request.assets, weights: weights, metrics: metrics,
            efficientFrontier: frontier, solution: solution, risk: risk, modelFigures: modelFigures,
            weightBands: weightBands,
            riskContributions: riskContributions,
            data: OptimizeResponse.DataUsed(panel, revision: revision, fingerprint: fingerprint),
            meta: meta, warnings: warnings)
    }
}
