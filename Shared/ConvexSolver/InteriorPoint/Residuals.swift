import LinearAlgebra

/// What the optimality conditions lack at an iterate, and relative measures of it.
struct Residuals: Sendable {
    /// Px + q + A'y + C'z.
    var dual: [Double]
    /// Ax - b.
    var equality: [Double]
    /// Cx + s - d.
    var slack: [Double]
    var relativeDual: Double
    var relativePrimal: Double
    var relativeGap: Double

    /// The largest of the three: what has to fall below the tolerance.
    var merit: Double { max(relativeDual, relativePrimal, relativeGap) }

    init(_ form: StandardForm, _ point: Iterate, _ scale: ProblemScale) {
        let curvature = form.quadraticProduct(point.x)
        let equalityForce = form.A.transposedMultiplied(by: point.y)
        var inequalityForce = [Double](repeating: 0, count: form.variables)
        form.addInequalityTransposed(point.z, to: &inequalityForce)
        dual = curvature
        for j in dual.indices { dual[j] += form.q[j] + equalityForce[j] + inequalityForce[j] }
        // Prices are left out of the scale: where the constraints have no interior they grow without limit.
        let dualScale = max(Vector.normInfinity(curvature), scale.slope)
        relativeDual = scale.isFeasibilityProblem ? 0 : Self.ratio(Vector.normInfinity(dual), dualScale)

        equality = form.A.multiplied(by: point.x)
        for i in equality.indices { equality[i] -= form.b[i] }
        slack = form.inequalityProduct(point.x)
        for i in slack.indices { slack[i] += point.s[i] - form.d[i] }
        let primalScale = max(Vector.normInfinity(point.x), Vector.normInfinity(form.b), 1e-9 * scale.reach)
        relativePrimal = Self.ratio(max(Vector.normInfinity(equality), Vector.normInfinity(slack)), primalScale)

        let quadratic = 0.5 * Vector.dot(point.x, curvature)
        let linear = Vector.dot(form.q, point.x)
        let bound = -quadratic - Vector.dot(form.b, point.y) - Vector.dot(form.d, point.z)
        let gap = max(Vector.dot(point.s, point.z), (quadratic + linear - bound).magnitude)
        let size = scale.objective(form.P, form.q, point.x, quadratic: quadratic, linear: linear)
        relativeGap = scale.isFeasibilityProblem ? 0 : Self.ratio(gap, size)
    }

    private static func ratio(_ part: Double, _ whole: Double) -> Double { part == 0 ? 0 : part / whole }
}
