import ConvexSolver
public import LinearAlgebra
public import WireFormat

/// What an optimisation within a cluster, or over the clusters, is given: a small universe of its own.
public struct NestedUniverse: Sendable {
    /// Names of the assets, or of the clusters.
    public var assets: [String]
    /// T x m.
    public var panel: ReturnPanel
    /// m mean returns per period.
    public var mean: [Double]
    /// m x m.
    public var covariance: Matrix
    /// Limits and sum of the m weights.
    public var limits: WeightLimits
}

/// The optimisation that nested clusters run within clusters and over them. A risk measure joins by conforming to it.
public protocol NestedOptimizer: Sendable {
    /// m weights within the limits, adding up to their budget.
    func weights(_ universe: NestedUniverse) throws(Problem) -> [Double]
}

/// Nested clustered optimisation (NCO): the optimum within each cluster, then over the clusters' portfolios.
///
/// ```
/// W = N x k optimal weights within the clusters;  v = optimum for mean W'mu, covariance W'Sigma W, returns R W
/// w = W v
/// ```
/// Errors of estimation stay within the clusters. Limits of weights are kept afterwards, or by the clusters' totals and
/// proportionally within (`WeightLimitRule`).
///
/// Source: M. Lopez de Prado (2020), Machine Learning for Asset Managers, section 7.
public struct NestedClusters: HierarchicalModel {
    private let input: HierarchicalInput
    private let inner: any NestedOptimizer
    private let outer: any NestedOptimizer

    /// A model of the input with the optimisation within clusters and the one over them.
    public init(_ input: HierarchicalInput, inner: any NestedOptimizer, outer: any NestedOptimizer) {
        self.input = input
        self.inner = inner
        self.outer = outer
    }

    /// The weights and the clusters.
    public func solve() throws(Problem) -> HierarchicalSolution {
        let clustering = try HierarchicalClustering(input.panel, input.clustering)
        try input.checkDeadline()
        let labels = clustering.clusters()
        let groups = Dendrogram.groups(labels)
        var within: [[Double]] = []
        for members in groups { within.append(try optimum(within: members)) }
        let totals = try optimum(over: groups, within)
        var weights = [Double](repeating: 0, count: labels.count)
        for (cluster, members) in groups.enumerated() {
            let kept =
                input.limitRule == .duringSplits && input.limits.binds
                ? LimitedAllocation.proportional(within[cluster], members, input.limits, total: totals[cluster])
                : within[cluster].map { totals[cluster] * $0 }
            for (position, asset) in members.enumerated() { weights[asset] = kept[position] }
        }
        return HierarchicalSolution(
            weights: input.finished(weights), tree: clustering.tree, clusters: labels, warnings: [])
    }

    private func optimum(within members: [Int]) throws(Problem) -> [Double] {
        guard members.count > 1 else { return [1] }
        let panel = input.panel
        return try inner.weights(
            NestedUniverse(
                assets: members.map { panel.assets[$0] },
                panel: try ReturnPanel(
                    assets: members.map { panel.assets[$0] }, dates: panel.dates,
                    returns: panel.returns.selecting(columns: members)),
                mean: members.map { input.mean[$0] },
                covariance: input.covariance.submatrix(rows: members, columns: members),
                limits: try .unlimited(members.count)))
    }

    private func optimum(over groups: [[Int]], _ within: [[Double]]) throws(Problem) -> [Double] {
        let budget = input.limits.budget
        guard groups.count > 1 else { return [budget] }
        var weights = Matrix(rows: input.mean.count, columns: groups.count)
        for (cluster, members) in groups.enumerated() {
            for (position, asset) in members.enumerated() { weights[asset, cluster] = within[cluster][position] }
        }
        let isLimited = input.limitRule == .duringSplits && input.limits.binds
        let ranges = groups.map { isLimited ? input.limits.total($0) : 0...budget }
        let names = groups.indices.map { "cluster \($0 + 1)" }
        var covariance = Matrix(rows: groups.count, columns: groups.count)
        covariance.gemm(weights, input.covariance * weights, transposeFirst: true)
        for j in 0..<groups.count {
            for i in 0..<j { covariance[i, j] = covariance[j, i] }
        }
        return try outer.weights(
            NestedUniverse(
                assets: names,
                panel: try ReturnPanel(
                    assets: names, dates: input.panel.dates, returns: input.panel.returns * weights),
                mean: weights.transposedMultiplied(by: input.mean), covariance: covariance,
                limits: try WeightLimits(
                    lower: ranges.map { $0.lowerBound }, upper: ranges.map { $0.upperBound }, budget: budget)))
    }
}

