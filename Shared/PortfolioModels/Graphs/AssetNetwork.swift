public import LinearAlgebra
import RealModule
public import WireFormat

/// The network of a panel's assets: which pairs are neighbours in a filtered graph of their codependence.
///
/// The minimum spanning tree of the distances, or the maximally filtered planar graph of the similarities (weights as DBHT has them).
///
/// Source: R. Mantegna (1999), Hierarchical Structure in Financial Markets; G. Massara, T. Di Matteo, T. Aste (2016), Network Filtering
/// for Big Data: Triangulated Maximally Filtered Graph; D. Cajas (2023), A Graph Theory Approach to Portfolio Optimization.
public struct AssetNetwork: Sendable, Equatable {
    /// N lists of neighbours, ascending.
    public let neighbours: [[Int]]

    /// The network of a panel.
    /// - Throws: as `Codependence`.
    public init(_ panel: ReturnPanel, graph: NetworkGraph, codependence: Codependence.Options) throws(Problem) {
        let n = panel.assets.count
        guard n > 1 else {
            self.init(edges: [], order: n)
            return
        }
        let measured = try Codependence(panel, codependence)
        let adjacency: Matrix
        switch graph {
        case .minimumSpanningTree:
            let tree = MinimumSpanningTree(distances: measured.distance)
            self.init(edges: tree.edges.map { ($0.first, $0.second) }, order: n)
            return
        case .triangulated:
            let similarity = HierarchicalClustering.weights(measured)
            let planar = TriangulatedMaximallyFilteredGraph(similarities: similarity)
            adjacency = planar.adjacency(weights: Matrix(rows: n, columns: n, repeating: 1))
        }
        let pairs = (0..<n).flatMap { i in (0..<i).map { ($0, i) } }
        self.init(edges: pairs.filter { adjacency[$0.0, $0.1] != 0 }, order: n)
    }

    /// A network of given edges.
    public init(edges: [(Int, Int)], order: Int) {
        var lists = [[Int]](repeating: [], count: order)
        for (a, b) in edges where a != b {
            lists[a].append(b)
            lists[b].append(a)
        }
        neighbours = lists.map { $0.sorted() }
    }

    /// N.
    public var order: Int { neighbours.count }

    /// N x N: one where a walk of at most `steps` edges leads from one asset to another, zeros on the diagonal.
    ///
    /// What limits on neighbours are made of: rows (A + I) e <= 1 over holdings e once whole numbers are decided, A o ww' = 0 else.
    public func connections(within steps: Int = 1) -> Matrix {
        var result = Matrix(rows: order, columns: order)
        for source in 0..<order {
            let distance = distances(from: source)
            for target in 0..<order where target != source && distance[target] <= steps { result[target, source] = 1 }
        }
        return result
    }

    /// Edges on the shortest way to each vertex; `Int.max` where there is none.
    func distances(from source: Int) -> [Int] {
        var distance = [Int](repeating: .max, count: order)
        distance[source] = 0
        var queue = [source]
        var next = 0
        while next < queue.count {
            let vertex = queue[next]
            next += 1
            for neighbour in neighbours[vertex] where distance[neighbour] == .max {
                distance[neighbour] = distance[vertex] + 1
                queue.append(neighbour)
            }
        }
        return distance
    }
}

extension AssetNetwork {
    /// How central each vertex is.
    ///
    /// ```
    /// Degree           number of neighbours                  Eigenvector      of the largest eigenvalue, length one
    /// Katz             (I - 0.1 A)^-1 1, length one          Closeness        (N - 1) / sum of distances
    /// Betweeness       share of shortest paths through it    Communicability  share of walks through it
    /// Subgraph         diagonal of exp(A)                    Laplacian        relative drop of the Laplacian's energy without it
    /// ```
    /// Definitions and scales are those of networkx, which Riskfolio-Lib calls; the spelling of Betweeness is the latter's.
    /// - Throws: `OPT-202` where a system is not regular.
    public func centrality(_ measure: CentralityMeasure) throws(Problem) -> [Double] {
        let n = order
        guard n > 1 else { return [Double](repeating: 0, count: n) }
        switch measure {
        case .degree: return neighbours.map { Double($0.count) }
        case .eigenvector:
            let eigen = try spectrum()
            let vector = eigen.vectors.column(n - 1)
            let sign = vector.reduce(0, +) < 0 ? -1.0 : 1
            return vector.map { sign * $0 }
        case .katz:
            var system = Matrix.identity(n)
            for (i, list) in neighbours.enumerated() { for j in list { system[j, i] -= 0.1 } }
            guard
                let solution = try? LU(factorising: system).solve(Matrix(rows: n, columns: 1, repeating: 1)).storage
            else {
                throw Problem(.unstable, "Katz's centrality is not defined on this network.")
            }
            let length = Vector.dot(solution, solution).squareRoot()
            let sign = solution.reduce(0, +) < 0 ? -1.0 : 1
            return solution.map { sign * $0 / length }
        case .closeness:
            return (0..<n).map { vertex in
                let reached = distances(from: vertex).filter { $0 != .max }
                let total = Double(reached.reduce(0, +))
                let count = Double(reached.count - 1)
                return total > 0 ? count / total * count / Double(n - 1) : 0
            }
        case .betweenness: return betweenness()
        case .subgraph: return try exponential(adjacency).diagonal
        case .communicability: return try communicability()
        case .laplacian:
            let degree = neighbours.map { Double($0.count) }
            let energy = degree.reduce(0) { $0 + $1 * $1 + $1 }
            return (0..<n).map { v in
                let drop = degree[v] * degree[v] + degree[v] + 2 * neighbours[v].reduce(0) { $0 + degree[$1] }
                return energy > 0 ? drop / energy : 0
            }
        }
    }

