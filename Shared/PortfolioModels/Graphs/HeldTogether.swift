import LinearAlgebra
import WireFormat

/// Sets of assets of which few may be held together: closed neighbourhoods of a network, and clusters.
///
/// ```
/// network    sum of e over i and all j within walk_size edges of i <= max, for every asset i:    (A + I) e <= 1
/// clusters   sum of e over the members of each cluster             <= max                         e in {0, 1}: held
/// ```
/// Two neighbours of a third asset are in its neighbourhood, so that neither is held with the other.
///
/// Source: D. Cajas (2023), A Graph Theory Approach to Portfolio Optimization; Riskfolio-Lib's `network_ip` and `cluster_ip`.
enum HeldTogether {
    /// The neighbourhoods that no other one contains, by index, ascending.
    /// - Throws: as `AssetNetwork`.
    static func neighbourhoods(_ wanted: NeighbourhoodRequest, _ panel: ReturnPanel) throws(Problem) -> [[Int]] {
        let network = try AssetNetwork(panel, graph: wanted.graph, codependence: .init(wanted.codependence))
        let connections = network.connections(within: wanted.walkSize)
        let sets = (0..<network.order).map { centre in
            (0..<network.order).filter { $0 == centre || connections[$0, centre] != 0 }
        }
        return largest(sets).filter { $0.count > wanted.most }
    }

    /// The members of each cluster, where there are more than may be held.
    /// - Throws: as `HierarchicalClustering`.
    static func clusters(_ wanted: ClusterLimitRequest, _ panel: ReturnPanel) throws(Problem) -> [[Int]] {
        Dendrogram.groups(try labels(wanted, panel)).filter { $0.count > wanted.most }
    }

    /// The cluster of each asset.
    static func labels(_ wanted: ClusterLimitRequest, _ panel: ReturnPanel) throws(Problem) -> [Int] {
        guard panel.assets.count > 1 else { return panel.assets.map { _ in 0 } }
        let options = HierarchicalClustering.Options(wanted.clustering, assets: panel.assets)
        return try HierarchicalClustering(panel, options).clusters()
    }

    /// The sets that are in no other one, each once.
    private static func largest(_ sets: [[Int]]) -> [[Int]] {
        var kept: [Set<Int>] = []
        for set in sets.map({ Set($0) }).sorted(by: { $0.count > $1.count })
        where !kept.contains(where: { set.isSubset(of: $0) }) {
            kept.append(set)
        }
        return kept.map { $0.sorted() }.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
