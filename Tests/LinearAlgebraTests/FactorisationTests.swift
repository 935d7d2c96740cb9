import LinearAlgebra
import TestSupport
import Testing

@Suite("Factorisations")
struct FactorisationTests {
    private static let orders = [1, 2, 5, 33, 130]

    private func definite(_ n: Int, _ random: inout SplitMix64) -> Matrix {
        var matrix = random.matrix(n + 3, n).gram()
        matrix.addToDiagonal([Double](repeating: 0.1, count: n))
        return matrix
    }

    private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
    }

    @Test("Cholesky solves and reports the determinant", arguments: orders)
    func cholesky(n: Int) throws {
        var random = SplitMix64(seed: UInt64(n))
        let matrix = definite(n, &random)
        let factor = try Cholesky(factorising: matrix)
        let x = random.vector(n)
        #expect(largestDifference(factor.solve(matrix.multiplied(by: x)), x) < 1e-8)
        let several = random.matrix(n, 3)
        #expect(largestDifference(factor.solve(matrix * several).storage, several.storage) < 1e-8)
        let eigen = try SymmetricEigen(matrix)
        let half = factor.forwardSubstitute(matrix)
        let squared = half.gram()
        let expected = matrix * factor.solve(matrix)
        #expect(largestDifference(squared.storage, expected.storage) < 1e-8 * max(1, matrix.maximumMagnitude))
        #expect(eigen.values.allSatisfy { $0 > 0 })
    }

    @Test("Cholesky names the minor that is not positive")
    func choleskyFailure() {
        #expect(throws: FactorisationError.notPositiveDefinite(order: 2)) {
            _ = try Cholesky(factorising: Matrix([[1, 2], [2, 1]]))
        }
        #expect(throws: FactorisationError.notPositiveDefinite(order: 1)) {
            _ = try Cholesky(factorising: Matrix([[.nan, 0], [0, 1]]))
        }
        #expect(throws: FactorisationError.notPositiveDefinite(order: 2)) {
            _ = try Cholesky(factorising: Matrix([[1, .nan], [.nan, 1]]))
        }
    }

    @Test("Bunch-Kaufman solves indefinite systems", arguments: orders)
    func ldl(n: Int) throws {
        var random = SplitMix64(seed: UInt64(7 * n))
        var matrix = random.matrix(n, n)
        for i in 0..<n {
            for j in 0..<i { matrix[j, i] = matrix[i, j] }
            matrix[i, i] = i % 2 == 0 ? 0 : matrix[i, i]
        }
        if n == 1 { matrix[0, 0] = -3 }
        let x = random.vector(n)
        let factor = try LDL(factorising: matrix)
        #expect(largestDifference(factor.solve(matrix.multiplied(by: x)), x) < 1e-8)
        #expect(throws: FactorisationError.self) { _ = try LDL(factorising: Matrix(rows: n, columns: n)) }
        #expect(throws: FactorisationError.notFinite) {
            _ = try LDL(factorising: Matrix(rows: n, columns: n, repeating: .nan))
        }
    }

    @Test("The eigenvectors diagonalise", arguments: orders)
    func eigen(n: Int) throws {
        var random = SplitMix64(seed: UInt64(13 * n))
        let matrix = definite(n, &random)
        let eigen = try SymmetricEigen(matrix)
        #expect(zip(eigen.values, eigen.values.dropFirst()).allSatisfy { $0 <= $1 })
        let scaled = eigen.vectors.scaled(
            rows: [Double](repeating: 1, count: n), columns: eigen.values)
        var rebuilt = Matrix(rows: n, columns: n)
        rebuilt.gemm(scaled, eigen.vectors, transposeSecond: true)
        #expect(largestDifference(rebuilt.storage, matrix.storage) < 1e-10 * Double(n) * matrix.maximumMagnitude)
        #expect(largestDifference(eigen.vectors.gram().storage, Matrix.identity(n).storage) < 1e-12 * Double(n))
        #expect(throws: FactorisationError.notFinite) { _ = try SymmetricEigen(Matrix([[.infinity]])) }
    }

    @Test("Pivoted QR finds dependent columns and how they depend")
    func rank() throws {
        var random = SplitMix64(seed: 5)
        let base = random.matrix(12, 3)
        let mixture = Matrix([[1, 0, 0, 2, 1], [0, 1, 0, -1, 1], [0, 0, 1, 0, 3]])
        let matrix = base * mixture
        let qr = try PivotedQR(matrix)
        #expect(qr.rank() == 3)
        let dependence = qr.dependence(rank: 3)
        for k in 0..<2 {
            var rebuilt = [Double](repeating: 0, count: 12)
            for i in 0..<3 { Vector.axpy(dependence[i, k], matrix.column(qr.columnOrder[i]), &rebuilt) }
            #expect(largestDifference(rebuilt, matrix.column(qr.columnOrder[3 + k])) < 1e-11)
        }
        #expect(try PivotedQR(Matrix(rows: 4, columns: 2)).rank() == 0)
    }
}
