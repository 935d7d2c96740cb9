public import ConvexSolver
public import LinearAlgebra
public import WireFormat

/// What a hierarchical model reads: the assets' returns and moments, and the caller's choices.
public struct HierarchicalInput: Sendable {
    public var panel: ReturnPanel
    /// N mean returns per period, of whatever estimator.
    public var mean: [Double]
    /// N x N, of whatever estimator.
    public var covariance: Matrix
    public var risk: HierarchicalRisk
    public var parameters: RiskParameters
    public var clustering: HierarchicalClustering.Options
    public var limits: WeightLimits
    public var limitRule: WeightLimitRule
    public var deadline: SolverDeadline

    /// The defaults: sample moments, variance, Ward's linkage of Pearson's correlation, 0 <= w <= 1.
    public init(_ panel: ReturnPanel) throws(Problem) {
        self.panel = panel
        mean = HistoricalMean.estimate(panel)
        covariance = SampleCovariance.estimate(panel)
        risk = .measure(.mv)
        parameters = RiskParameters()
        clustering = .init()
        limits = try .unlimited(panel.assets.count)
        limitRule = .afterwards
        deadline = .none
    }

    /// - Throws: `SYS-201` once the deadline has passed.
    func checkDeadline() throws(Problem) {
        switch deadline.interruption {
        case nil: return
        case .cancelled?: throw Problem(.deadline, "The calculation was cancelled.")
        default: throw Problem(.deadline, "The deadline passed while the tree was built.")
        }
    }
}

/// What a hierarchical model answers.
public struct HierarchicalSolution: Sendable, Equatable {
    /// N weights within the limits, adding up to the budget.
    public var weights: [Double]
    /// Linkage matrix, leaves from left to right.
    public var tree: Dendrogram
    /// The cluster of each asset; nil for models that have none (HRP, Schur).
    public var clusters: [Int]?
    public var warnings: [PortfolioWarning]
}

/// A portfolio model that goes by a tree of the assets.
public protocol HierarchicalModel: Sendable {
    /// The weights.
    /// - Throws: `DAT-004` constant returns, `OPT-101` limits, `OPT-203` a risk that is not positive, `SYS-201` deadline.
    func solve() throws(Problem) -> HierarchicalSolution
}

extension HierarchicalInput {
    /// Weights adding up to the budget exactly, within the limits as the caller wants them kept, exact zeros.
    func finished(_ shares: [Double]) -> [Double] {
        var w = shares
        let sum = w.reduce(0, +)
        if sum > 0 { for i in w.indices { w[i] *= limits.budget / sum } }
        if !limits.hold(w) { w = LimitedAllocation.cut(w, limits) }
        // The last digit of the sum goes to the largest weight that has room for it.
        for _ in 0..<3 {
            let missing = limits.budget - w.reduce(0, +)
            guard missing != 0 else { break }
            let room = w.indices.filter { w[$0] + missing >= limits.lower[$0] && w[$0] + missing <= limits.upper[$0] }
            guard let most = room.max(by: { w[$0] < w[$1] }) else { break }
            w[most] += missing
        }
        return w
    }
}
