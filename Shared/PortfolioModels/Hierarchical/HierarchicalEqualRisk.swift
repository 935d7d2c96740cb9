public import WireFormat

/// Hierarchical equal risk contribution (HERC): split weight at the highest merges of the tree, then within the clusters.
///
/// ```
/// clusters = the tree without its k - 1 highest merges
/// share of a merge's left branch = 1 - L / (L + R),   L, R = sums of the risks of the clusters inside each branch
/// ```
/// A cluster's risk is that of its naive weights. Within clusters assets get naive weights (HERC) or equal ones (HERC2). With
/// risk `equal` every split is in halves, where Riskfolio-Lib forgets the splits and its weights add up to k.
///
/// Source: T. Raffinot (2018), The Hierarchical Equal Risk Contribution Portfolio, SSRN 3237540.
public struct HierarchicalEqualRisk: HierarchicalModel {
    private let input: HierarchicalInput
    private let isEqualWithin: Bool

    /// A model of the input; HERC2 where `isEqualWithin`.
    public init(_ input: HierarchicalInput, isEqualWithin: Bool = false) {
        self.input = input
        self.isEqualWithin = isEqualWithin
    }

    /// The weights and the clusters.
    public func solve() throws(Problem) -> HierarchicalSolution {
        let clustering = try HierarchicalClustering(input.panel, input.clustering)
        try input.checkDeadline()
        let labels = clustering.clusters()
        let groups = Dendrogram.groups(labels)
        let risk = try NaiveRisk(input.risk, input.panel, input.covariance, input.parameters)
        let branches = ClusterBranches(clustering.tree, labels, groups.map { risk.value(of: $0) })
        let totals = try branches.split(input)
        var weights = [Double](repeating: 0, count: labels.count)
        for (cluster, members) in groups.enumerated() {
            let within = isEqualWithin ? members.map { _ in 1 / Double(members.count) } : risk.weights(of: members)
            let kept =
                input.limitRule == .duringSplits
                ? LimitedAllocation.proportional(within, members, input.limits, total: totals[cluster])
                : within.map { totals[cluster] * $0 }
            for (position, asset) in members.enumerated() { weights[asset] = kept[position] }
        }
        return HierarchicalSolution(
            weights: input.finished(weights), tree: clustering.tree, clusters: labels, warnings: [])
    }
}

/// The part of a tree above its clusters.
struct ClusterBranches {
    private let tree: Dendrogram
    private let labels: [Int]
    private let risks: [Double]

    init(_ tree: Dendrogram, _ labels: [Int], _ risks: [Double]) {
        self.tree = tree
        self.labels = labels
        self.risks = risks
    }

    /// The weight of each cluster.
    func split(_ input: HierarchicalInput) throws(Problem) -> [Double] {
        var weights = [Double](repeating: input.limits.budget, count: risks.count)
        let merges = tree.highestFirst().prefix(risks.count - 1)
        var whole = [tree.root: input.limits.budget]
        for index in merges {
            let merge = tree.merges[index]
            let (left, right) = (tree.members(of: merge.left), tree.members(of: merge.right))
            let (ownLeft, ownRight) = (clusters(of: left), clusters(of: right))
            let share =
                input.risk == .equal
                ? 0.5
                : try BranchShare.first(
                    ownLeft.reduce(0) { $0 + risks[$1] }, ownRight.reduce(0) { $0 + risks[$1] })
            let node = index + tree.leaves
            let (first, second) = SplitLimits.split(
                whole[node] ?? input.limits.budget, share: share, left, right, input)
            whole[merge.left] = first
            whole[merge.right] = second
            for cluster in ownLeft { weights[cluster] = first }
            for cluster in ownRight { weights[cluster] = second }
        }
        return weights
    }

    private func clusters(of assets: [Int]) -> [Int] { Set(assets.map { labels[$0] }).sorted() }
}
