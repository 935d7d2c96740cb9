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

    init(_ form: StandardForm, _ point: Iterate) {
        let curvature = form.quadraticProduct(point.x)
        let equalityForce = form.A.transposedMultiplied(by: point.y)
        var inequalityForce = [Double](repeating: 0, count: form.variables)
        form.addInequalityTransposed(point.z, to: &inequalityForce)
        dual = curvature
        for j in dual.indices { dual[j] += form.q[j] + equalityForce[j] + inequalityForce[j] }
        let dualScale = [curvature, form.q, equalityForce, inequalityForce, point.z].map(Vector.normInfinity).max() ?? 0
        relativeDual = Self.ratio(Vector.normInfinity(dual), dualScale)

        equality = form.A.multiplied(by: point.x)
        for i in equality.indices { equality[i] -= form.b[i] }
        slack = form.inequalityProduct(point.x)
        for i in slack.indices { slack[i] += point.s[i] - form.d[i] }
        let primalScale = max(Vector.normInfinity(point.x), Vector.normInfinity(form.b))
        relativePrimal = Self.ratio(max(Vector.normInfinity(equality), Vector.normInfinity(slack)), primalScale)

        let quadratic = 0.5 * Vector.dot(point.x, curvature)
        let linear = Vector.dot(form.q, point.x)
        let complementarity = Vector.dot(point.s, point.z)
        relativeGap = Self.ratio(
            complementarity, max((quadratic + linear).magnitude, quadratic, linear.magnitude, 1e-6 * form.magnitude(point.x)))
    }

    private static func ratio(_ part: Double, _ whole: Double) -> Double { part == 0 ? 0 : part / whole }
}

extension StandardForm {
    /// The objective's terms taken without cancellation: what "small" means for a gap.
    func magnitude(_ x: [Double]) -> Double {
        var total = 0.0
        for j in x.indices {
            let curvature = P.map { $0.storage[j + j * $0.rows] } ?? 0
            total += 0.5 * curvature * x[j] * x[j] + (q[j] * x[j]).magnitude
        }
        return total
    }
}
