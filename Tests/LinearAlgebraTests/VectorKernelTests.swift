import LinearAlgebra
import Testing

/// Passes over vectors against the definitions, at lengths around the eight lanes.
@Suite("Vector kernels")
struct VectorKernelTests {
    private func numbers(_ count: Int, _ factor: Int) -> [Double] {
        (0..<count).map { Double(($0 &* factor &+ 13) % 101) / 101 - 0.5 }
    }

    @Test("the fastest fall", arguments: [0, 1, 7, 8, 9, 16, 23, 100])
    func fall(count: Int) {
        let values = numbers(count, 7919).map { $0 * $0 + 1e-3 }
        let steps = numbers(count, 6007)
        let expected = zip(values, steps).reduce(0) { max($0, -$1.1 / $1.0) }
        #expect(Vector.fallRate(values, steps) == expected)
        #expect(Vector.fallRate(values, steps.map { abs($0) }) == 0)
    }

    @Test("distances to zero, of what moves there and counts", arguments: [1, 7, 8, 9, 16, 23, 100])
    func distances(count: Int) {
        let values = numbers(count, 7919)
        let directions = numbers(count, 6007).map { abs($0) < 0.05 ? 0 : $0 }
        // The side of some is not the sign of their value: a rounding beyond zero is there at once.
        let sides = values.indices.map { $0 % 5 == 4 ? -1.0 : values[$0] > 0 ? 1 : -1 }
        let counts = values.indices.map { $0 % 7 == 3 ? 0.0 : 1 }
        var found = [Double](repeating: .nan, count: count)
        Vector.distances(values, directions, sides: sides, counts: counts, least: 1e-12, into: &found)
        for t in values.indices {
            let isAhead = sides[t] * directions[t] < -1e-12 && counts[t] > 0
            #expect(found[t] == (isAhead ? max(-values[t] / directions[t], 0) : .infinity), "\(t)")
        }
    }

    @Test("rows less their weighted mean", arguments: [1, 7, 8, 9, 20])
    func centred(count: Int) {
        let matrix = Matrix(rows: 24, columns: 3, columnMajor: numbers(72, 7919))
        let masses = numbers(count + 2, 6007).map { abs($0) }
        let factors = numbers(count + 2, 31)
        var rows = Matrix(rows: 26, columns: 3, repeating: 7)
        rows.setCentred(matrix, from: 4, masses: masses[1...count], factors: factors[1...count], at: 5)
        let total = masses[1...count].reduce(0, +)
        for j in 0..<3 {
            let mean = (0..<count).reduce(0) { $0 + masses[$1 + 1] * matrix[$1 + 4, j] } / total
            for i in 0..<26 {
                let expected = (5..<(5 + count)).contains(i) ? factors[i - 4] * (matrix[i - 1, j] - mean) : 7
                #expect(abs(rows[i, j] - expected) < 1e-15, "\(i) \(j)")
            }
        }
        // Without mass there is no mean to take away.
        rows.setCentred(matrix, from: 0, masses: [0, 0], factors: [1, 2], at: 0)
        #expect(rows[1, 2] == 2 * matrix[1, 2])
    }
}
