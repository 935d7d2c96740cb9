import LinearAlgebra

/// Solves small strictly convex quadratic programs exactly, by guesses at what is tight: each guess is one linear system, and what it
/// gets wrong is turned over at once.
///
/// Bounds and inequality rows that a guess violates become tight, tight ones whose price has the wrong sign are let go. A handful of systems
/// of the order of the variables are all that most portfolios take. Nothing promises that the guesses end, so their number is limited; what
/// they end at is judged on the program as given. Where a second solution may exist (a system without a clear inverse, a tight bound
/// without a price) there is no answer: which of several is best to give is not this method's question.
///
/// Source: J. Judice, F. Pires (1994), A block principal pivoting algorithm for large-scale strictly monotone linear complementarity
/// problems, Computers & Operations Research 21; M. Hintermueller, K. Ito, K. Kunisch (2002), The primal-dual active set strategy as a
/// semismooth Newton method, SIAM J. Optim. 13.
public enum PivotingMethod {
    /// More unknowns than this are the interior point's.
    static let most = 48

    /// The only solution; nil where the program is too large or not of this kind, or where the guesses do not end at one.
    public static func solve(
        _ program: QuadraticProgram, settings: SolverSettings = SolverSettings()
    ) -> QuadraticSolution? {
        let rows = program.A.rows + program.G.rows
        guard let P = program.P, program.variables + rows <= most, P.isFinite, program.q.allSatisfy({ $0.isFinite })
        else { return nil }
        var guess = TightSet(program, P)
        for pivots in 1...40 {
            guard let point = guess.solved(), let isRight = guess.corrected(by: point) else { return nil }
            guard isRight else { continue }
            let scale = ProblemScale(program)
            let found = Assessment(program, scale, point, exactly: true)
            guard found.satisfies(settings) else { return nil }
            settings.deadline.monitor?.iterated(pivots, gap: found.relativeGap)
            return QuadraticSolution(
                status: .optimal, x: found.point.x, equalityDuals: found.point.y, inequalityDuals: found.point.z,
                lowerDuals: found.lowerDuals, upperDuals: found.upperDuals, primalObjective: found.primalObjective,
                dualObjective: found.dualObjective, primalResidual: found.primalResidual,
                dualResidual: found.dualResidual, relativeGap: found.relativeGap, iterations: pivots, isPolished: true,
                isPivoted: true)
        }
        return nil
    }
}

/// A guess at the bounds and rows that are tight.
private struct TightSet {
    private enum Place { case low, inside, high }

    private let program: QuadraticProgram
    private let P: Matrix
    private var places: [Place]
    private var isTight: [Bool]

    init(_ program: QuadraticProgram, _ P: Matrix) {
        self.program = program
        self.P = P
        places = program.lower.indices.map { program.lower[$0] == program.upper[$0] ? .low : .inside }
        isTight = [Bool](repeating: false, count: program.G.rows)
    }

    /// The stationary point of the guess; nil where its system has no clear solution.
    func solved() -> PrimalDualPoint? {
        let n = program.variables
        var x = [Double](repeating: 0, count: n)
        for i in 0..<n where places[i] != .inside { x[i] = places[i] == .low ? program.lower[i] : program.upper[i] }
        let free = (0..<n).filter { places[$0] == .inside }
        let tight = isTight.indices.filter { isTight[$0] }
        let m = free.count
        let size = m + program.A.rows + tight.count
        guard m > 0, size - m <= m else { return nil }
        var system = DenseSystem(order: size)
        for (a, i) in free.enumerated() {
            var right = -program.q[i]
            for j in 0..<n where places[j] != .inside && x[j] != 0 { right -= P.storage[i + j * n] * x[j] }
            system.right[a] = right
            for (b, j) in free.enumerated() { system[a, b] = P.storage[i + j * n] }
        }
        func border(_ row: Int, _ matrix: Matrix, _ r: Int, _ level: Double) {
            var right = level
            for j in 0..<n where places[j] != .inside { right -= matrix.storage[r + j * matrix.rows] * x[j] }
            system.right[row] = right
            for (b, j) in free.enumerated() {
                system[row, b] = matrix.storage[r + j * matrix.rows]
                system[b, row] = system[row, b]
            }
        }
        for r in 0..<program.A.rows { border(m + r, program.A, r, program.b[r]) }
        for (k, r) in tight.enumerated() { border(m + program.A.rows + k, program.G, r, program.h[r]) }
        guard let found = system.solved() else { return nil }
        for (a, i) in free.enumerated() { x[i] = found[a] }
        var z = [Double](repeating: 0, count: program.G.rows)
        for (k, r) in tight.enumerated() { z[r] = found[m + program.A.rows + k] }
        return PrimalDualPoint(x: x, y: Array(found[m..<(m + program.A.rows)]), z: z)
    }

