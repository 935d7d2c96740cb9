public import LinearAlgebra

/// The triangulated maximally filtered graph (TMFG) of a matrix of similarities: a planar graph of 3N - 6 edges that keeps
/// much of the total weight.
///
/// It starts from the tetrahedron of the four strongest vertices and puts one vertex after another into the triangular face
/// where it adds most weight. Strength counts the similarities above the matrix's mean. Gains that agree to six decimals are
/// ties, which the older face wins, as in the reference implementation; so rounding of the similarities cannot change the
/// graph. With N < 4 the graph is complete: one clique, no separator.
///
/// Faces, separators and cliques are listed in the order in which they arise, the order that DBHT and j-LoGo read.
/// Time O(N^2), memory O(N^2) for the similarities alone.
///
/// Source: G. P. Massara, T. Di Matteo, T. Aste (2016), Network Filtering for Big Data: Triangulated Maximally Filtered Graph,
/// Journal of Complex Networks 5.
public struct TriangulatedMaximallyFilteredGraph: Sendable, Equatable {
    /// N.
    public let order: Int
    /// The 2N - 4 triangular faces, three vertices each; fewer where N < 4.
    public private(set) var triangles: [[Int]] = []
    /// The N - 4 triangles that are no faces: each separates two cliques.
    public private(set) var separators: [[Int]] = []
    /// The N - 3 cliques of four vertices; the complete graph where N < 4.
    public private(set) var cliques: [[Int]] = []
    /// Each edge once, with its smaller vertex first, in the order of insertion.
    public private(set) var edges: [Edge] = []

    /// An undirected edge.
    public struct Edge: Sendable, Hashable {
        /// The smaller vertex.
        public let first: Int
        /// The larger vertex.
        public let second: Int

        init(_ a: Int, _ b: Int) {
            first = min(a, b)
            second = max(a, b)
        }
    }

    /// The graph of non-negative similarities.
    /// - Parameter similarities: N x N, symmetric and finite; the diagonal counts towards a vertex' strength.
    public init(similarities: Matrix) {
        precondition(similarities.rows == similarities.columns, "similarities are a square matrix")
        order = similarities.rows
        guard order >= 4 else {
            buildComplete()
            return
        }
        var outside = [Bool](repeating: true, count: order)
        let start = Array(Self.byStrength(similarities).prefix(4))
        for vertex in start { outside[vertex] = false }
        cliques.append(start)
        for (i, a) in start.enumerated() { for b in start.dropFirst(i + 1) { edges.append(Edge(a, b)) } }
        var faces = Faces(similarities: similarities, capacity: 2 * order - 4)
        for corners in [[0, 1, 2], [1, 2, 3], [0, 1, 3], [0, 2, 3]] {
            faces.append(corners.map { start[$0] }, outside)
        }
        for step in 4..<max(order, 4) {
            let isLast = step == order - 1
            let (face, vertex) = faces.best(rounded: !isLast)
            let triangle = faces.triangles[face]
            outside[vertex] = false
            separators.append(triangle)
            cliques.append(triangle + [vertex])
            for corner in triangle { edges.append(Edge(corner, vertex)) }
            faces.append([triangle[0], triangle[2], vertex], outside)
            faces.append([triangle[1], triangle[2], vertex], outside)
            faces.replace(face, [triangle[0], triangle[1], vertex], outside)
            faces.remove(vertex, outside)
        }
        triangles = faces.triangles
    }

    /// The N x N matrix that has the given weights on the graph's edges and zeros elsewhere.
    public func adjacency(weights: Matrix) -> Matrix {
        precondition(weights.rows == order && weights.columns == order, "weights are N x N")
        var result = Matrix(rows: order, columns: order)
        for edge in edges {
            result[edge.first, edge.second] = weights[edge.first, edge.second]
            result[edge.second, edge.first] = weights[edge.second, edge.first]
        }
        return result
    }

    private mutating func buildComplete() {
        let all = Array(0..<order)
        if !all.isEmpty { cliques = [all] }
        if order == 3 { triangles = [all] }
        for i in all { for j in all.dropFirst(i + 1) { edges.append(Edge(i, j)) } }
    }

    /// Vertices by the sum of their similarities above the mean, largest first; of equals the later one.
    private static func byStrength(_ similarities: Matrix) -> [Int] {
        let n = similarities.rows
        let mean = similarities.storage.reduce(0, +) / Double(n * n)
        let strength = (0..<n).map { j in
            similarities.storage[(j * n)..<((j + 1) * n)].reduce(0.0) { $1 > mean ? $0 + $1 : $0 }
        }
        return (0..<n).sorted { (-strength[$0], -$0) < (-strength[$1], -$1) }
    }
}

/// The faces of the growing graph, each with the outside vertex that would gain most in it.
private struct Faces {
    let similarities: Matrix
    private(set) var triangles: [[Int]] = []
    private var bestVertex: [Int] = []
    private var bestGain: [Double] = []

    init(similarities: Matrix, capacity: Int) {
        self.similarities = similarities
        triangles.reserveCapacity(capacity)
        bestVertex.reserveCapacity(capacity)
        bestGain.reserveCapacity(capacity)
    }

    mutating func append(_ triangle: [Int], _ outside: [Bool]) {
        triangles.append(triangle)
        bestVertex.append(-1)
        bestGain.append(0)
        search(triangles.count - 1, outside)
    }

    mutating func replace(_ face: Int, _ triangle: [Int], _ outside: [Bool]) {
        triangles[face] = triangle
        search(face, outside)
    }

    /// Searches again where `vertex`, now inside, was the best one.
    mutating func remove(_ vertex: Int, _ outside: [Bool]) {
        for face in triangles.indices where bestVertex[face] == vertex { search(face, outside) }
    }

    /// The face with the largest gain, the first of equals, and its vertex.
    func best(rounded: Bool) -> (face: Int, vertex: Int) {
        var face = 0
        var most = -Double.infinity
        for (index, gain) in bestGain.enumerated() {
            let value = rounded ? (gain * 1e6).rounded(.toNearestOrEven) / 1e6 : gain
            if value > most {
                most = value
                face = index
            }
        }
        return (face, bestVertex[face])
    }

    private mutating func search(_ face: Int, _ outside: [Bool]) {
        let corners = triangles[face]
        let n = similarities.rows
        let (a, b, c) = (corners[0] * n, corners[1] * n, corners[2] * n)
        var most = -Double.infinity
        var vertex = -1
        for v in 0..<n where outside[v] {
            let gain = similarities.storage[a + v] + similarities.storage[b + v] + similarities.storage[c + v]
            if gain > most {
                most = gain
                vertex = v
            }
        }
        bestVertex[face] = vertex
        bestGain[face] = vertex < 0 ? -Double.infinity : most
    }
}
