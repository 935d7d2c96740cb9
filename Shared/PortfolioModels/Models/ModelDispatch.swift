import ConvexSolver
import LinearAlgebra
import WireFormat

/// Models whose weights follow from a rule or from a program of their own: hierarchical, naive, diversification, tracking.
struct ModelDispatch {
    let request: OptimizeRequest
    let panel: ReturnPanel
    let moments: Moments
    /// The moments that the request put in place of the sample's; nil where it put none.
    let own: Moments?
    let constraints: ConstraintSet
    let exposures: [FactorExposure]
    let parameters: RiskParameters
    let periodsPerYear: Double
    let deadline: SolverDeadline
    let scope: PortfolioMetrics.Scope

    /// Weights and how they were found.
    struct Allocation {
        var weights: [Double]
        var method: String
        var solver: QuadraticSolution?
        var warnings: [PortfolioWarning] = []
    }

    /// The answer; nil for models that are not of this kind.
    /// - Throws: `REQ-105` for constraints that the model cannot keep, and what the model throws.
    func run() throws(Problem) -> OptimizationResult? {
        guard AllocationRules.define(request.model) else { return nil }
        if let fault = AllocationRules.fault(request) {
            throw Problem(violations: [fault]) ?? Problem(.internalError, fault.detail)
        }
        if request.model.sharesOutRisk { return try riskParity() }
        if request.model == .worstCase { return try worstCase() }
        if request.model == .fourMoments { return try fourMoments() }
        if request.model == .nearOptimal { return try nearOptimal() }
        if request.model == .resampled { return try resampled() }
        var found: Allocation
        switch request.model {
        case .hierarchicalRiskParity, .hierarchicalEqualRisk, .hierarchicalEqualRisk2, .nestedClusters,
            .schurComplement:
            found = try allowed(hierarchical())
        case .equalWeight: found = try allowed(naive(.equal))
        case .inverseVolatility: found = try allowed(naive(.inverseVolatility))
        case .inverseVariance: found = try allowed(naive(.inverseVariance))
        case .maximumDiversification:
            found = program(
                try MaximumDiversification(covariance: moments.covariance, constraints: constraints, deadline: deadline)
                    .solve())
        case .maximumDecorrelation:
            found = program(
                try MaximumDecorrelation(covariance: moments.covariance, constraints: constraints, deadline: deadline)
                    .solve())
        default:
            guard let benchmark = BenchmarkTracking.series(request.constraints, panel) else {
                throw Problem(
                    JSONPointer(["constraints", "benchmark_returns"]), .contradiction,
                    "The benchmark has no return for some of the panel's periods.")
            }
            found = program(
                try BenchmarkTracking(
                    panel: panel, benchmark: benchmark, constraints: constraints, deadline: deadline
                ).solve())
        }
        return try result(found)
    }

    // MARK: Kinds

    private func hierarchical() throws(Problem) -> Allocation {
        let input = try HierarchicalInput(request, panel, moments, try limits(), parameters, deadline)
        let clustering = request.clustering ?? ClusteringRequest()
        let model: any HierarchicalModel
        let method: String
        switch request.model {
        case .hierarchicalRiskParity: (model, method) = (HierarchicalRiskParity(input), "recursive_bisection")
        case .hierarchicalEqualRisk: (model, method) = (HierarchicalEqualRisk(input), "cluster_bisection")
        case .hierarchicalEqualRisk2:
            (model, method) = (HierarchicalEqualRisk(input, isEqualWithin: true), "cluster_bisection")
        case .schurComplement:
            (model, method) = (SchurComplementary(input, gamma: clustering.gamma), "schur_complement")
        default:
            let nested = try optimizer(clustering)
            (model, method) = (NestedClusters(input, inner: nested, outer: nested), "nested_clusters")
        }
        let solution = try model.solve()
        return Allocation(weights: solution.weights, method: method, warnings: solution.warnings)
    }

    private func optimizer(_ clustering: ClusteringRequest) throws(Problem) -> any NestedOptimizer {
        if clustering.objective == .equalContributions {
            guard request.riskMeasure == .mv else {
                throw Problem(
                    JSONPointer(["risk_measure"]), .contradiction,
                    "Equal contributions within and over clusters are those of MV, not of \(request.riskMeasure.rawValue)."
                )
            }
            return NestedEqualContributions()
        }
        var wanted = request
        wanted.objective = AllocationRules.objective(of: request) ?? request.objective
        return NestedMeanRisk(
            request: wanted, parameters: parameters, riskFreeRate: request.riskFreeRate / periodsPerYear,
            deadline: deadline)
    }

    private func naive(_ rule: NaiveWeights.Rule) throws(Problem) -> Allocation {
        let weights = try NaiveWeights.weights(
            rule, assets: panel.assets, covariance: moments.covariance, limits: try limits())
        return Allocation(weights: weights, method: "closed_form")
    }

    private func program(_ solved: ModelSolution) -> Allocation {
        Allocation(
            weights: solved.weights,
            method: solved.solver.method, solver: solved.solver)
    }

    // MARK: Constraints

