import LinearAlgebra

/// How good a point is for a program, measured on the program as given: the only judge of optimality.
///
/// The dual bound needs no trust in the solver. For any y and any z >= 0, with r = Px + q + A'y + G'z, every feasible v has
/// 1/2 v'Pv + q'v >= -1/2 x'Px - b'y - h'z + sum_j min(lower_j r_j, upper_j r_j); an r_j whose bound is infinite is what the
/// dual residual reports.
struct Assessment: Sendable {
    var point: PrimalDualPoint
    var lowerDuals: [Double]
    var upperDuals: [Double]
    var primalObjective: Double
    var dualObjective: Double
    var primalResidual: Double
    var dualResidual: Double
    var relativeGap: Double

    /// The largest of residuals and gap.
    var merit: Double {
        let largest = max(primalResidual, dualResidual, relativeGap)
        return largest.isNaN ? .infinity : largest
    }

    func satisfies(_ settings: SolverSettings) -> Bool {
        primalResidual <= settings.feasibilityTolerance && dualResidual <= settings.feasibilityTolerance
            && relativeGap <= settings.gapTolerance
    }

    /// Assesses a point after moving it onto its bounds and its row prices to the nonnegative numbers.
    ///
    /// With `exactly`, a variable strictly between its bounds has no price, and what is left of its reduced cost counts as
    /// residual.
    init(_ program: QuadraticProgram, _ scale: ProblemScale, _ candidate: PrimalDualPoint, exactly: Bool) {
        let n = program.variables
        var point = candidate
        for j in 0..<n { point.x[j] = min(max(point.x[j], program.lower[j]), program.upper[j]) }
        for i in point.z.indices { point.z[i] = program.h[i] < .infinity ? max(point.z[i], 0) : 0 }

        let curvature = program.P?.symmetricMultiplied(by: point.x) ?? [Double](repeating: 0, count: n)
        let equalityForce = program.A.transposedMultiplied(by: point.y)
        let inequalityForce = program.G.transposedMultiplied(by: point.z)
        var force = curvature
        for j in 0..<n { force[j] += program.q[j] + equalityForce[j] + inequalityForce[j] }

        let quadratic = 0.5 * Vector.dot(point.x, curvature)
        let linear = Vector.dot(program.q, point.x)
        var bound = -quadratic - Vector.dot(program.b, point.y)
        for i in point.z.indices where point.z[i] > 0 { bound -= program.h[i] * point.z[i] }

        var lowerDuals = [Double](repeating: 0, count: n)
        var upperDuals = lowerDuals
        var dualResidual = 0.0
        var size = 0.0
        for j in 0..<n {
            let (low, high) = (program.lower[j], program.upper[j])
            let r = force[j]
            let price = r >= 0 ? low : high
            let isInside = low < point.x[j] && point.x[j] < high
            let terms = max(
                curvature[j].magnitude, program.q[j].magnitude, equalityForce[j].magnitude, inequalityForce[j].magnitude
            )
            let isRounding =
                r.magnitude <= 1e-13 * terms && (price - point.x[j]).magnitude > 1e3 * (1 + point.x[j].magnitude)
            if price.isFinite, !isRounding {
                bound += price * r
            } else {
                bound += point.x[j] * r
            }
            if price.isFinite, !(exactly && isInside) {
                if r >= 0 { lowerDuals[j] = r } else { upperDuals[j] = -r }
            } else {
                dualResidual = max(dualResidual, r.magnitude)
            }
            size = max(size, terms)
            if r.isNaN { dualResidual = .infinity }
        }
        self.point = point
        self.lowerDuals = lowerDuals
        self.upperDuals = upperDuals
        self.dualResidual = dualResidual == 0 ? 0 : dualResidual / max(size, scale.slope)
        primalObjective = quadratic + linear
        dualObjective = bound
        primalResidual = Self.violation(program, point.x, floor: 1e-9 * scale.reach)
        let difference = (quadratic + linear - bound).magnitude
        relativeGap =
            difference == 0
            ? 0
            : difference / scale.objective(program.P, program.q, point.x, quadratic: quadratic, linear: linear)
    }

    /// Largest violation of a row, relative to max(|right-hand side|, |row| |x|).
    private static func violation(_ program: QuadraticProgram, _ x: [Double], floor: Double) -> Double {
        let reach = max(Vector.normInfinity(x), floor)
        var worst = reach.isFinite ? 0 : Double.infinity
        let equalities = program.A.multiplied(by: x)
        for i in equalities.indices {
            let difference = (equalities[i] - program.b[i]).magnitude
            guard difference != 0 else { continue }
            worst = max(worst, difference / max(program.b[i].magnitude, rowNorm(program.A, i) * reach))
        }
        let inequalities = program.G.multiplied(by: x)
        for i in inequalities.indices where program.h[i] < .infinity {
            let difference = inequalities[i] - program.h[i]
            guard difference > 0 else { continue }
            worst = max(worst, difference / max(program.h[i].magnitude, rowNorm(program.G, i) * reach))
        }
        return worst
    }

    private static func rowNorm(_ matrix: Matrix, _ i: Int) -> Double {
        var largest = 0.0
        for j in 0..<matrix.columns { largest = max(largest, matrix[i, j].magnitude) }
        return largest
    }
}
