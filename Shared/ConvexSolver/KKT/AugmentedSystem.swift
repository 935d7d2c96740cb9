import LinearAlgebra

/// The whole matrix [H A'; A 0] by Bunch-Kaufman, for an H that is singular on its own (free variables of linear programs).
struct AugmentedSystem {
    private let variables: Int
    private var scale: [Double]
    private var largest: [Double]
    private var factor: LDL
    private var both: [Double]

    /// Room for systems of so many variables and rows.
    init(variables: Int, rows: Int) {
        self.variables = variables
        both = [Double](repeating: 0, count: variables + rows)
        (scale, largest) = (both, both)
        factor = LDL(order: both.count)
    }

    /// One system, factorised.
    init(_ hessian: Matrix, _ A: Matrix, regularisation: Double = 1e-14) throws(FactorisationError) {
        self.init(variables: hessian.rows, rows: A.rows)
        try factorise(hessian, A, regularisation: regularisation)
    }

    mutating func factorise(
        _ hessian: Matrix, _ A: Matrix, regularisation: Double = 1e-14
    ) throws(FactorisationError) {
        let (n, m) = (hessian.rows, A.rows)
        var (scale, largest) = ([Double](), [Double]())
        swap(&scale, &self.scale)
        swap(&largest, &self.largest)
        defer {
            swap(&scale, &self.scale)
            swap(&largest, &self.largest)
        }
        try factor.refactorise { matrix in
            for j in 0..<n {
                for i in j..<n { matrix.storage[i + j * (n + m)] = hessian.storage[i + j * n] }
                for i in 0..<m { matrix.storage[n + i + j * (n + m)] = A.storage[i + j * m] }
            }
            for j in n..<(n + m) { for i in j..<(n + m) { matrix.storage[i + j * (n + m)] = 0 } }
            Self.equilibrate(&matrix, &scale, &largest)
            for j in 0..<n { matrix[j, j] += regularisation }
            for i in 0..<m { matrix[n + i, n + i] -= regularisation }
        }
    }

    func solve(_ r1: [Double], _ r2: [Double]) -> ([Double], [Double]) {
        var system = self
        var (dx, dy) = (r1, r2)
        system.solve(r1, r2, dx: &dx, dy: &dy)
        return (dx, dy)
    }

    mutating func solve(_ r1: [Double], _ r2: [Double], dx: inout [Double], dy: inout [Double]) {
        for j in r1.indices { both[j] = r1[j] * scale[j] }
        for i in r2.indices { both[variables + i] = r2[i] * scale[variables + i] }
        factor.solve(inPlace: &both)
        for j in dx.indices { dx[j] = both[j] * scale[j] }
        for i in dy.indices { dy[i] = both[variables + i] * scale[variables + i] }
    }

    /// Scales rows and columns alike until no row's largest magnitude is far from one; `total` becomes the factors.
    private static func equilibrate(_ matrix: inout Matrix, _ total: inout [Double], _ largest: inout [Double]) {
        let order = matrix.rows
        for i in 0..<order { total[i] = 1 }
        for _ in 0..<4 {
            for i in 0..<order { largest[i] = 0 }
            for j in 0..<order {
                for i in j..<order {
                    let value = matrix.storage[i + j * order].magnitude
                    if value > largest[i] { largest[i] = value }
                    if value > largest[j] { largest[j] = value }
                }
            }
            for i in 0..<order {
                largest[i] = largest[i] > 0 && largest[i].isFinite ? 1 / largest[i].squareRoot() : 1
                total[i] *= largest[i]
            }
            matrix.scaleLowerTriangle(by: largest)
        }
    }
}
