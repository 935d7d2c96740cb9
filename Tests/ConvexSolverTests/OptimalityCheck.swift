import ConvexSolver
import LinearAlgebra

/// The optimality conditions in plain loops, sharing nothing with the solver's own measurements.
struct OptimalityCheck {
    /// Largest violation of a row or bound, relative to the row's sum of magnitudes.
    var primal = 0.0
    /// Largest |Px + q + A'y + G'z - zl + zu|, relative to its sum of magnitudes.
    var dual = 0.0
    /// Largest negative price, relative to the largest price.
    var sign = 0.0
    /// Sum of price times slack, relative to the objective's terms.
    var complementarity = 0.0

    var worst: Double { max(primal, dual, sign, complementarity) }

    init(_ program: QuadraticProgram, _ solution: QuadraticSolution) {
        let n = program.variables
        let x = solution.x
        // Floors for solutions at the origin, where every term vanishes.
        let size = max(x.reduce(0) { max($0, $1.magnitude) }, 1e-9)
        var slope = program.q.reduce(0) { max($0, $1.magnitude) }
        if let P = program.P { slope = max(slope, P.maximumMagnitude * size) }
        var gap = 0.0
        for i in program.b.indices {
            let (value, terms) = Self.row(program.A, i, x)
            let scale = max(terms, program.b[i].magnitude, Self.largest(program.A, i) * size)
            primal = max(primal, Self.ratio((value - program.b[i]).magnitude, scale))
        }
        for i in program.h.indices where program.h[i] < .infinity {
            let (value, terms) = Self.row(program.G, i, x)
            let scale = max(terms, program.h[i].magnitude, Self.largest(program.G, i) * size)
            primal = max(primal, Self.ratio(max(0, value - program.h[i]), scale))
            gap += solution.inequalityDuals[i] * (program.h[i] - value)
        }
        var objectiveTerms = 0.0
        var dualScale = 0.0
        var dualWorst = 0.0
        for j in 0..<n {
            primal = max(primal, max(0, program.lower[j] - x[j], x[j] - program.upper[j]))
            if program.lower[j].isFinite { gap += solution.lowerDuals[j] * (x[j] - program.lower[j]) }
            if program.upper[j].isFinite { gap += solution.upperDuals[j] * (program.upper[j] - x[j]) }
            var force = program.q[j]
            var terms = program.q[j].magnitude
            objectiveTerms += (program.q[j] * x[j]).magnitude
            if let P = program.P {
                for k in 0..<n {
                    force += P[j, k] * x[k]
                    terms += (P[j, k] * x[k]).magnitude
                }
                objectiveTerms += 0.5 * P[j, j] * x[j] * x[j]
            }
            for i in program.b.indices {
                force += program.A[i, j] * solution.equalityDuals[i]
                terms += (program.A[i, j] * solution.equalityDuals[i]).magnitude
            }
            for i in program.h.indices {
                force += program.G[i, j] * solution.inequalityDuals[i]
                terms += (program.G[i, j] * solution.inequalityDuals[i]).magnitude
            }
            force += solution.upperDuals[j] - solution.lowerDuals[j]
            dualWorst = max(dualWorst, force.magnitude)
            dualScale = max(dualScale, terms)
        }
        dual = Self.ratio(dualWorst, max(dualScale, slope))
        let prices = solution.inequalityDuals + solution.lowerDuals + solution.upperDuals
        let largest = prices.reduce(0) { max($0, $1.magnitude) }
        sign = Self.ratio(-(prices.min() ?? 0), largest)
        objectiveTerms = max(objectiveTerms, 1e-5 * slope * max(size, 1e-2))
        complementarity = objectiveTerms == 0 ? 0 : gap / objectiveTerms
        if [primal, dual, sign, complementarity].contains(where: { $0.isNaN }) { primal = .infinity }
    }

    private static func row(_ matrix: Matrix, _ i: Int, _ x: [Double]) -> (value: Double, terms: Double) {
        var value = 0.0
        var terms = 0.0
        for j in x.indices {
            value += matrix[i, j] * x[j]
            terms += (matrix[i, j] * x[j]).magnitude
        }
        return (value, terms)
    }

    private static func largest(_ matrix: Matrix, _ i: Int) -> Double {
        matrix.row(i).reduce(0) { max($0, $1.magnitude) }
    }

    private static func ratio(_ part: Double, _ whole: Double) -> Double { part <= 0 ? 0 : part / whole }
}
