import LinearAlgebra
import TestSupport
import Testing

@Suite("Matrix")
struct MatrixTests {
    @Test("Elements are stored by columns")
    func layout() {
        let matrix = Matrix([[1, 2, 3], [4, 5, 6]])
        #expect(matrix.storage == [1, 4, 2, 5, 3, 6])
        #expect(matrix[1, 2] == 6)
        #expect(matrix.row(1) == [4, 5, 6])
        #expect(matrix.column(1) == [2, 5])
        #expect(matrix.transposed() == Matrix([[1, 4], [2, 5], [3, 6]]))
        #expect(matrix.submatrix(rows: [1, 0], columns: [2, 0]) == Matrix([[6, 4], [3, 1]]))
        #expect(matrix.appending(row: [7, 8, 9]) == Matrix([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
        #expect(matrix.appending(rows: matrix).row(3) == [4, 5, 6])
    }

    @Test("Products equal their definition", arguments: [(3, 4, 5), (1, 7, 1), (17, 2, 9), (64, 33, 65)])
    func products(m: Int, k: Int, n: Int) {
        var random = SplitMix64(seed: UInt64(m * 10_000 + k * 100 + n))
        let a = random.matrix(m, k)
        let b = random.matrix(k, n)
        let product = a * b
        var viaTransposes = Matrix(rows: m, columns: n)
        viaTransposes.gemm(a.transposed(), b.transposed(), transposeFirst: true, transposeSecond: true)
        for i in 0..<m {
            for j in 0..<n {
                let expected = (0..<k).reduce(0.0) { $0 + a[i, $1] * b[$1, j] }
                #expect((product[i, j] - expected).magnitude < 1e-12)
                #expect((viaTransposes[i, j] - expected).magnitude < 1e-12)
            }
        }
        let x = random.vector(k)
        let ax = a.multiplied(by: x)
        for i in 0..<m { #expect((ax[i] - Vector.dot(a.row(i), x)).magnitude < 1e-12) }
        let y = random.vector(m)
        let aty = a.transposedMultiplied(by: y)
        for j in 0..<k { #expect((aty[j] - Vector.dot(a.column(j), y)).magnitude < 1e-12) }
        let gram = a.gram()
        for i in 0..<k {
            for j in 0..<k { #expect((gram[i, j] - Vector.dot(a.column(i), a.column(j))).magnitude < 1e-12) }
        }
        let z = random.vector(k)
        let direct = gram.multiplied(by: z)
        let symmetric = gram.symmetricMultiplied(by: z)
        for i in 0..<k { #expect((direct[i] - symmetric[i]).magnitude < 1e-11) }
    }

    @Test("Empty matrices multiply to zeros")
    func empty() {
        let none = Matrix(rows: 0, columns: 3)
        #expect(none.multiplied(by: [1, 2, 3]).isEmpty)
        #expect(none.transposedMultiplied(by: []) == [0, 0, 0])
        #expect(Matrix(rows: 3, columns: 0).multiplied(by: []) == [0, 0, 0])
        #expect(none.gram() == Matrix(rows: 3, columns: 3))
        var kept = [1.0, 2, 3]
        none.gemv([], transposed: true, beta: 1, into: &kept)
        #expect(kept == [1, 2, 3])
    }

    @Test("gemv scales and accumulates")
    func accumulation() {
        let matrix = Matrix([[1, 2], [3, 4]])
        var result = [10.0, 20]
        matrix.gemv([1, 1], scale: -2, beta: 0.5, into: &result)
        #expect(result == [-1, -4])
        var y = [1.0, 1]
        Vector.axpy(3, [1, -1], &y)
        #expect(y == [4, -2])
        #expect(Vector.normInfinity([1, -7, 3]) == 7)
        #expect(Vector.normInfinity([1, .nan, 3]).isNaN)
        #expect(Vector.norm2([3, 4]) == 5)
    }

    @Test("The number of OpenBLAS threads can be set")
    func threads() {
        let before = OpenBLASThreads.count
        OpenBLASThreads.set(1)
        #expect(OpenBLASThreads.count == 1)
        OpenBLASThreads.set(before)
        #expect(OpenBLASThreads.configuration.contains("OpenBLAS"))
        #expect(!OpenBLASKernel.name.isEmpty)
    }
}
