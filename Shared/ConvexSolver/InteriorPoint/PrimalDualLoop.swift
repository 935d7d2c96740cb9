import LinearAlgebra

/// Mehrotra's predictor-corrector method from an infeasible start.
///
/// Source: S. Mehrotra, On the implementation of a primal-dual interior point method, SIAM J. Optim. 2 (1992);
/// J. Nocedal, S. Wright, Numerical Optimization (2006), algorithm 16.4.
struct PrimalDualLoop {
    /// Where the loop ended.
    struct Outcome: Sendable {
        /// The best point seen.
        var point: Iterate
        /// The last one, whose prices or direction may be a certificate.
        var last: Iterate
        var reason: Termination.Reason
        var iterations: Int
    }

    private let form: StandardForm
    private let scale: ProblemScale
    private let settings: SolverSettings
    private var kkt: KKTSystem

    init(_ form: StandardForm, _ scale: ProblemScale, _ settings: SolverSettings) {
        self.form = form
        self.scale = scale
        self.settings = settings
        kkt = KKTSystem(form)
    }

    mutating func run() -> Outcome {
        var termination = Termination(settings)
        guard var point = try? Iterate.start(form, &kkt) else { return failure() }
        var iteration = 0
        while true {
            let residuals = Residuals(form, point, scale)
            if let reason = termination.check(form, point, residuals, iteration: iteration) {
                return Outcome(point: termination.best ?? point, last: point, reason: reason, iterations: iteration)
            }
            guard let direction = direction(from: point, residuals) else {
                return Outcome(
                    point: termination.best ?? point, last: point, reason: .breakdown, iterations: iteration)
            }
            let (primal, dual) = steps(from: point, along: direction, fraction: 0.995)
            point.move(direction, primal: primal, dual: dual)
            iteration += 1
        }
    }

    /// Predictor, centring parameter, corrector.
    private mutating func direction(from point: Iterate, _ residuals: Residuals) -> Iterate? {
        let m = form.inequalities
        let weights = (0..<m).map { point.z[$0] / point.s[$0] }
        guard (try? kkt.factorise(weights: weights)) != nil else { return nil }
        guard m > 0 else { return newton(point, residuals, complementarity: []) }

        let products = (0..<m).map { point.s[$0] * point.z[$0] }
        let affine = newton(point, residuals, complementarity: products)
        let (primal, dual) = steps(from: point, along: affine, fraction: 1)
        var reached = 0.0
        for i in 0..<m { reached += (point.s[i] + primal * affine.s[i]) * (point.z[i] + dual * affine.z[i]) }
        let mu = point.mu
        let ratio = reached / (mu * Double(m))
        let sigma = min(1, max(0, ratio * ratio * ratio))
        let corrected = (0..<m).map { products[$0] + affine.s[$0] * affine.z[$0] - sigma * mu }
        return newton(point, residuals, complementarity: corrected)
    }

    /// Solves for the direction that removes the residuals and the complementarity c: s dz + z ds = -c.
    ///
    /// ds = -rs - C dx and dz = (z (rs + C dx) - c) / s leave the core system in (dx, dy).
    private mutating func newton(_ point: Iterate, _ residuals: Residuals, complementarity c: [Double]) -> Iterate {
        let m = form.inequalities
        var right = residuals.dual.map { -$0 }
        form.addInequalityTransposed(
            (0..<m).map { (c[$0] - point.z[$0] * residuals.slack[$0]) / point.s[$0] }, to: &right)
        let (dx, dy) = kkt.solve(right, residuals.equality.map { -$0 })
        let image = form.inequalityProduct(dx)
        var ds = [Double](repeating: 0, count: m)
        var dz = ds
        for i in 0..<m {
            ds[i] = -residuals.slack[i] - image[i]
            dz[i] = (-c[i] - point.z[i] * ds[i]) / point.s[i]
        }
        return Iterate(x: dx, y: dy, z: dz, s: ds)
    }

    /// Separate steps for a linear program, a common one where the quadratic term couples primal and dual.
    private func steps(from point: Iterate, along direction: Iterate, fraction: Double) -> (Double, Double) {
        let primal = StepLength.toBoundary(point.s, direction.s, fraction: fraction)
        let dual = StepLength.toBoundary(point.z, direction.z, fraction: fraction)
        guard form.P != nil else { return (primal, dual) }
        return (min(primal, dual), min(primal, dual))
    }

    private func failure() -> Outcome {
        let zeros = { (count: Int) in [Double](repeating: 0, count: count) }
        let point = Iterate(
            x: zeros(form.variables), y: zeros(form.equalities), z: zeros(form.inequalities),
            s: zeros(form.inequalities))
        return Outcome(point: point, last: point, reason: .breakdown, iterations: 0)
    }
}