    /// Bounds and budget. A range of the budget is used up to one.
    private func limits() throws(Problem) -> WeightLimits {
        let budget = min(max(1, constraints.budget.min), constraints.budget.max)
        guard budget > 0 else {
            throw Problem(
                JSONPointer(["constraints", "budget"]), .contradiction,
                "\(request.model.rawValue) is long only: its budget is above zero.")
        }
        do {
            return try WeightLimits(lower: constraints.lower, upper: constraints.upper, budget: budget)
        } catch {
            // The same in the caller's names, with the smallest relaxation.
            guard constraints.lower.allSatisfy({ $0 >= 0 }) else { throw error }
            throw try ConflictAnalysis(constraints, deadline: deadline).problem()
        }
    }

    /// Weights of a rule that knows bounds and budget, moved to the nearest that all other constraints allow.
    private func allowed(_ found: Allocation) throws(Problem) -> Allocation {
        let nearest = NearestAllowed(weights: found.weights, constraints: constraints, deadline: deadline)
        guard !nearest.isAllowed else { return found }
        let moved = try nearest.solve()
        let names = constraints.constraints.filter { $0.slack(at: found.weights) < -1e-12 }.map { $0.name }
        let warning = PortfolioWarning(
            code: "moved_to_constraints", pointer: JSONPointer(["constraints"]),
            detail:
                "\(request.model.rawValue) knows bounds and budget only; its weights were moved to the nearest that \(names.prefix(5).joined(separator: ", ")) allow."
        )
        return Allocation(
            weights: moved.weights, method: found.method + "+projection", solver: moved.solver,
            warnings: found.warnings + [warning])
    }

    // MARK: Answer

    func result(_ found: Allocation) throws(Problem) -> OptimizationResult {
        let w = found.weights
        let x = panel.portfolioReturns(w)
        guard let measure = RiskMeasures.measure(request.riskMeasure, parameters) else {
            throw Problem(.internalError, "The risk measure \(request.riskMeasure.rawValue) is not registered.")
        }
        let isModelled = request.riskMeasure == .mv && own != nil
        let risk = isModelled ? moments.deviation(w) : measure.value(of: x)
        let figures = PortfolioMetrics(
            of: x, periodsPerYear: periodsPerYear, riskFreeRate: request.riskFreeRate, parameters: parameters,
            scope: scope, convention: request.convention,
            expectedReturn: PortfolioMetrics.expectedReturn(
                request.convention, weights: w, panel: panel, periodsPerYear: periodsPerYear),
            hasTarget: request.target != nil)
        let mean = Vector.dot(moments.mean, w)
        let objective = AllocationRules.value(
            request, panel: panel, covariance: moments.covariance(_:_:), weights: w,
            reward: mean, risk: risk, riskFreeRate: request.riskFreeRate / periodsPerYear)
        return OptimizationResult(
            weights: w,
            solution: OptimizeResponse.Solution(
                status: "optimal", objectiveValue: objective, expectedReturn: mean, risk: risk,
                primalResidual: found.solver?.primalResidual ?? 0, dualResidual: found.solver?.dualResidual ?? 0,
                dualityGap: found.solver?.relativeGap ?? 0, iterations: found.solver?.iterations ?? 0,
                method: found.method, binding: []),
            prices: [], metrics: figures.metrics, risk: figures.risk, frontier: nil, moments: own,
            riskContributions: isModelled
                ? moments.riskContributions(w) : measure.contributionsWithTarget(weights: w, panel: panel),
            model: nil, exposures: exposures, periodsPerYear: periodsPerYear,
            warnings: moments.warnings + constraints.warnings + found.warnings + figures.warnings)
    }
}

extension HierarchicalInput {
    /// What a request asks for.
    init(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ moments: Moments, _ limits: WeightLimits,
        _ parameters: RiskParameters, _ deadline: SolverDeadline
    ) throws(Problem) {
        try self.init(panel)
        mean = moments.mean
        covariance = moments.covariance
        risk =
            switch request.hierarchicalRisk {
            case .volatility?: .volatility
            case .equal?: .equal
            case nil: .measure(request.riskMeasure)
            }
        self.parameters = parameters
        self.limits = limits
        limitRule = request.convention == .riskfolio ? .afterwards : .duringSplits
        self.deadline = deadline
        clustering = HierarchicalClustering.Options(request.clustering ?? ClusteringRequest(), assets: panel.assets)
    }
}

extension HierarchicalClustering.Options {
    /// What the member `clustering` asks for.
    init(_ wanted: ClusteringRequest, assets: [String]) {
        self.init()
        codependence.measure =
            wanted.codependence == .custom
            ? .custom : Codependence.Measure(rawValue: wanted.codependence.rawValue) ?? .pearson
        codependence.binning = HistogramBinning(wanted.bins)
        codependence.tailProbability = wanted.tailAlpha
        codependence.gerberThreshold = wanted.threshold
        if let matrix = wanted.matrix {
            let places = assets.compactMap { asset in matrix.assets.firstIndex(of: asset) }
            codependence.covariance = Matrix(places.map { i in places.map { matrix.values[i][$0] } })
        }
        linkage = LinkageMethod(rawValue: wanted.linkage.rawValue) ?? .single
        isLeafOrdered = wanted.isOrdered
        clusters = wanted.count
        mostClusters = wanted.mostClusters
        method = wanted.countMethod == .twoDifferences ? .twoDifference : .standardisedSilhouette
    }
}
