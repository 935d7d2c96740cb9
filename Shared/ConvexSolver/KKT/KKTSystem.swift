import LinearAlgebra

/// The core of every Newton step:
///
///     [ H  A' ] [dx]   [r1]
///     [ A  0  ] [dy] = [r2],   H = P + C' diag(w) C.
///
/// Factorises by Cholesky and a Schur complement while H is definite (only the complement where H is diagonal but for a few
/// rows), else by Bunch-Kaufman on the whole; refines every solution against the matrix as it is, not as it was regularised.
/// Each way makes its memory when it is first taken and keeps it.
struct KKTSystem {
    private let form: StandardForm
    private var weights: [Double]
    private var way = Way.none
    private var prefersAugmented = false
    private var hessian: Matrix
    /// G, each row times the root of its weight.
    private var scaledRows: Matrix
    private var diagonal: DiagonalSystem?
    private var normal: NormalEquations?
    private var augmented: AugmentedSystem?
    private var kept: Solution
    private var other: Solution
    private var correction: Solution
    // What a solution leaves of the right-hand sides, and one number an inequality.
    private var left: Solution
    private var image: [Double]

    /// How the system in hand was factorised.
    private enum Way { case none, diagonal, normal, augmented }

    private struct Solution {
        var dx: [Double]
        var dy: [Double]

        mutating func take(_ dx: [Double], _ dy: [Double]) {
            Vector.copy(dx, into: &self.dx)
            Vector.copy(dy, into: &self.dy)
        }
    }

    init(_ form: StandardForm) {
        self.form = form
        image = [Double](repeating: 0, count: form.inequalities)
        weights = image
        hessian = Matrix(rows: form.variables, columns: form.variables)
        scaledRows = form.G
        // Each with memory of its own from the start: what is shared is copied when it is first written to.
        func room() -> Solution {
            Solution(
                dx: [Double](repeating: 0, count: form.variables), dy: [Double](repeating: 0, count: form.equalities))
        }
        (kept, other, correction, left) = (room(), room(), room(), room())
        // A linear program with fewer rows than variables.
        if form.P == nil, form.equalities + form.rows < form.variables {
            diagonal = DiagonalSystem(rows: form.A.appending(rows: form.G))
        }
    }

    /// Prepares solutions at the given weights w > 0.
    mutating func factorise(weights: [Double]) throws(FactorisationError) {
        Vector.copy(weights, into: &self.weights)
        if diagonal?.factorise(form, weights: weights) == true {
            way = .diagonal
            return
        }
        form.weightedHessian(weights, into: &hessian, &scaledRows)
        if !prefersAugmented {
            if normal == nil { normal = NormalEquations(order: form.variables, form.A) }
            if normal?.factorise(hessian) == true {
                way = .normal
                return
            }
        }
        prefersAugmented = true
        try factoriseAugmented()
    }

    private mutating func factoriseAugmented() throws(FactorisationError) {
        if augmented == nil { augmented = AugmentedSystem(variables: form.variables, rows: form.equalities) }
        way = .none
        try augmented?.factorise(hessian, form.A)
        way = .augmented
    }

    /// The solution for one right-hand side, refined while that helps.
    mutating func solve(_ r1: [Double], _ r2: [Double], dx: inout [Double], dy: inout [Double]) {
        let quality = refined(r1, r2, &dx, &dy)
        guard quality > 1e-6, !prefersAugmented else { return }
        form.weightedHessian(weights, into: &hessian, &scaledRows)
        let before = way
        guard (try? factoriseAugmented()) != nil else {
            way = before
            return
        }
        other.take(dx, dy)
        if refined(r1, r2, &dx, &dy) < quality {
            prefersAugmented = true
            diagonal = nil
        } else {
            Vector.copy(other.dx, into: &dx)
            Vector.copy(other.dy, into: &dy)
        }
    }

    /// Returns how much of the right-hand sides is left, relative to them.
    private mutating func refined(
        _ r1: [Double], _ r2: [Double], _ dx: inout [Double], _ dy: inout [Double]
    ) -> Double {
        direct(r1, r2, &dx, &dy)
        let scale1 = Vector.normInfinity(r1)
        let scale2 = Vector.normInfinity(r2)
        var best = Double.infinity
        kept.take(dx, dy)
        for _ in 0..<4 {
            leave(dx, dy, r1, r2)
            // The equality rows are of order one, so what they leave is small once it is small beside dx.
            let error = max(
                Self.ratio(Vector.normInfinity(left.dx), scale1),
                Self.ratio(Vector.normInfinity(left.dy), max(scale2, Vector.normInfinity(dx))))
            guard error < 0.5 * best else {
                // No progress (or NaN): keep the better of the last two.
                if !(error < best) {
                    Vector.copy(kept.dx, into: &dx)
                    Vector.copy(kept.dy, into: &dy)
                }
                break
            }
            best = error
            if error <= 1e-14 { break }
            kept.take(dx, dy)
            correct(&dx, &dy)
        }
        return best
    }

    /// Adds the solution for what is left.
    private mutating func correct(_ dx: inout [Double], _ dy: inout [Double]) {
        // Moved out and back, so that the system may be written to meanwhile.
        var step = Solution(dx: [], dy: [])
        swap(&step, &correction)
        direct(left.dx, left.dy, &step.dx, &step.dy)
        Vector.axpy(1, step.dx, &dx)
        Vector.axpy(1, step.dy, &dy)
        swap(&step, &correction)
    }

    private static func ratio(_ part: Double, _ whole: Double) -> Double { part == 0 ? 0 : part / whole }

    private mutating func direct(_ r1: [Double], _ r2: [Double], _ dx: inout [Double], _ dy: inout [Double]) {
        switch way {
        case .none:
            for j in dx.indices { dx[j] = .nan }
            for i in dy.indices { dy[i] = .nan }
        case .diagonal: diagonal?.solve(r1, r2, dx: &dx, dy: &dy)
        case .normal: normal?.solve(r1, r2, dx: &dx, dy: &dy)
        case .augmented: augmented?.solve(r1, r2, dx: &dx, dy: &dy)
        }
    }

    /// Into `left`.
    private mutating func leave(_ dx: [Double], _ dy: [Double], _ r1: [Double], _ r2: [Double]) {
        form.weightedHessianProduct(weights, dx, into: &left.dx, &image)
        form.A.gemv(dy, transposed: true, beta: 1, into: &left.dx)
        form.A.gemv(dx, into: &left.dy)
        for j in r1.indices { left.dx[j] = r1[j] - left.dx[j] }
        for i in r2.indices { left.dy[i] = r2[i] - left.dy[i] }
    }
}
