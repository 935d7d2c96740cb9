import LinearAlgebra
import Testing

/// Operations into memory that is there already, against those that make their own.
@Suite("Kept memory")
struct KeptMemoryTests {
    private let matrix = Matrix([[1, 2, -3], [4, 0.5, 6], [-7, 8, 9], [0.25, -1, 2]])

    @Test("products with parts of longer vectors")
    func partial() {
        let long = [9.0, 1, -2, 0.5, 7]
        var result = [1.0, 2, 3, 4]
        matrix.addProduct(long, from: 1, scale: -2, to: &result)
        let product = matrix.multiplied(by: Array(long[1..<4]))
        for i in 0..<4 { #expect(abs(result[i] - (Double(i + 1) - 2 * product[i])) <= 1e-14) }
        var wide = [1.0, 1, 1, 1, 1]
        matrix.addTransposedProduct([1, -1, 2, 0], scale: 3, to: &wide, at: 2)
        let transposed = matrix.transposedMultiplied(by: [1, -1, 2, 0])
        #expect(wide[0] == 1 && wide[1] == 1)
        for j in 0..<3 { #expect(abs(wide[2 + j] - (1 + 3 * transposed[j])) <= 1e-14) }
    }

    @Test("a factorisation in the memory of another")
    func refactorised() throws {
        var factor = Cholesky(order: 3)
        let gram = matrix.gram()
        for shift in [1.0, 5] {
            try factor.refactorise { target in
                Vector.copy(gram.storage, into: &target.storage)
                for i in 0..<3 { target[i, i] += shift }
            }
            var damped = gram
            for i in 0..<3 { damped[i, i] += shift }
            var x = [1.0, -2, 3]
            factor.solve(inPlace: &x)
            #expect(x == (try Cholesky(factorising: damped)).solve([1, -2, 3]))
        }
        #expect(throws: FactorisationError.self) { try factor.refactorise { $0[1, 1] = -1 } }
    }

    @Test("columns scaled and shifted in one pass are those of two")
    func shifted() {
        let long = Matrix(rows: 19, columns: 2, columnMajor: (0..<38).map { Double($0 * 7 % 11) / 3 - 1 })
        let levels = [0.3, -0.7]
        #expect(
            long.scaled(by: 1 / 0.013, less: levels) == long.scaled(by: 1 / 0.013).subtracting(fromColumns: levels))
    }
}
