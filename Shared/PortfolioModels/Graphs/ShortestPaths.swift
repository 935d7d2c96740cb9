import LinearAlgebra

/// Lengths of shortest paths between all pairs of vertices of a sparse graph.
///
/// Dijkstra's algorithm from each vertex with a heap: O(N (N + E) log N).
///
/// Source: E. W. Dijkstra (1959), A Note on Two Problems in Connexion with Graphs, Numerische Mathematik 1.
enum ShortestPaths {
    /// The N x N lengths; infinite between vertices that are not connected.
    /// - Parameters:
    ///   - edges: undirected.
    ///   - length: N x N, not negative; read at the edges.
    static func lengths(edges: [(Int, Int)], _ length: Matrix) -> Matrix {
        let n = length.rows
        var links = [[(to: Int, length: Double)]](repeating: [], count: n)
        for (a, b) in edges {
            links[a].append((b, length[a, b]))
            links[b].append((a, length[a, b]))
        }
        var result = Matrix(rows: n, columns: n, repeating: .infinity)
        for source in 0..<n {
            var reach = [Double](repeating: .infinity, count: n)
            reach[source] = 0
            var heap = IndexedHeap(reach)
            for _ in 0..<n {
                let (vertex, distance) = (heap.least, heap.leastValue)
                heap.removeLeast()
                guard distance < .infinity else { break }
                for link in links[vertex] where distance + link.length < reach[link.to] {
                    reach[link.to] = distance + link.length
                    heap.change(link.to, to: reach[link.to])
                }
            }
            for target in 0..<n { result.storage[source * n + target] = reach[target] }
        }
        return result
    }
}
