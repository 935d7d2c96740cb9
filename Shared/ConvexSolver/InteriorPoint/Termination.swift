import LinearAlgebra

/// Decides when the loop ends, and remembers the best point it saw.
struct Termination {
    /// Why the loop ended.
    enum Reason: Sendable, Equatable {
        case converged
        case stalled
        case infeasible
        case unbounded
        case iterationLimit
        case interrupted(SolverStatus)
        case breakdown
    }

    private let tolerance: Double
    private let settings: SolverSettings
    private var sinceImprovement = 0
    /// The best point, once there is one.
    var best: Iterate? { bestMerit < .infinity ? kept : nil }
    private var kept: Iterate
    // Products of a point: one number a variable, an equality, an inequality.
    private var force: [Double]
    private var equalities: [Double]
    private var inequalities: [Double]
    private(set) var bestMerit = Double.infinity

    init(_ form: StandardForm, _ settings: SolverSettings) {
        self.settings = settings
        kept = Iterate(form)
        (force, equalities, inequalities) = (kept.x, kept.y, kept.s)
        // A little below what is promised: the promise is checked again on the program as given.
        tolerance = 0.1 * min(settings.gapTolerance, settings.feasibilityTolerance)
    }

    /// The reason to stop at this point, or nil to go on.
    mutating func check(_ form: StandardForm, _ point: Iterate, _ residuals: Residuals, iteration: Int) -> Reason? {
        settings.deadline.monitor?.iterated(gap: residuals.relativeGap)
        guard point.isFinite, residuals.merit.isFinite else { return .breakdown }
        if residuals.merit < 0.7 * bestMerit { sinceImprovement = 0 } else { sinceImprovement += 1 }
        if residuals.merit < bestMerit {
            bestMerit = residuals.merit
            kept.take(point)
        }
        if residuals.merit <= tolerance { return .converged }
        if let status = settings.deadline.interruption { return .interrupted(status) }
        if iteration >= settings.maximumIterations { return .iterationLimit }
        // Rounding has taken over: without an interior the last directions only inflate the prices.
        if bestMerit < 1e-6, residuals.merit > 1e3 * bestMerit || sinceImprovement >= 6 { return .stalled }
        if bestMerit > 1e-6, separates(form, point, tolerance: 1e-10) { return .infeasible }
        if bestMerit > 1e-6, descends(form, point, tolerance: 1e-10) { return .unbounded }
        if sinceImprovement >= 20 { return .stalled }
        return nil
    }

    /// Whether the prices have become a proof of infeasibility: A'y + C'z vanishes against -(b'y + d'z) > 0.
    private mutating func separates(_ form: StandardForm, _ point: Iterate, tolerance: Double) -> Bool {
        let margin = -Vector.dot(form.b, point.y) - Vector.dot(form.d, point.z)
        guard margin > 0 else { return false }
        form.A.gemv(point.y, transposed: true, into: &force)
        form.addInequalityTransposed(point.z, to: &force)
        return Vector.normInfinity(force) * max(1, Vector.normInfinity(point.x)) <= tolerance * margin
    }

    /// Whether the point has become a ray: Px, Ax and (Cx)+ vanish against -q'x > 0.
    private mutating func descends(_ form: StandardForm, _ point: Iterate, tolerance: Double) -> Bool {
        let size = Vector.normInfinity(point.x)
        let descent = -Vector.dot(form.q, point.x)
        guard size > 1e5, descent > 0 else { return false }
        form.quadraticProduct(point.x, into: &force)
        form.A.gemv(point.x, into: &equalities)
        form.inequalityProduct(point.x, into: &inequalities)
        let inequality = inequalities.reduce(0) { max($0, $1) }
        let rest = max(Vector.normInfinity(force), Vector.normInfinity(equalities), inequality)
        return rest <= max(tolerance, 10 / size) * descent && size > 1e9
    }
}
