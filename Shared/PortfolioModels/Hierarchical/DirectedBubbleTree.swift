import LinearAlgebra

/// The directed bubble hierarchical tree (DBHT): clusters and their hierarchy from the topology of a filtered graph.
///
/// The TMFG is a tree of tetrahedra ("bubbles") that meet in separating triangles. Each separating triangle gets the direction of
/// the side to which its vertices are more strongly connected; bubbles that nothing leaves attract a cluster each. Vertices go to
/// the strongest of these bubbles they belong to, the others to the nearest by shortest paths. Complete linkage on shortest paths
/// then orders vertices within bubbles, bubbles within clusters, and clusters.
///
/// Heights tell the level, not a distance: 1/(m-1), ..., 1/2, 1 within a cluster of m, and the number of clusters joined above.
///
/// Source: W.-M. Song, T. Di Matteo, T. Aste (2012), Hierarchical Information Clustering by Means of Topologically Embedded
/// Graphs, PLoS ONE 7(3); conventions of T. Aste's code, which Riskfolio-Lib follows.
enum DirectedBubbleTree {
    /// The tree of n points.
    /// - Parameters:
    ///   - distance: n x n, lengths of edges.
    ///   - similarity: n x n, not negative, weights of edges.
    static func tree(_ distance: Matrix, similarity: Matrix) -> Dendrogram {
        guard distance.rows > 1 else { return Dendrogram(merges: []) }
        let graph = TriangulatedMaximallyFilteredGraph(similarities: similarity)
        let weights = graph.adjacency(weights: similarity)
        let paths = ShortestPaths.lengths(edges: graph.edges.map { ($0.first, $0.second) }, distance)
        let bubbles = BubbleTree(graph, weights)
        let clusters = bubbles.clusters(weights, paths)
        var hierarchy = BubbleHierarchy(paths)
        for cluster in clusters {
            let homes = bubbles.homes(of: cluster, weights)
            hierarchy.addCluster(cluster, homes)
        }
        hierarchy.joinClusters(clusters)
        return Dendrogram(merges: hierarchy.merges)
    }
}

/// The tree of a TMFG's tetrahedra, numbered from the central one outwards.
struct BubbleTree {
    /// Vertices of each bubble, ascending.
    private(set) var bubbles: [[Int]] = []
    /// Bubbles of each vertex, ascending.
    private(set) var ofVertex: [[Int]]
    /// The bubble nearer the centre, and the triangle towards it; nil for the central one.
    private var parent: [(bubble: Int, triangle: [Int])?] = []
    /// Whether the connection to the parent points outwards, away from it.
    private var pointsOutwards: [Bool] = []
    private let n: Int

    init(_ graph: TriangulatedMaximallyFilteredGraph, _ weights: Matrix) {
        n = graph.order
        ofVertex = [[Int]](repeating: [], count: graph.order)
        number(graph)
        for (index, bubble) in bubbles.enumerated() { for vertex in bubble { ofVertex[vertex].append(index) } }
        direct(weights)
    }

    /// Finds the central tetrahedron, from which every separating triangle has the smaller part outside, and numbers the others
    /// level by level, within a level by their triangles.
    private mutating func number(_ graph: TriangulatedMaximallyFilteredGraph) {
        let cliques = graph.cliques.map { $0.sorted() }
        var links = [[(to: Int, triangle: [Int])]](repeating: [], count: cliques.count)
        var owner: [[Int]: Int] = [:]
        var inserted: [(below: Int, above: Int, triangle: [Int])] = []
        func addFaces(of index: Int) {
            let c = cliques[index]
            guard c.count == 4 else { return }
            for left in 0..<4 {
                let face = (0..<4).filter { $0 != left }.map { c[$0] }
                if owner[face] == nil { owner[face] = index }
            }
        }
        if !cliques.isEmpty { addFaces(of: 0) }
        for (step, separator) in graph.separators.enumerated() {
            let triangle = separator.sorted()
            let above = owner[triangle] ?? 0
            links[above].append((step + 1, triangle))
            links[step + 1].append((above, triangle))
            inserted.append((step + 1, above, triangle))
            addFaces(of: step + 1)
        }
        let centre = Self.centre(cliques, inserted, order: graph.order)
        // Breadth first; each level in the order of its triangles.
        var numbered = [Int](repeating: -1, count: cliques.count)
        var level: [(clique: Int, parent: (bubble: Int, triangle: [Int])?)] = [(centre, nil)]
        while !level.isEmpty {
            var next: [(clique: Int, parent: (bubble: Int, triangle: [Int])?)] = []
            for entry in level {
                let index = bubbles.count
                numbered[entry.clique] = index
                bubbles.append(cliques[entry.clique])
                parent.append(entry.parent)
                for link in links[entry.clique] where numbered[link.to] < 0 && link.triangle != entry.parent?.triangle {
                    next.append((link.to, (index, link.triangle)))
                }
            }
            level = next.sorted { ($0.parent?.triangle ?? []).lexicographicallyPrecedes($1.parent?.triangle ?? []) }
        }
        pointsOutwards = [Bool](repeating: false, count: bubbles.count)
    }

