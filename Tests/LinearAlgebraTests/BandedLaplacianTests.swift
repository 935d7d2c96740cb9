import LinearAlgebra
import Testing

/// Laplacians of graphs over near indices, against the sums that they stand for.
@Suite("Banded Laplacian")
struct BandedLaplacianTests {
    private func number(_ i: Int) -> Double { Double((i &* 7919 &+ 13) % 101) / 101 }

    @Test(
        "the form is the sum of centred, weighted squares", arguments: [(1, 1), (5, 3), (63, 8), (64, 64), (200, 17)])
    func centred(order: Int, width: Int) {
        let columns = 4
        var x = Matrix(rows: order, columns: columns)
        for i in x.storage.indices { x.storage[i] = number(i) - 0.5 }
        var graph = BandedLaplacian(order: order, width: width)
        var expected = Matrix(rows: columns, columns: columns)
        for start in stride(from: 0, to: order, by: max(width / 2, 1)) {
            let count = min(width, order - start)
            // Some masses vanish, and one level has none at all.
            let masses = (0..<count).map { start == 2 || $0 % 5 == 4 ? 0 : number(start + 3 * $0) }
            graph.addCentred(masses[...], from: start)
            let sum = masses.reduce(0, +)
            guard sum > 0 else { continue }
            let means = (0..<columns).map { j in
                masses.indices.reduce(0.0) { $0 + masses[$1] * x[start + $1, j] } / sum
            }
            for a in 0..<columns {
                for b in 0..<columns {
                    expected[a, b] += masses.indices.reduce(0.0) {
                        $0 + masses[$1] * (x[start + $1, a] - means[a]) * (x[start + $1, b] - means[b])
                    }
                }
            }
        }
        var form = Matrix(rows: columns, columns: columns)
        var room = Matrix(rows: order, columns: columns)
        graph.form(x, into: &form, product: &room)
        for i in form.storage.indices { #expect(abs(form.storage[i] - expected.storage[i]) < 1e-12) }
        graph.reset()
        graph.form(x, into: &form, product: &room)
        #expect(form.storage.allSatisfy { $0 == 0 })
    }
}
