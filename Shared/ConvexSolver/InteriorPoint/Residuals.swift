import LinearAlgebra

/// What the optimality conditions lack at an iterate, and relative measures of it.
struct Residuals: Sendable {
    /// Px + q + A'y + C'z.
    var dual: [Double]
    /// Ax - b.
    var equality: [Double]
    /// Cx + s - d.
    var slack: [Double]
    private(set) var relativeDual = Double.infinity
    private(set) var relativePrimal = Double.infinity
    private(set) var relativeGap = Double.infinity
    private var curvature: [Double]

    /// The largest of the three: what has to fall below the tolerance.
    var merit: Double { max(relativeDual, relativePrimal, relativeGap) }

    /// Room for those of a program.
    init(_ form: StandardForm) {
        dual = [Double](repeating: 0, count: form.variables)
        curvature = dual
        equality = [Double](repeating: 0, count: form.equalities)
        slack = [Double](repeating: 0, count: form.inequalities)
    }

    mutating func take(_ form: StandardForm, _ point: Iterate, _ scale: ProblemScale) {
        form.quadraticProduct(point.x, into: &curvature)
        for j in dual.indices { dual[j] = curvature[j] + form.q[j] }
        form.A.gemv(point.y, transposed: true, beta: 1, into: &dual)
        form.addInequalityTransposed(point.z, to: &dual)
        // Prices are left out of the scale: where the constraints have no interior they grow without limit.
        let dualScale = max(Vector.normInfinity(curvature), scale.slope)
        relativeDual = scale.isFeasibilityProblem ? 0 : Self.ratio(Vector.normInfinity(dual), dualScale)

        form.A.gemv(point.x, into: &equality)
        for i in equality.indices { equality[i] -= form.b[i] }
        form.inequalityProduct(point.x, into: &slack)
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
