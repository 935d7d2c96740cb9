import LinearAlgebra
import PortfolioModels
import TestSupport
import Testing

@Suite("Filtered graphs")
struct GraphTests {
    /// A symmetric matrix of repeatable similarities in (0, 1).
    private func similarities(_ n: Int, seed: UInt64) -> Matrix {
        var numbers = RepeatableNumbers(seed: seed)
        var result = Matrix.identity(n)
        for i in 0..<n {
            for j in 0..<i {
                let value = (numbers.next() + 1) / 2
                result[i, j] = value
                result[j, i] = value
            }
        }
        return result
    }

    @Test("A TMFG has 3N - 6 edges, 2N - 4 faces, N - 4 separators and N - 3 cliques", arguments: [4, 5, 9, 30, 120])
    func counts(n: Int) {
        let graph = TriangulatedMaximallyFilteredGraph(similarities: similarities(n, seed: UInt64(n)))
        #expect(graph.edges.count == 3 * n - 6)
        #expect(Set(graph.edges).count == graph.edges.count)
        #expect(graph.triangles.count == 2 * n - 4)
        #expect(graph.separators.count == n - 4)
        #expect(graph.cliques.count == n - 3)
        #expect(Set(graph.cliques.flatMap { $0 }) == Set(0..<n))
        // Every edge of a maximal planar graph borders exactly two faces.
        var borders: [Set<Int>: Int] = [:]
        for face in graph.triangles {
            for omitted in 0..<3 {
                borders[Set(face.indices.filter { $0 != omitted }.map { face[$0] }), default: 0] += 1
            }
        }
        #expect(borders.count == graph.edges.count)
        #expect(borders.values.allSatisfy { $0 == 2 })
    }

    @Test("With fewer than four vertices the graph is complete", arguments: [0, 1, 2, 3])
    func small(n: Int) {
        let graph = TriangulatedMaximallyFilteredGraph(similarities: similarities(n, seed: 1))
        #expect(graph.edges.count == n * (n - 1) / 2)
        #expect(graph.separators.isEmpty)
        #expect(graph.cliques == (n == 0 ? [] : [Array(0..<n)]))
    }

    @Test("Each vertex enters the face where it gains most")
    func greedy() throws {
        let weights = similarities(40, seed: 7)
        let graph = TriangulatedMaximallyFilteredGraph(similarities: weights)
        // Replays the insertions by brute force over all faces and all vertices.
        var faces = [[0, 1, 2], [1, 2, 3], [0, 1, 3], [0, 2, 3]].map { $0.map { graph.cliques[0][$0] } }
        var inside = Set(graph.cliques[0])
        for clique in graph.cliques.dropFirst() {
            let vertex = clique[3]
            let separator = Array(clique[0..<3])
            func gain(_ face: [Int], _ v: Int) -> Double { face.reduce(0) { $0 + weights[$1, v] } }
            let best = faces.flatMap { face in (0..<40).filter { !inside.contains($0) }.map { gain(face, $0) } }.max()
            #expect(abs(gain(separator, vertex) - (best ?? 0)) <= 1e-6)
            let index = try #require(faces.firstIndex(of: separator))
            faces[index] = [separator[0], separator[1], vertex]
            faces.append([separator[0], separator[2], vertex])
            faces.append([separator[1], separator[2], vertex])
            inside.insert(vertex)
        }
    }

    @Test("The adjacency carries the weights of the edges alone")
    func adjacency() {
        let weights = similarities(12, seed: 3)
        let graph = TriangulatedMaximallyFilteredGraph(similarities: weights)
        let matrix = graph.adjacency(weights: weights)
        #expect(matrix == matrix.transposed())
        #expect(matrix.storage.count { $0 != 0 } == 2 * graph.edges.count)
    }

    @Test("A minimum spanning tree is as short as the best of all trees by enumeration")
    func enumeration() {
        // All 16 labelled trees on four vertices, by their Pruefer sequences.
        let distances = similarities(4, seed: 11)
        var shortest = Double.infinity
        for a in 0..<4 {
            for b in 0..<4 {
                var sequence = [a, b]
                var degree = [1, 1, 1, 1]
                for v in sequence { degree[v] += 1 }
                var length = 0.0
                while !sequence.isEmpty {
                    let v = sequence.removeFirst()
                    let leaf = degree.firstIndex(of: 1) ?? 0
                    length += distances[leaf, v]
                    degree[leaf] -= 1
                    degree[v] -= 1
                }
                let rest = degree.indices.filter { degree[$0] == 1 }
                length += distances[rest[0], rest[1]]
                shortest = min(shortest, length)
            }
        }
        let tree = MinimumSpanningTree(distances: distances)
        #expect(abs(tree.edges.reduce(0) { $0 + $1.length } - shortest) < 1e-15)
    }

    @Test("A tree connects everything with N - 1 edges in ascending order", arguments: [0, 1, 2, 50])
    func tree(n: Int) {
        let tree = MinimumSpanningTree(distances: similarities(n, seed: UInt64(n) + 5))
        #expect(tree.edges.count == max(n - 1, 0))
        #expect(zip(tree.edges, tree.edges.dropFirst()).allSatisfy { $0.length <= $1.length })
        var component = Array(0..<n)
        for edge in tree.edges {
            let (from, to) = (component[edge.second], component[edge.first])
            #expect(from != to)
            for v in component.indices where component[v] == from { component[v] = to }
        }
        #expect(Set(component).count <= 1)
    }
}
