public import WireFormat

/// Hierarchical risk parity (HRP): halve the ordered assets again and again, each half getting the other's share of the risk.
///
/// ```
/// order = leaves of the tree;  halves of m assets: floor(m/2) and the rest
/// share of the left half = 1 - rho_L / (rho_L + rho_R),   rho = risk of a half at weights inverse to its assets' risks
/// ```
/// O(N) halves with O(N log N) series, or O(N^2) for the variance.
///
/// Source: M. Lopez de Prado (2016), Building Diversified Portfolios that Outperform Out of Sample, JPM 42(4).
public struct HierarchicalRiskParity: HierarchicalModel {
    private let input: HierarchicalInput

    /// A model of the input.
    public init(_ input: HierarchicalInput) { self.input = input }

    /// The weights, without clusters.
    public func solve() throws(Problem) -> HierarchicalSolution {
        let clustering = try HierarchicalClustering(input.panel, input.clustering)
        try input.checkDeadline()
        let risk = try NaiveRisk(input.risk, input.panel, input.covariance, input.parameters)
        var bisection = RecursiveBisection(order: clustering.order, input)
        try bisection.run { (left, right) throws(Problem) in
            try self.input.checkDeadline()
            return try BranchShare.first(risk.value(of: left), risk.value(of: right))
        }
        return HierarchicalSolution(
            weights: input.finished(bisection.weights), tree: clustering.tree, clusters: nil, warnings: [])
    }
}

/// Halves an order of assets and splits weight between the halves.
struct RecursiveBisection {
    /// N weights, adding up to the budget.
    private(set) var weights: [Double]
    private let order: [Int]
    private let input: HierarchicalInput

    init(order: [Int], _ input: HierarchicalInput) {
        self.order = order
        self.input = input
        weights = [Double](repeating: input.limits.budget, count: order.count)
    }

    /// Runs level by level.
    /// - Parameter share: of the left half of two lists of assets, in [0, 1].
    mutating func run(_ share: ([Int], [Int]) throws(Problem) -> Double) throws(Problem) {
        var items = [order]
        while !items.isEmpty {
            var halves: [[Int]] = []
            for item in items where item.count > 1 {
                let left = Array(item[..<(item.count / 2)])
                let right = Array(item[(item.count / 2)...])
                let whole = weights[item[0]]
                let (first, second) = SplitLimits.split(
                    whole, share: try share(left, right), left, right, input)
                for asset in left { weights[asset] = first }
                for asset in right { weights[asset] = second }
                halves.append(left)
                halves.append(right)
            }
            items = halves
        }
    }
}

/// How a split of weight between two branches keeps to what their assets may have.
enum SplitLimits {
    /// The weights of both branches.
    static func split(
        _ whole: Double, share: Double, _ left: [Int], _ right: [Int], _ input: HierarchicalInput
    ) -> (left: Double, right: Double) {
        let first = whole * share
        guard input.limitRule == .duringSplits, input.limits.binds else { return (first, whole - first) }
        let (own, other) = (input.limits.total(left), input.limits.total(right))
        let lowest = max(own.lowerBound, whole - other.upperBound)
        let highest = max(min(own.upperBound, whole - other.lowerBound), lowest)
        let kept = min(max(first, lowest), highest)
        return (kept, whole - kept)
    }
}
