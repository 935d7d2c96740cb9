import LinearAlgebra

/// Agglomerative clustering of a distance matrix in O(n^2), by the algorithm that fits the method.
///
/// | method | algorithm |
/// |---|---|
/// | single | minimum spanning tree (Prim) |
/// | complete, average, weighted, ward | nearest-neighbour chain |
/// | centroid, median | generic, with a heap of candidates |
///
/// Ties are resolved as SciPy's `linkage` resolves them, so that trees of data with equal distances agree too.
///
/// Source: D. Muellner (2011), Modern Hierarchical, Agglomerative Clustering Algorithms, arXiv 1109.2378; F. Murtagh (1983), A
/// Survey of Recent Advances in Hierarchical Clustering Algorithms, Computer J. 26.
enum Linkage {
    /// The tree of n >= 1 points; `method` is not DBHT, which needs similarities as well.
    static func tree(_ distance: Matrix, _ method: LinkageMethod) -> Dendrogram {
        switch method {
        case .single, .dbht: SpanningTreeLinkage.tree(distance)
        case .complete, .average, .weighted, .ward: NearestNeighbourChain.tree(distance, method)
        case .centroid, .median: GenericLinkage.tree(distance, method)
        }
    }
}

/// A merge of the clusters that two points belong to, before clusters have numbers.
struct UnlabelledMerge {
    var first: Int
    var second: Int
    var height: Double
}

extension Dendrogram {
    /// Sorts merges by height, equal ones in their order, and numbers the clusters they join.
    init(sorting merges: [UnlabelledMerge]) {
        let n = merges.count + 1
        let order = merges.indices.sorted {
            merges[$0].height != merges[$1].height ? merges[$0].height < merges[$1].height : $0 < $1
        }
        var parent = Array(0..<max(2 * n - 1, 1))
        var sizes = [Int](repeating: 1, count: max(2 * n - 1, 1))
        func root(_ node: Int) -> Int {
            var top = node
            while parent[top] != top { top = parent[top] }
            var walk = node
            while parent[walk] != top {
                let next = parent[walk]
                parent[walk] = top
                walk = next
            }
            return top
        }
        var labelled: [Merge] = []
        labelled.reserveCapacity(merges.count)
        for (step, index) in order.enumerated() {
            let (x, y) = (root(merges[index].first), root(merges[index].second))
            let size = sizes[x] + sizes[y]
            labelled.append(Merge(left: min(x, y), right: max(x, y), height: merges[index].height, size: size))
            parent[x] = n + step
            parent[y] = n + step
            sizes[n + step] = size
        }
        self.init(merges: labelled)
    }
}

/// Single linkage: the edges of a minimum spanning tree, shortest first.
///
/// Source: R. C. Prim (1957), Shortest Connection Networks and Some Generalizations, Bell System Tech. J. 36.
enum SpanningTreeLinkage {
    /// The tree of the n points.
    static func tree(_ distance: Matrix) -> Dendrogram {
        // Points in the order in which they are reached: a merge joins what was reached last, which has the same clusters at
        // each height as the edge itself.
        var last = 0
        let merges = edges(distance).map { edge in
            defer { last = edge.second }
            return UnlabelledMerge(first: last, second: edge.second, height: edge.height)
        }
        return Dendrogram(sorting: merges)
    }

    /// The n - 1 edges of the tree, in the order in which they are found from point zero on.
    static func edges(_ distance: Matrix) -> [UnlabelledMerge] {
        let n = distance.rows
        var isIn = [Bool](repeating: false, count: n)
        var reach = [Double](repeating: .infinity, count: n)
        var from = [Int](repeating: 0, count: n)
        var edges: [UnlabelledMerge] = []
        edges.reserveCapacity(max(n - 1, 0))
        var x = 0
        for _ in 1..<max(n, 1) {
            isIn[x] = true
            var nearest = x
            var least = Double.infinity
            let column = x * n
            for i in 0..<n where !isIn[i] {
                let d = distance.storage[column + i]
                if d < reach[i] {
                    reach[i] = d
                    from[i] = x
                }
                if reach[i] < least {
                    least = reach[i]
                    nearest = i
                }
            }
            edges.append(UnlabelledMerge(first: from[nearest], second: nearest, height: least))
            x = nearest
        }
        return edges
    }
}

/// Complete, average, weighted and Ward linkage by chains of nearest neighbours.
///
/// A chain goes from a cluster to its nearest neighbour until two are each other's nearest; these are merged, and the rest of
/// the chain stays valid because the methods are reducible. O(n^2) time, one copy of the distances.
enum NearestNeighbourChain {
    /// The tree of the n points.
    static func tree(_ distance: Matrix, _ method: LinkageMethod) -> Dendrogram {
        let n = distance.rows
        var d = distance.storage
        var sizes = [Int](repeating: 1, count: n)
        var merges: [UnlabelledMerge] = []
        merges.reserveCapacity(max(n - 1, 0))
        var chain: [Int] = []
        for _ in 1..<max(n, 1) {
            if chain.isEmpty, let start = sizes.firstIndex(where: { $0 > 0 }) { chain.append(start) }
            var (x, y, least) = (0, 0, Double.infinity)
            while true {
                x = chain[chain.count - 1]
                least = .infinity
                if chain.count > 1 {
                    // The previous one is preferred among equals: chains cannot go round.
                    y = chain[chain.count - 2]
                    least = d[x * n + y]
                }
                nearest(to: x, d.span, sizes.span, &y, &least)
                if chain.count > 1, y == chain[chain.count - 2] { break }
                chain.append(y)
            }
            chain.removeLast(2)
            let (low, high) = (min(x, y), max(x, y))
            merges.append(UnlabelledMerge(first: low, second: high, height: least))
            update(&d, n, low, high, least, sizes, method)
            sizes[high] += sizes[low]
            sizes[low] = 0
        }
        return Dendrogram(sorting: merges)
    }

    private static func nearest(
        to x: Int, _ d: Span<Double>, _ sizes: Span<Int>, _ y: inout Int, _ least: inout Double
    ) {
        let n = sizes.count
        let row = x * n
        for i in 0..<n {
            let value = d[row + i]
            if value < least, sizes[i] > 0, i != x {
                least = value
                y = i
            }
        }
    }

    /// Makes `high` the merged cluster; `low` is dropped by its size.
    private static func update(
        _ d: inout [Double], _ n: Int, _ low: Int, _ high: Int, _ height: Double, _ sizes: [Int],
        _ method: LinkageMethod
    ) {
        var span = d.mutableSpan
        var merging = LinkageMethod.Merging(x: Double(sizes[low]), y: Double(sizes[high]), z: 1, distance: height)
        for z in 0..<n where sizes[z] > 0 && z != high && z != low {
            merging.z = Double(sizes[z])
            let value = method.updated(span[low * n + z], span[high * n + z], merging)
            span[high * n + z] = value
            span[z * n + high] = value
        }
    }
}
