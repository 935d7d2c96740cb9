import LinearAlgebra

/// What "small" means for a program: sizes that residuals and gaps are compared with.
///
/// A gap is relative to the objective's own terms. Where these vanish at the optimum (a riskless portfolio, a solution at
/// the origin) it is relative to a thousandth of the terms without cancellation, or to 1e-5 of what the largest would be at
/// the natural size of x.
struct ProblemScale: Sendable {
    /// Natural size of x: largest |right-hand side| / |row| of the equalities, else the smallest positive distance of an
    /// inequality or bound from the origin, else one.
    let reach: Double
    /// Largest |q|, and a billionth of the largest P_jj times `reach`.
    let slope: Double
    /// Largest objective term at the natural size.
    private let natural: Double
    /// Whether the objective is zero, so that any feasible point is optimal, at no price.
    var isFeasibilityProblem: Bool { natural == 0 }

    init(_ program: QuadraticProgram) {
        var reach = Self.distances(program.A, program.b).max() ?? 0
        if reach == 0 {
            let bounds = (program.lower + program.upper).map { $0.magnitude }
            let distances = Self.distances(program.G, program.h) + bounds
            reach = distances.filter { $0 > 0 && $0.isFinite }.min() ?? 1
        }
        self.init(program.P, program.q, reach: reach)
    }

    init(_ P: Matrix?, _ q: [Double], reach: Double) {
        self.reach = reach
        let diagonal = P?.diagonal ?? []
        slope = max(Vector.normInfinity(q), 1e-9 * (diagonal.max() ?? 0) * reach)
        natural = 0.5 * (diagonal.max() ?? 0) * reach * reach + Vector.normInfinity(q) * reach
    }

    /// The size of the objective at x, given its two terms.
    func objective(_ P: Matrix?, _ q: [Double], _ x: [Double], quadratic: Double, linear: Double) -> Double {
        var terms = 0.0
        for j in x.indices {
            let curvature = P.map { $0.storage[j + j * $0.rows] } ?? 0
            terms += 0.5 * curvature * x[j] * x[j] + (q[j] * x[j]).magnitude
        }
        return max((quadratic + linear).magnitude, quadratic, linear.magnitude, 1e-3 * terms, 1e-5 * natural)
    }

    private static func distances(_ rows: Matrix, _ right: [Double]) -> [Double] {
        right.indices.compactMap { i in
            let norm = Vector.normInfinity(rows.row(i))
            return norm > 0 ? right[i].magnitude / norm : nil
        }
    }
}
