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
    private(set) var best: Iterate?
    private(set) var bestMerit = Double.infinity

    init(_ settings: SolverSettings) {
        self.settings = settings
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
            best = point
        }
        if residuals.merit <= tolerance { return .converged }
        if let status = settings.deadline.interruption { return .interrupted(status) }
        if iteration >= settings.maximumIterations { return .iterationLimit }
        // Rounding has taken over: without an interior the last directions only inflate the prices.
        if bestMerit < 1e-6, residuals.merit > 1e3 * bestMerit || sinceImprovement >= 6 { return .stalled }
        if bestMerit > 1e-6, form.separates(point, tolerance: 1e-10) { return .infeasible }
        if bestMerit > 1e-6, form.descends(point, tolerance: 1e-10) { return .unbounded }
        if sinceImprovement >= 20 { return .stalled }
        return nil
    }
}

extension StandardForm {
    /// Whether the prices have become a proof of infeasibility: A'y + C'z vanishes against -(b'y + d'z) > 0.
    func separates(_ point: Iterate, tolerance: Double) -> Bool {
        let margin = -Vector.dot(b, point.y) - Vector.dot(d, point.z)
        guard margin > 0 else { return false }
        var force = A.transposedMultiplied(by: point.y)
        addInequalityTransposed(point.z, to: &force)
        return Vector.normInfinity(force) * max(1, Vector.normInfinity(point.x)) <= tolerance * margin
    }

    /// Whether the point has become a ray: Px, Ax and (Cx)+ vanish against -q'x > 0.
    func descends(_ point: Iterate, tolerance: Double) -> Bool {
        let size = Vector.normInfinity(point.x)
        let descent = -Vector.dot(q, point.x)
        guard size > 1e5, descent > 0 else { return false }
        let curvature = Vector.normInfinity(quadraticProduct(point.x))
        let equality = Vector.normInfinity(A.multiplied(by: point.x))
        let inequality = inequalityProduct(point.x).reduce(0) { max($0, $1) }
        return max(curvature, equality, inequality) <= max(tolerance, 10 / size) * descent && size > 1e9
    }
}