    private var adjacency: Matrix {
        var matrix = Matrix(rows: order, columns: order)
        for (i, list) in neighbours.enumerated() { for j in list { matrix[j, i] = 1 } }
        return matrix
    }

    private func spectrum() throws(Problem) -> SymmetricEigen {
        guard let eigen = try? SymmetricEigen(adjacency) else {
            throw Problem(.unstable, "The network's eigenvectors were not reached.")
        }
        return eigen
    }

    private func exponential(_ matrix: Matrix) throws(Problem) -> Matrix {
        guard let eigen = try? SymmetricEigen(matrix) else {
            throw Problem(.unstable, "The network's exponential was not reached.")
        }
        let n = matrix.rows
        let scaled = eigen.vectors.scaled(
            rows: [Double](repeating: 1, count: n), columns: eigen.values.map { Double.exp($0) })
        var result = Matrix(rows: n, columns: n)
        result.gemm(scaled, eigen.vectors, transposeSecond: true)
        return result
    }

    /// Source: U. Brandes (2001), A Faster Algorithm for Betweenness Centrality, Journal of Mathematical Sociology 25.
    private func betweenness() -> [Double] {
        let n = order
        var result = [Double](repeating: 0, count: n)
        for source in 0..<n {
            var paths = [Double](repeating: 0, count: n)
            var distance = [Int](repeating: -1, count: n)
            var before = [[Int]](repeating: [], count: n)
            paths[source] = 1
            distance[source] = 0
            var queue = [source]
            var next = 0
            while next < queue.count {
                let v = queue[next]
                next += 1
                for w in neighbours[v] {
                    if distance[w] < 0 {
                        distance[w] = distance[v] + 1
                        queue.append(w)
                    }
                    if distance[w] == distance[v] + 1 {
                        paths[w] += paths[v]
                        before[w].append(v)
                    }
                }
            }
            var dependency = [Double](repeating: 0, count: n)
            for w in queue.reversed() {
                for v in before[w] { dependency[v] += paths[v] / paths[w] * (1 + dependency[w]) }
                if w != source { result[w] += dependency[w] }
            }
        }
        // Each pair was counted from both ends.
        let pairs = Double((n - 1) * (n - 2))
        return result.map { n > 2 ? $0 / pairs : $0 }
    }

    /// Source: E. Estrada, D. Higham, N. Hatano (2009), Communicability Betweenness in Complex Networks, Physica A 388.
    private func communicability() throws(Problem) -> [Double] {
        let n = order
        let whole = try exponential(adjacency)
        var result = [Double](repeating: 0, count: n)
        for v in 0..<n {
            var without = adjacency
            for j in 0..<n {
                without[v, j] = 0
                without[j, v] = 0
            }
            let rest = try exponential(without)
            var sum = 0.0
            for q in 0..<n where q != v {
                for p in 0..<n where p != v && p != q {
                    let all = whole[p, q]
                    if all != 0 { sum += (all - rest[p, q]) / all }
                }
            }
            result[v] = sum
        }
        let pairs = Double((n - 1) * (n - 1) - (n - 1))
        return result.map { n > 2 ? $0 / pairs : $0 }
    }
}

extension Codependence.Options {
    /// What a member of the constraints asks for.
    init(_ wanted: NetworkCodependence) {
        self.init(
            measure: Codependence.Measure(rawValue: wanted.measure.rawValue) ?? .pearson,
            binning: HistogramBinning(wanted.bins), tailProbability: wanted.tailAlpha,
            gerberThreshold: wanted.threshold)
    }
}

extension HistogramBinning {
    /// What the member `bins` asks for.
    init(_ wanted: ClusteringRequest.Bins) {
        switch wanted {
        case .count(let bins): self = .count(bins)
        case .rule(let rule): self = HistogramBinning(code: rule.rawValue) ?? .knuth
        }
    }
}

/// Limits of the average centrality `C'w` of a portfolio: linear rows, whose coefficients are those of the panel's network.
///
/// Limits on neighbours (no two of a neighbourhood, no two of a cluster) decide over whole numbers: `HeldTogether`.
struct CentralityLimits {
    let request: ConstraintRequest
    let panel: ReturnPanel

    /// The centralities and their name; nil where nothing is asked for.
    func coefficients() throws(Problem) -> [Double]? {
        guard let wanted = request.centrality else { return nil }
        let most = 500
        guard wanted.measure != .communicability || panel.assets.count <= most else {
            throw Problem(
                .tooLargeProblem, "Communicability takes N^4 steps: at most \(most) assets, not \(panel.assets.count).")
        }
        return try AssetNetwork(panel, graph: wanted.graph, codependence: .init(wanted.codependence))
            .centrality(wanted.measure)
    }

    func named() throws(Problem) -> [NamedConstraint] {
        guard let wanted = request.centrality, let row = try coefficients() else { return [] }
        func place(_ side: String) -> JSONPointer { JSONPointer(["constraints", "centrality", side]) }
        if let level = wanted.min, wanted.max == level {
            return [
                NamedConstraint(
                    name: "centrality", pointer: place("min"), kind: .equal(row), level: level, isStructural: false)
            ]
        }
        var result: [NamedConstraint] = []
        if let level = wanted.min {
            result.append(
                NamedConstraint(
                    name: "centrality.min", pointer: place("min"), kind: .atLeast(row), level: level,
                    isStructural: false))
        }
        if let level = wanted.max {
            result.append(
                NamedConstraint(
                    name: "centrality.max", pointer: place("max"), kind: .atMost(row), level: level,
                    isStructural: false))
        }
        return result
    }
}
