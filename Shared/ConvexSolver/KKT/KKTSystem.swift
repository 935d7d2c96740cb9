import LinearAlgebra

/// The core of every Newton step:
///
///     [ H  A' ] [dx]   [r1]
///     [ A  0  ] [dy] = [r2],   H = P + C' diag(w) C.
///
/// Factorises by Cholesky and a Schur complement while H is definite (only the complement where H is diagonal but for a few
/// rows), else by Bunch-Kaufman on the whole; refines every solution against the matrix as it is, not as it was regularised.
struct KKTSystem {
    private let form: StandardForm
    private var weights: [Double] = []
    private var factor: Factor = .none
    private var prefersAugmented = false
    /// [A; G], for a linear program with fewer rows than variables.
    private var stackedRows: Matrix?

    private enum Factor {
        case none
        case diagonal(DiagonalSystem)
        case normal(NormalEquations)
        case augmented(AugmentedSystem)
    }

    init(_ form: StandardForm) {
        self.form = form
        stackedRows =
            form.P == nil && form.equalities + form.rows < form.variables ? form.A.appending(rows: form.G) : nil
    }

    /// Prepares solutions at the given weights w > 0.
    mutating func factorise(weights: [Double]) throws(FactorisationError) {
        self.weights = weights
        if let stackedRows, let diagonal = DiagonalSystem(form, weights: weights, rows: stackedRows) {
            factor = .diagonal(diagonal)
            return
        }
        let hessian = form.weightedHessian(weights)
        if !prefersAugmented, let normal = NormalEquations(hessian, form.A) {
            factor = .normal(normal)
        } else {
            prefersAugmented = true
            factor = .augmented(try AugmentedSystem(hessian, form.A))
        }
    }

    /// The solution for one right-hand side, refined while that helps.
    mutating func solve(_ r1: [Double], _ r2: [Double]) -> (dx: [Double], dy: [Double]) {
        var (dx, dy, quality) = refined(r1, r2)
        if quality > 1e-6, !prefersAugmented,
            let augmented = try? AugmentedSystem(form.weightedHessian(weights), form.A)
        {
            factor = .augmented(augmented)
            let other = refined(r1, r2)
            if other.quality < quality {
                (dx, dy, quality) = other
                prefersAugmented = true
                stackedRows = nil
            }
        }
        return (dx, dy)
    }

    private func refined(_ r1: [Double], _ r2: [Double]) -> (dx: [Double], dy: [Double], quality: Double) {
        var (dx, dy) = direct(r1, r2)
        let scale1 = Vector.normInfinity(r1)
        let scale2 = Vector.normInfinity(r2)
        var best = Double.infinity
        var previous = (dx, dy)
        for _ in 0..<4 {
            let (e1, e2) = residual(dx, dy, r1, r2)
            // The equality rows are of order one, so what they leave is small once it is small beside dx.
            let error = max(
                Self.ratio(Vector.normInfinity(e1), scale1),
                Self.ratio(Vector.normInfinity(e2), max(scale2, Vector.normInfinity(dx))))
            guard error < 0.5 * best else {
                // No progress (or NaN): keep the better of the last two.
                if !(error < best) { (dx, dy) = previous }
                break
            }
            best = error
            if error <= 1e-14 { break }
            previous = (dx, dy)
            let (cx, cy) = direct(e1, e2)
            Vector.axpy(1, cx, &dx)
            Vector.axpy(1, cy, &dy)
        }
        return (dx, dy, best)
    }

    private static func ratio(_ part: Double, _ whole: Double) -> Double { part == 0 ? 0 : part / whole }

    private func direct(_ r1: [Double], _ r2: [Double]) -> ([Double], [Double]) {
        switch factor {
        case .none: (r1.map { _ in .nan }, r2.map { _ in .nan })
        case .diagonal(let system): system.solve(r1, r2)
        case .normal(let system): system.solve(r1, r2)
        case .augmented(let system): system.solve(r1, r2)
        }
    }

    private func residual(
        _ dx: [Double], _ dy: [Double], _ r1: [Double], _ r2: [Double]
    ) -> ([Double], [Double]) {
        var e1 = form.weightedHessianProduct(weights, dx)
        form.A.gemv(dy, transposed: true, beta: 1, into: &e1)
        var e2 = form.A.multiplied(by: dx)
        for j in e1.indices { e1[j] = r1[j] - e1[j] }
        for i in e2.indices { e2[i] = r2[i] - e2[i] }
        return (e1, e2)
    }
}