    /// Turns over what the point shows to be wrong.
    /// - Returns: whether nothing was; nil where a second solution may exist.
    mutating func corrected(by point: PrimalDualPoint) -> Bool? {
        let n = program.variables
        var force = P.symmetricMultiplied(by: point.x)
        let (equal, unequal) = (
            program.A.transposedMultiplied(by: point.y), program.G.transposedMultiplied(by: point.z)
        )
        var size = 0.0
        for i in 0..<n {
            size = max(size, abs(force[i]), abs(program.q[i]))
            force[i] += program.q[i] + equal[i] + unequal[i]
        }
        var isRight = true
        var least = Double.infinity
        for i in 0..<n where program.lower[i] != program.upper[i] {
            switch places[i] {
            case .inside where point.x[i] < program.lower[i]: (places[i], isRight) = (.low, false)
            case .inside where point.x[i] > program.upper[i]: (places[i], isRight) = (.high, false)
            case .inside: break
            case .low where force[i] < 0, .high where force[i] > 0: (places[i], isRight) = (.inside, false)
            case .low, .high: least = min(least, abs(force[i]))
            }
        }
        let values = program.G.multiplied(by: point.x)
        for r in isTight.indices where program.h[r] < .infinity {
            if isTight[r] {
                guard point.z[r] < 0 else {
                    least = min(least, point.z[r])
                    continue
                }
                (isTight[r], isRight) = (false, false)
            } else if values[r] > program.h[r] + 1e-13 * max(1, abs(program.h[r])) {
                (isTight[r], isRight) = (true, false)
            }
        }
        if isRight, least <= 1e-9 * size { return nil }
        return isRight
    }
}

/// A square system, solved by elimination with row exchanges.
private struct DenseSystem {
    private let order: Int
    /// By columns.
    private var matrix: [Double]
    var right: [Double]

    init(order: Int) {
        self.order = order
        matrix = [Double](repeating: 0, count: order * order)
        right = [Double](repeating: 0, count: order)
    }

    subscript(i: Int, j: Int) -> Double {
        get { matrix[i + j * order] }
        set { matrix[i + j * order] = newValue }
    }

    /// Nil where a pivot is lost in rounding.
    func solved() -> [Double]? {
        let n = order
        var (values, x) = (matrix, right)
        var rows = values.mutableSpan
        var (largest, least) = (0.0, Double.infinity)
        for k in 0..<n {
            var best = k
            for i in k..<n where abs(rows[i + k * n]) > abs(rows[best + k * n]) { best = i }
            let pivot = rows[best + k * n]
            largest = max(largest, abs(pivot))
            least = min(least, abs(pivot))
            guard least > 1e-11 * largest, pivot.isFinite else { return nil }
            if best != k {
                for j in k..<n {
                    let kept = rows[k + j * n]
                    rows[k + j * n] = rows[best + j * n]
                    rows[best + j * n] = kept
                }
                x.swapAt(k, best)
            }
            for i in (k + 1)..<max(n, k + 1) { rows[i + k * n] /= pivot }
            for j in (k + 1)..<max(n, k + 1) {
                let factor = rows[k + j * n]
                guard factor != 0 else { continue }
                for i in (k + 1)..<n { rows[i + j * n] -= factor * rows[i + k * n] }
            }
            for i in (k + 1)..<max(n, k + 1) { x[i] -= rows[i + k * n] * x[k] }
        }
        for k in stride(from: n - 1, through: 0, by: -1) {
            x[k] /= rows[k + k * n]
            for i in 0..<k { x[i] -= rows[i + k * n] * x[k] }
        }
        return x.allSatisfy { $0.isFinite } ? x : nil
    }
}
