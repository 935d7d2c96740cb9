import LinearAlgebra

/// H by Cholesky, the equality rows by their Schur complement A H^-1 A'.
///
/// H is first scaled to a unit diagonal (Jacobi): its elements span many powers of ten near the solution, its scaled
/// form does not. The diagonal is raised by 1e-15, or more where that does not suffice. Memory is kept from one system to the next.
struct NormalEquations {
    private let rows: Matrix
    private var scale: [Double]
    private var cholesky: Cholesky
    /// L^-1 (A D)'.
    private var half: Matrix
    private var complement: Matrix
    private var schurScale: [Double]
    private var schur: Cholesky
    /// r1 - A' dy.
    private var rest: [Double]

    /// - Parameter order: of H.
    init(order: Int, _ A: Matrix) {
        rows = A
        scale = [Double](repeating: 0, count: order)
        cholesky = Cholesky(order: order)
        half = Matrix(rows: order, columns: A.rows)
        complement = Matrix(rows: A.rows, columns: A.rows)
        schurScale = [Double](repeating: 0, count: A.rows)
        schur = Cholesky(order: A.rows)
        rest = scale
    }

    /// False where H is not definite enough to be factorised.
    mutating func factorise(_ hessian: Matrix) -> Bool {
        guard Self.readScale(hessian, &scale),
            Self.factorise(hessian, scale, regularisation: (1e-15, 100, 1e-11), &cholesky)
        else { return false }
        guard rows.rows > 0 else { return true }
        for i in 0..<rows.rows {
            for j in scale.indices {
                half.storage[j + i * scale.count] = rows.storage[i + j * rows.rows] * scale[j]
            }
        }
        cholesky.forwardSubstitute(inPlace: &half)
        complement.syrk(half, transposed: true)
        return Self.readScale(complement, &schurScale)
            && Self.factorise(complement, schurScale, regularisation: (1e-15, 1000, 1e-9), &schur)
    }

    /// S dy = A H^-1 r1 - r2, then H dx = r1 - A' dy.
    mutating func solve(_ r1: [Double], _ r2: [Double], dx: inout [Double], dy: inout [Double]) {
        Vector.copy(r1, into: &dx)
        solveHessian(&dx)
        guard rows.rows > 0 else { return }
        rows.gemv(dx, into: &dy)
        for i in dy.indices { dy[i] = (dy[i] - r2[i]) * schurScale[i] }
        schur.solve(inPlace: &dy)
        for i in dy.indices { dy[i] *= schurScale[i] }
        Vector.copy(r1, into: &rest)
        rows.gemv(dy, transposed: true, scale: -1, beta: 1, into: &rest)
        Vector.copy(rest, into: &dx)
        solveHessian(&dx)
    }

    private func solveHessian(_ x: inout [Double]) {
        for j in x.indices { x[j] *= scale[j] }
        cholesky.solve(inPlace: &x)
        for j in x.indices { x[j] *= scale[j] }
    }

    /// The factors that make the diagonal ones; false where there are none.
    static func readScale(_ matrix: Matrix, _ scale: inout [Double]) -> Bool {
        for i in scale.indices {
            let value = matrix.storage[i + i * matrix.rows]
            guard value > 0, value.isFinite else { return false }
            scale[i] = 1 / value.squareRoot()
        }
        return true
    }

    /// - Parameter regularisation: what the diagonal is raised by at first, by what factor that grows, and its end.
    static func factorise(
        _ matrix: Matrix, _ scale: [Double], regularisation: (first: Double, growth: Double, last: Double),
        _ cholesky: inout Cholesky
    ) -> Bool {
        var amount = regularisation.first
        while amount <= 1.5 * regularisation.last {
            do throws(FactorisationError) {
                try cholesky.refactorise { scaled in
                    Vector.copy(matrix.storage, into: &scaled.storage)
                    scaled.scaleLowerTriangle(by: scale)
                    for i in 0..<scaled.rows { scaled.storage[i + i * scaled.rows] = 1 + amount }
                }
                return true
            } catch {
                amount *= regularisation.growth
            }
        }
        return false
    }
}
