import LinearAlgebra

/// H by Cholesky, the equality rows by their Schur complement A H^-1 A'.
///
/// H is first scaled to a unit diagonal (Jacobi): its elements span many powers of ten near the solution, its scaled
/// form does not. The diagonal is raised by 1e-15, or more where that does not suffice.
struct NormalEquations {
    private let scale: [Double]
    private let cholesky: Cholesky
    private let rows: Matrix
    private let schurScale: [Double]
    private let schur: Cholesky?

    /// Nil where H is not definite enough to be factorised.
    init?(_ hessian: Matrix, _ A: Matrix) {
        var scale = hessian.diagonal
        guard scale.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
        for i in scale.indices { scale[i] = 1 / scale[i].squareRoot() }
        guard let cholesky = Self.factorise(hessian, scale, regularisation: [1e-15, 1e-13, 1e-11]) else { return nil }
        self.scale = scale
        self.cholesky = cholesky
        rows = A
        guard A.rows > 0 else {
            schurScale = []
            schur = nil
            return
        }
        let half = cholesky.forwardSubstitute(A.transposed().scaled(rows: scale))
        var complement = Matrix(rows: A.rows, columns: A.rows)
        complement.syrk(half, transposed: true)
        var schurScale = complement.diagonal
        guard schurScale.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
        for i in schurScale.indices { schurScale[i] = 1 / schurScale[i].squareRoot() }
        guard let schur = Self.factorise(complement, schurScale, regularisation: [1e-15, 1e-12, 1e-9]) else {
            return nil
        }
        self.schurScale = schurScale
        self.schur = schur
    }

    func solve(_ r1: [Double], _ r2: [Double]) -> ([Double], [Double]) {
        let free = solveHessian(r1)
        guard let schur else { return (free, []) }
        // S dy = A H^-1 r1 - r2, then H dx = r1 - A' dy.
        var right = rows.multiplied(by: free)
        for i in right.indices { right[i] = (right[i] - r2[i]) * schurScale[i] }
        var dy = schur.solve(right)
        for i in dy.indices { dy[i] *= schurScale[i] }
        var rest = r1
        rows.gemv(dy, transposed: true, scale: -1, beta: 1, into: &rest)
        return (solveHessian(rest), dy)
    }

    private func solveHessian(_ r: [Double]) -> [Double] {
        var x = r
        for j in x.indices { x[j] *= scale[j] }
        x = cholesky.solve(x)
        for j in x.indices { x[j] *= scale[j] }
        return x
    }

    static func factorise(_ matrix: Matrix, _ scale: [Double], regularisation: [Double]) -> Cholesky? {
        for amount in regularisation {
            var scaled = matrix
            scaled.scaleLowerTriangle(by: scale)
            for i in 0..<scaled.rows { scaled[i, i] = 1 + amount }
            if let factor = try? Cholesky(factorising: scaled) { return factor }
        }
        return nil
    }
}
