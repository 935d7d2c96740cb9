import LinearAlgebra

/// The whole matrix [H A'; A 0] by Bunch-Kaufman, for an H that is singular on its own (free variables of linear programs).
struct AugmentedSystem {
    private let scale: [Double]
    private let factor: LDL
    private let variables: Int

    init(_ hessian: Matrix, _ A: Matrix, regularisation: Double = 1e-14) throws(FactorisationError) {
        let n = hessian.rows
        let m = A.rows
        variables = n
        var matrix = Matrix(rows: n + m, columns: n + m)
        for j in 0..<n {
            for i in j..<n { matrix[i, j] = hessian[i, j] }
            for i in 0..<m { matrix[n + i, j] = A[i, j] }
        }
        scale = Self.equilibrate(&matrix)
        for j in 0..<n { matrix[j, j] += regularisation }
        for i in 0..<m { matrix[n + i, n + i] -= regularisation }
        factor = try LDL(factorising: matrix)
    }

    func solve(_ r1: [Double], _ r2: [Double]) -> ([Double], [Double]) {
        var x = r1 + r2
        for i in x.indices { x[i] *= scale[i] }
        x = factor.solve(x)
        for i in x.indices { x[i] *= scale[i] }
        return (Array(x[0..<variables]), Array(x[variables...]))
    }

    /// Scales rows and columns alike until no row's largest magnitude is far from one; returns the factors.
    private static func equilibrate(_ matrix: inout Matrix) -> [Double] {
        let order = matrix.rows
        var total = [Double](repeating: 1, count: order)
        for _ in 0..<4 {
            var largest = [Double](repeating: 0, count: order)
            for j in 0..<order {
                for i in j..<order {
                    let value = matrix.storage[i + j * order].magnitude
                    if value > largest[i] { largest[i] = value }
                    if value > largest[j] { largest[j] = value }
                }
            }
            let step = largest.map { $0 > 0 && $0.isFinite ? 1 / $0.squareRoot() : 1 }
            matrix.scaleLowerTriangle(by: step)
            for i in 0..<order { total[i] *= step[i] }
        }
        return total
    }
}
