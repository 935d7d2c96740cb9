public import LinearAlgebra
public import WireFormat

/// Codependence -> distances -> tree -> order of leaves -> clusters: what every hierarchical model starts from.
public struct HierarchicalClustering: Sendable, Equatable {
    /// Choices; the defaults are Riskfolio-Lib's but for the linkage, which is Ward's.
    public struct Options: Sendable, Equatable {
        public var codependence: Codependence.Options
        public var linkage: LinkageMethod
        /// Whether branches are turned so that neighbours are close.
        public var isLeafOrdered: Bool
        /// The number of clusters; nil finds it by `method`.
        public var clusters: Int?
        public var method: ClusterCountMethod
        /// Most clusters that `method` may find.
        public var mostClusters: Int

        public init(
            codependence: Codependence.Options = .init(), linkage: LinkageMethod = .ward, isLeafOrdered: Bool = true,
            clusters: Int? = nil, method: ClusterCountMethod = .twoDifference, mostClusters: Int = 10
        ) {
            self.codependence = codependence
            self.linkage = linkage
            self.isLeafOrdered = isLeafOrdered
            self.clusters = clusters
            self.method = method
            self.mostClusters = mostClusters
        }
    }

    /// N x N distances.
    public let distance: Matrix
    /// Over the N assets.
    public let tree: Dendrogram
    /// The assets in the order of the leaves.
    public let order: [Int]

    private let options: Options

    /// Clusters the assets of a panel. One asset alone has a tree without merges, whatever its returns.
    /// - Throws: what `Codependence` throws; `REQ-104` for a number of clusters outside 1...N.
    public init(_ panel: ReturnPanel, _ options: Options = Options()) throws(Problem) {
        let n = panel.assets.count
        let place = JSONPointer(["clustering", "k"])
        if let k = options.clusters, k < 1 || k > n {
            throw Problem(place, .outOfRange, "The number of clusters is from 1 to the number of assets, \(n).")
        }
        guard options.mostClusters >= 1 else {
            throw Problem(JSONPointer(["clustering", "max_k"]), .outOfRange, "At least one cluster is needed.")
        }
        self.options = options
        guard n > 1 else {
            distance = Matrix(rows: 1, columns: 1)
            tree = Dendrogram(merges: [])
            order = [0]
            return
        }
        let codependence = try Codependence(panel, options.codependence)
        distance = codependence.distance
        var tree: Dendrogram
        if options.linkage == .dbht {
            tree = DirectedBubbleTree.tree(codependence.distance, similarity: Self.weights(codependence))
        } else {
            tree = Linkage.tree(codependence.distance, options.linkage)
        }
        if options.isLeafOrdered { tree = OptimalLeafOrdering.ordered(tree, codependence.distance) }
        self.tree = tree
        order = tree.leafOrder
    }

    /// The cluster of each asset: as many as asked for, else as many as the method finds.
    public func clusters() -> [Int] {
        if let k = options.clusters { return tree.clusters(k) }
        let found =
            switch options.method {
            case .twoDifference: TwoDifferenceGap.count(tree, distance, most: options.mostClusters)
            case .standardisedSilhouette: StandardisedSilhouette.count(tree, distance, most: options.mostClusters)
            }
        return tree.clusters(tree.isMonotone ? found : tree.attainable(found))
    }

    /// Weights of the filtered graph, not negative: 1 - d^2 = (1 + rho) / 2 for signed correlations, the similarity else.
    static func weights(_ codependence: Codependence) -> Matrix {
        var weights = codependence.similarity
        for index in weights.storage.indices {
            let d = codependence.distance.storage[index]
            weights.storage[index] =
                codependence.measure.isSigned ? 1 - d * d : abs(codependence.similarity.storage[index])
        }
        return weights
    }
}

extension Dendrogram {
    /// The least number of clusters from k on that a cut at one height gives.
    ///
    /// Trees whose heights are levels (DBHT) have many equal ones; splitting some of them and not others would be arbitrary.
    func attainable(_ k: Int) -> Int {
        let order = highestFirst()
        var height = [Double](repeating: 0, count: merges.count)
        for (index, merge) in merges.enumerated() {
            height[index] = merge.height
            for child in [merge.left, merge.right] where child >= leaves {
                height[index] = max(height[index], height[child - leaves])
            }
        }
        var count = k
        // k clusters undo k - 1 merges; the next one must be lower.
        while count >= 2, count - 1 < order.count, height[order[count - 2]] == height[order[count - 1]] { count += 1 }
        return count
    }
}