/// Mean-risk of any convex measure within and over clusters.
struct NestedMeanRisk: NestedOptimizer {
    /// Measure, parameters, objective and rates are read; assets and constraints are the universe's.
    let request: OptimizeRequest
    let parameters: RiskParameters
    /// Per period.
    let riskFreeRate: Double
    let deadline: SolverDeadline

    /// The optimum. A cluster in which nothing beats the risk-free rate has no best ratio: it is held at its least risk, and the
    /// optimisation over the clusters decides about it.
    func weights(_ universe: NestedUniverse) throws(Problem) -> [Double] {
        do {
            return try optimum(universe, request.objective)
        } catch {
            guard error.code == ProblemCode.ratioUndefined.rawValue, universe.mean.allSatisfy({ $0 <= riskFreeRate })
            else { throw error }
            return try optimum(universe, .minimumRisk)
        }
    }

    private func optimum(_ universe: NestedUniverse, _ objective: ObjectiveName) throws(Problem) -> [Double] {
        var nested = request
        let limits = universe.limits
        nested.assets = universe.assets
        nested.model = .classic
        nested.objective = objective
        nested.constraints = ConstraintRequest()
        nested.constraints.lowerBound = .byAsset(zip(universe.assets, limits.lower).map { .init($0, $1) })
        nested.constraints.upperBound = .byAsset(zip(universe.assets, limits.upper).map { .init($0, $1) })
        nested.constraints.budget = .init(min: limits.budget, max: limits.budget)
        return try MeanRiskSolve(
            request: nested, panel: universe.panel,
            moments: Moments(mean: universe.mean, covariance: universe.covariance), isSample: false,
            constraints: ConstraintSet(
                request: nested, mean: universe.mean, periodsPerYear: 1, panel: universe.panel, parameters: parameters),
            parameters: parameters, riskFreeRate: riskFreeRate, deadline: deadline
        ).run().weights
    }
}

/// Naive weights within and over clusters: inverse to risk.
public struct NestedNaive: NestedOptimizer {
    private let risk: HierarchicalRisk
    private let parameters: RiskParameters

    /// Weights inverse to this risk of the assets or clusters.
    public init(_ risk: HierarchicalRisk, _ parameters: RiskParameters = RiskParameters()) {
        self.risk = risk
        self.parameters = parameters
    }

    /// The weights.
    public func weights(_ universe: NestedUniverse) throws(Problem) -> [Double] {
        let naive = try NaiveRisk(risk, universe.panel, universe.covariance, parameters)
        let all = Array(universe.assets.indices)
        return LimitedAllocation.proportional(
            naive.weights(of: all), all, universe.limits, total: universe.limits.budget)
    }
}

/// Equal contributions to the variance within and over clusters (Riskfolio-Lib's objective ERC of NCO).
public struct NestedEqualContributions: NestedOptimizer {
    /// An optimisation without parameters.
    public init() {}

    /// The weights.
    /// - Throws: `OPT-202` where the covariance admits no equal contributions.
    public func weights(_ universe: NestedUniverse) throws(Problem) -> [Double] {
        let shares = try EqualRiskContributions.weights(universe.covariance)
        let all = Array(universe.assets.indices)
        return LimitedAllocation.proportional(shares, all, universe.limits, total: universe.limits.budget)
    }
}