    /// The tetrahedron on the larger side of every separating triangle. Of equal sides the one with the least vertex is larger.
    private static func centre(
        _ cliques: [[Int]], _ inserted: [(below: Int, above: Int, triangle: [Int])], order: Int
    ) -> Int {
        // Every insertion adds one vertex: the inside of a triangle is as large as its subtree of insertions.
        var inside = [Int](repeating: 1, count: cliques.count)
        for step in inserted.reversed() { inside[step.above] += inside[step.below] }
        var centre = 0
        var isMoving = true
        while isMoving {
            isMoving = false
            for step in inserted where step.above == centre {
                let (within, without) = (inside[step.below], order - 3 - inside[step.below])
                let isLarger = within != without ? within > without : holdsLeast(step, cliques, inserted)
                if isLarger {
                    centre = step.below
                    isMoving = true
                    break
                }
            }
        }
        return centre
    }

    /// Whether the least vertex outside the triangle lies in the subtree of the insertion.
    private static func holdsLeast(
        _ step: (below: Int, above: Int, triangle: [Int]), _ cliques: [[Int]],
        _ inserted: [(below: Int, above: Int, triangle: [Int])]
    ) -> Bool {
        var isBelow = [Bool](repeating: false, count: cliques.count)
        isBelow[step.below] = true
        for other in inserted where isBelow[other.above] { isBelow[other.below] = true }
        let least = (0..<4).first { !step.triangle.contains($0) } ?? 0
        return cliques.indices.contains { isBelow[$0] && cliques[$0].contains(least) }
    }

    /// Each connection points to the side to which its triangle's vertices are connected more strongly.
    private mutating func direct(_ weights: Matrix) {
        // Subtrees are intervals of a walk from the centre.
        var entry = [Int](repeating: 0, count: bubbles.count)
        var exit = entry
        var children = [[Int]](repeating: [], count: bubbles.count)
        for (index, up) in parent.enumerated() { if let up { children[up.bubble].append(index) } }
        var clock = 0
        var open = bubbles.isEmpty ? [] : [(0, false)]
        while let (bubble, isDone) = open.popLast() {
            if isDone {
                exit[bubble] = clock
                continue
            }
            entry[bubble] = clock
            clock += 1
            open.append((bubble, true))
            for child in children[bubble] { open.append((child, false)) }
        }
        for (index, up) in parent.enumerated() {
            guard let up else { continue }
            var (inner, outer) = (0.0, 0.0)
            for vertex in up.triangle {
                for other in 0..<n {
                    let weight = weights.storage[vertex * n + other]
                    guard weight != 0, !up.triangle.contains(other), let home = ofVertex[other].first else { continue }
                    if entry[home] >= entry[index], entry[home] < exit[index] {
                        outer += weight
                    } else {
                        inner += weight
                    }
                }
            }
            pointsOutwards[index] = !(inner > outer)
        }
    }

    /// The bubbles that no connection leaves, ascending.
    private var converging: [Int] {
        var isLeft = [Bool](repeating: false, count: bubbles.count)
        for (index, up) in parent.enumerated() {
            guard let up else { continue }
            isLeft[pointsOutwards[index] ? up.bubble : index] = true
        }
        return bubbles.indices.filter { !isLeft[$0] }
    }

    /// The bubbles from which the connections lead to `target`, itself among them.
    private func upstream(of target: Int) -> [Int] {
        var sources = [[Int]](repeating: [], count: bubbles.count)
        for (index, up) in parent.enumerated() {
            guard let up else { continue }
            if pointsOutwards[index] { sources[index].append(up.bubble) } else { sources[up.bubble].append(index) }
        }
        var isSeen = [Bool](repeating: false, count: bubbles.count)
        isSeen[target] = true
        var found = [target]
        var next = 0
        while next < found.count {
            for source in sources[found[next]] where !isSeen[source] {
                isSeen[source] = true
                found.append(source)
            }
            next += 1
        }
        return found
    }

