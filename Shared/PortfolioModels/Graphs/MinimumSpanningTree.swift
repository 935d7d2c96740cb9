public import LinearAlgebra

/// The minimum spanning tree of a matrix of distances: N - 1 edges that connect everything at the least total length.
///
/// Prim's algorithm on the full matrix: O(N^2) time, O(N) memory beside it. Sorted by length, the edges are the merges of
/// single linkage.
///
/// Source: R. C. Prim (1957), Shortest Connection Networks and Some Generalizations, Bell System Technical Journal 36.
public struct MinimumSpanningTree: Sendable, Equatable {
    /// An edge and its length.
    public struct Edge: Sendable, Equatable {
        /// The smaller vertex.
        public let first: Int
        /// The larger vertex.
        public let second: Int
        /// The distance between the two.
        public let length: Double
    }

    /// N.
    public let order: Int
    /// N - 1 edges by length, of equal ones those of smaller vertices first; none where N < 2.
    public let edges: [Edge]

    /// The tree of distances.
    /// - Parameter distances: N x N, symmetric and finite; the diagonal is not read.
    public init(distances: Matrix) {
        precondition(distances.rows == distances.columns, "distances are a square matrix")
        let n = distances.rows
        order = n
        var found: [Edge] = []
        found.reserveCapacity(max(n - 1, 0))
        var isInside = [Bool](repeating: false, count: n)
        var nearest = [Double](repeating: .infinity, count: n)
        var parent = [Int](repeating: 0, count: n)
        var last = 0
        if n > 0 { isInside[0] = true }
        for _ in 1..<max(n, 1) {
            var next = -1
            for v in 0..<n where !isInside[v] {
                let distance = distances.storage[last * n + v]
                if distance < nearest[v] {
                    nearest[v] = distance
                    parent[v] = last
                }
                if next < 0 || nearest[v] < nearest[next] { next = v }
            }
            isInside[next] = true
            found.append(Edge(first: min(next, parent[next]), second: max(next, parent[next]), length: nearest[next]))
            last = next
        }
        edges = found.sorted { ($0.length, $0.first, $0.second) < ($1.length, $1.first, $1.second) }
    }

    /// The N x N matrix with the lengths on the tree's edges and zeros elsewhere.
    public var adjacency: Matrix {
        var result = Matrix(rows: order, columns: order)
        for edge in edges {
            result[edge.first, edge.second] = edge.length
            result[edge.second, edge.first] = edge.length
        }
        return result
    }
}
