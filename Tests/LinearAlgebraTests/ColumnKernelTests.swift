import LinearAlgebra
import Testing

/// Passes over columns against the sums that they stand for, at lengths around the eight lanes.
@Suite("Column kernels")
struct ColumnKernelTests {
    private func panel(_ rows: Int) -> Matrix {
        var matrix = Matrix(rows: rows, columns: 3)
        for i in matrix.storage.indices { matrix.storage[i] = Double((i &* 7919 &+ 13) % 101) / 101 - 0.6 }
        return matrix
    }

    @Test("means, squares and magnitudes", arguments: [1, 2, 7, 8, 9, 15, 16, 17, 100])
    func sums(rows: Int) {
        let matrix = panel(rows)
        let weights = (0..<rows).map { 1 / Double($0 + 2) }
        for j in 0..<3 {
            let column = matrix.column(j)
            #expect(abs(matrix.columnMeans[j] - column.reduce(0, +) / Double(rows)) < 1e-15)
            let squares = zip(weights, column).reduce(0) { $0 + $1.0 * $1.1 * $1.1 }
            #expect(abs(matrix.columnSquares(weights: weights)[j] - squares) < 1e-14)
            #expect(matrix.columnMagnitudes[j] == column.map { abs($0) }.max())
            let shifted = matrix.subtracting(fromColumns: [0.5, 0, -2]).column(j)
            #expect(shifted == column.map { $0 - [0.5, 0, -2][j] })
        }
        #expect(matrix.scaled(by: -3).storage == matrix.storage.map { -3 * $0 })
    }

    @Test("a constant column has exactly its own mean, whatever its size", arguments: [1, 9, 64, 1003])
    func constant(rows: Int) {
        for value in [0.1, -1.0 / 3, 1e300, 2.5e-300] {
            let matrix = Matrix(rows: rows, columns: 2, repeating: value)
            #expect(matrix.columnMeans == [value, value])
        }
    }

    @Test("no rows have means of zero, no columns a magnitude of zero; NaN elements are ignored")
    func degenerate() {
        #expect(Matrix(rows: 0, columns: 2).columnMeans == [0, 0])
        #expect(Matrix(rows: 0, columns: 0).maximumMagnitude == 0)
        var matrix = panel(20)
        let largest = matrix.maximumMagnitude
        for i in [0, 7, 8, 19, 33] where abs(matrix.storage[i]) < largest { matrix.storage[i] = .nan }
        #expect(matrix.maximumMagnitude == largest)
        matrix.storage[11] = -.infinity
        #expect(matrix.maximumMagnitude == .infinity)
    }

    @Test("sums of neighbouring rows, and squares beside a level")
    func neighbours() {
        let matrix = panel(19)
        let summed = matrix.summed(upTo: [0, 4, 17])
        let weights: [Double] = (0..<19).map { Double($0 % 3) }
        let levels: [Double] = [2, 5, -1]
        let own = matrix.columnSquares(weights: weights, less: levels)
        for j in 0..<3 {
            let column = matrix.column(j)
            let plain: [Double] = [column[0], column[1...4].reduce(0, +), column[5...17].reduce(0, +)]
            for k in 0..<3 { #expect(abs(summed[k, j] - plain[k]) <= 1e-14) }
            var squares = 0.0
            for t in 0..<19 {
                let distance: Double = column[t] - levels[j]
                squares += weights[t] * distance * distance
            }
            #expect(abs(own[j] - squares) <= 1e-12 * squares)
        }
    }
}