    /// A partition of the vertices, each cluster ascending.
    func clusters(_ weights: Matrix, _ paths: Matrix) -> [[Int]] {
        let attractors = converging
        guard attractors.count > 1 else { return [Array(0..<n)] }
        var cluster = [Int](repeating: -1, count: n)
        for vertex in 0..<n {
            let own = attractors.indices.filter { bubbles[attractors[$0]].contains(vertex) }
            if own.count == 1 { cluster[vertex] = own[0] }
            if own.count > 1 {
                var (most, best) = (-Double.infinity, 0)
                for (index, attractor) in attractors.enumerated() {
                    let share = bubbles[attractor].reduce(0) { $0 + weights[$1, vertex] } / 6
                    if share > most { (most, best) = (share, index) }
                }
                cluster[vertex] = best
            }
        }
        let core = cluster
        var reaches = [[Bool]](repeating: [], count: attractors.count)
        for (index, attractor) in attractors.enumerated() {
            var isReached = [Bool](repeating: false, count: n)
            for bubble in upstream(of: attractor) { for vertex in bubbles[bubble] { isReached[vertex] = true } }
            reaches[index] = isReached
        }
        for vertex in 0..<n where core[vertex] < 0 {
            var (least, nearest) = (Double.infinity, 0)
            for index in attractors.indices where reaches[index][vertex] {
                let members = bubbles[attractors[index]].filter { core[$0] == index }
                guard !members.isEmpty else { continue }
                let mean = members.reduce(0) { $0 + paths[vertex, $1] } / Double(members.count)
                if mean < least { (least, nearest) = (mean, index) }
            }
            cluster[vertex] = nearest
        }
        return Dendrogram.groups(cluster).filter { !$0.isEmpty }
    }

    /// One bubble for each vertex of a cluster: the one in which it has the largest share of the weight. Grouped by bubble.
    func homes(of cluster: [Int], _ weights: Matrix) -> [[Int]] {
        var homes: [Int: [Int]] = [:]
        for vertex in cluster {
            var (most, best) = (-Double.infinity, ofVertex[vertex].first ?? 0)
            for bubble in ofVertex[vertex] {
                let members = bubbles[bubble]
                var (own, all) = (0.0, 0.0)
                for a in members {
                    own += weights[a, vertex]
                    for b in members where b > a { all += weights[a, b] }
                }
                let share = all > 0 ? own / all : 0
                if share > most { (most, best) = (share, bubble) }
            }
            homes[best, default: []].append(vertex)
        }
        return homes.sorted { $0.key < $1.key }.map { $0.value }
    }
}

/// Complete linkage on shortest paths, level by level.
private struct BubbleHierarchy {
    private(set) var merges: [Dendrogram.Merge] = []
    private let paths: Matrix
    /// The node of each vertex now.
    private var node: [Int]
    private var size: [Int: Int] = [:]

    init(_ paths: Matrix) {
        self.paths = paths
        node = Array(0..<paths.rows)
        for vertex in node { size[vertex] = 1 }
    }

    mutating func addCluster(_ cluster: [Int], _ bubbles: [[Int]]) {
        var left = cluster.count - 1
        for group in bubbles + [cluster] {
            join(group) {
                left -= 1
                return 1 / Double(left + 1)
            }
        }
    }

    mutating func joinClusters(_ clusters: [[Int]]) {
        var count: [Int: Double] = [:]
        for cluster in clusters { if let first = cluster.first { count[node[first]] = 1 } }
        let start = merges.count
        join(Array(node.indices)) { 0 }
        // Heights above clusters: how many of them a merge holds.
        for index in start..<merges.count {
            let total = (count[merges[index].left] ?? 0) + (count[merges[index].right] ?? 0)
            merges[index].height = total
            count[paths.rows + index] = total
        }
    }

    /// Joins the nodes of the given vertices until one is left; `height` is asked once a merge.
    private mutating func join(_ vertices: [Int], height: () -> Double) {
        var labels = Set(vertices.map { node[$0] }).sorted()
        guard labels.count > 1 else { return }
        var members = labels.map { label in vertices.filter { node[$0] == label } }
        // Greatest path within the union of two nodes.
        var spread = Matrix(rows: labels.count, columns: labels.count)
        for a in labels.indices { for b in labels.indices { spread[a, b] = widest(members[a], members[b]) } }
        var slot = Array(labels.indices)
        var diameter = labels.indices.map { spread[$0, $0] }
        while labels.count > 1 {
            var (least, first, second) = (Double.infinity, 0, 1)
            for a in 0..<(labels.count - 1) {
                for b in (a + 1)..<labels.count {
                    let value = max(spread[slot[a], slot[b]], diameter[slot[a]], diameter[slot[b]])
                    if value < least { (least, first, second) = (value, a, b) }
                }
            }
            let made = paths.rows + merges.count
            let total = (size[labels[first]] ?? 0) + (size[labels[second]] ?? 0)
            merges.append(.init(left: labels[first], right: labels[second], height: height(), size: total))
            size[made] = total
            let (keep, drop) = (slot[first], slot[second])
            for other in slot { spread[keep, other] = max(spread[keep, other], spread[drop, other]) }
            for other in slot { spread[other, keep] = spread[keep, other] }
            diameter[keep] = least
            let union = members[first] + members[second]
            for vertex in union { node[vertex] = made }
            // The new node has the largest number and goes last.
            for index in [second, first] {
                labels.remove(at: index)
                members.remove(at: index)
                slot.remove(at: index)
            }
            labels.append(made)
            members.append(union)
            slot.append(keep)
        }
    }

    private func widest(_ a: [Int], _ b: [Int]) -> Double {
        var most = 0.0
        for i in a { for j in b { most = max(most, paths[i, j]) } }
        return most
    }
}
