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
    // The memory of all iterations.
    private var residuals: Residuals
    private var direction: Iterate
    private var weights: [Double]
    /// s z, then what the corrector asks of it.
    private var products: [Double]
    private var image: [Double]
    private var right: [Double]
    private var equalityRight: [Double]

    init(_ form: StandardForm, _ scale: ProblemScale, _ settings: SolverSettings) {
        self.form = form
        self.scale = scale
        self.settings = settings
        kkt = KKTSystem(form)
        residuals = Residuals(form)
        direction = Iterate(form)
        weights = direction.s
        (products, image) = (weights, weights)
        (right, equalityRight) = (direction.x, direction.y)
    }

    mutating func run() -> Outcome {
        var termination = Termination(form, settings)
        guard var point = try? Iterate.start(form, &kkt) else {
            let none = Iterate(form)
            return Outcome(point: none, last: none, reason: .breakdown, iterations: 0)
        }
        var iteration = 0
        while true {
            residuals.take(form, point, scale)
            if let reason = termination.check(form, point, residuals, iteration: iteration) {
                return Outcome(point: termination.best ?? point, last: point, reason: reason, iterations: iteration)
            }
            guard aim(from: point) else {
                return Outcome(
                    point: termination.best ?? point, last: point, reason: .breakdown, iterations: iteration)
            }
            let (primal, dual) = steps(from: point, along: direction, fraction: 0.995)
            point.move(direction, primal: primal, dual: dual)
            iteration += 1
        }
    }

    /// Predictor, centring parameter, corrector; false where the system cannot be factorised.
    private mutating func aim(from point: Iterate) -> Bool {
        let m = form.inequalities
        for i in 0..<m {
            weights[i] = point.z[i] / point.s[i]
            products[i] = point.s[i] * point.z[i]
        }
        guard (try? kkt.factorise(weights: weights)) != nil else { return false }
        newton(point)
        guard m > 0 else { return true }
        let (primal, dual) = steps(from: point, along: direction, fraction: 1)
        var reached = 0.0
        for i in 0..<m { reached += (point.s[i] + primal * direction.s[i]) * (point.z[i] + dual * direction.z[i]) }
        let mu = point.mu
        let ratio = reached / (mu * Double(m))
        let sigma = min(1, max(0, ratio * ratio * ratio))
        for i in 0..<m { products[i] += direction.s[i] * direction.z[i] - sigma * mu }
        newton(point)
        return true
    }

    /// Solves for the direction that removes the residuals and the complementarity c in `products`: s dz + z ds = -c.
    ///
    /// ds = -rs - C dx and dz = (z (rs + C dx) - c) / s leave the core system in (dx, dy).
    private mutating func newton(_ point: Iterate) {
        for j in right.indices { right[j] = -residuals.dual[j] }
        for i in products.indices { image[i] = (products[i] - point.z[i] * residuals.slack[i]) / point.s[i] }
        form.addInequalityTransposed(image, to: &right)
        for i in equalityRight.indices { equalityRight[i] = -residuals.equality[i] }
        kkt.solve(right, equalityRight, dx: &direction.x, dy: &direction.y)
        form.inequalityProduct(direction.x, into: &image)
        for i in products.indices {
            direction.s[i] = -residuals.slack[i] - image[i]
            direction.z[i] = (-products[i] - point.z[i] * direction.s[i]) / point.s[i]
        }
    }

    /// Separate steps for a linear program, a common one where the quadratic term couples primal and dual.
    private func steps(from point: Iterate, along direction: Iterate, fraction: Double) -> (Double, Double) {
        let primal = StepLength.toBoundary(point.s, direction.s, fraction: fraction)
        let dual = StepLength.toBoundary(point.z, direction.z, fraction: fraction)
        guard form.P != nil else { return (primal, dual) }
        return (min(primal, dual), min(primal, dual))
    }
}
