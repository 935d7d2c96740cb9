import ConvexSolver
import LinearAlgebra
import TestSupport

/// Random programs whose outcome is known by construction.
struct ProgramGenerator {
    /// A program and how its solve has to end.
    struct Case {
        var program: QuadraticProgram
        var expected: SolverStatus
        /// An optimal point where one exists (others may be equally good).
        var optimum: [Double]
    }

    /// Rows, bounds and a point x with prices y, z that satisfy the optimality conditions; then, one time in three, a
    /// contradiction or a free lunch on top. Integer data (degenerate vertices), duplicated rows and units that differ by
    /// powers of ten occur with fixed shares.
    static func make(seed: UInt64) -> Case {
        var random = SplitMix64(seed: seed &* 77_777)
        let n = 1 + random.integer(random.chance(0.1) ? 60 : 12)
        let isInteger = random.chance(0.4)
        func entry(_ random: inout SplitMix64) -> Double {
            guard random.chance(0.7) else { return 0 }
            return isInteger ? Double(random.integer(5) - 2) : random.normal()
        }
        let rank = random.chance(0.4) ? 0 : random.integer(n + 1)
        var P: Matrix?
        if rank > 0 {
            var factor = Matrix(rows: rank, columns: n)
            for i in factor.storage.indices { factor.storage[i] = entry(&random) }
            P = factor.gram()
        }
        var A = Matrix(rows: random.integer(min(n, 4) + 1), columns: n)
        var G = Matrix(rows: random.integer(2 * n + 1), columns: n)
        for i in A.storage.indices { A.storage[i] = entry(&random) }
        for i in G.storage.indices { G.storage[i] = entry(&random) }
        let x = (0..<n).map { _ in isInteger ? Double(random.integer(4)) : random.normal() }

        var lower = [Double](repeating: -.infinity, count: n)
        var upper = [Double](repeating: .infinity, count: n)
        var q = (P?.multiplied(by: x) ?? [Double](repeating: 0, count: n)).map { -$0 }
        let isBoxed = random.chance(0.5)
        for j in 0..<n {
            if isBoxed || random.chance(0.6) {
                lower[j] = random.chance(0.5) ? x[j] : x[j] - random.uniform()
                if lower[j] == x[j], random.chance(0.8) { q[j] += random.uniform() }
            }
            if isBoxed || random.chance(0.3) { upper[j] = x[j] + 0.1 + random.uniform() }
            if random.chance(0.05) { (lower[j], upper[j]) = (x[j], x[j]) }
        }
        let b = A.multiplied(by: x)
        var h = G.multiplied(by: x)
        var z = [Double](repeating: 0, count: G.rows)
        for i in h.indices {
            if random.chance(0.5) { h[i] += random.uniform() } else if random.chance(0.8) { z[i] = random.uniform() }
        }
        let y = random.vector(A.rows)
        for (j, force) in A.transposedMultiplied(by: y).enumerated() { q[j] -= force }
        for (j, force) in G.transposedMultiplied(by: z).enumerated() { q[j] -= force }
        var result = Case(
            program: QuadraticProgram(P: P, q: q, A: A, b: b, G: G, h: h, lower: lower, upper: upper),
            expected: .optimal, optimum: x)
        let share = random.uniform()
        if share < 0.15 { contradict(&result, &random) } else if share < 0.3 { unbound(&result, &random) }
        if random.chance(0.4) { result = rescale(result, &random) }
        return result
    }

    /// Adds a row that contradicts a nonnegative combination of the others.
    private static func contradict(_ result: inout Case, _ random: inout SplitMix64) {
        let program = result.program
        var row = [Double](repeating: 0, count: program.variables)
        var right = 0.0
        for i in program.h.indices {
            let multiplier = 0.1 + random.uniform()
            Vector.axpy(-multiplier, program.G.row(i), &row)
            right -= multiplier * program.h[i]
        }
        for i in program.b.indices {
            let multiplier = random.normal()
            Vector.axpy(-multiplier, program.A.row(i), &row)
            right -= multiplier * program.b[i]
        }
        // Sums that cancel to rounding errors would be satisfiable by enormous numbers.
        for j in row.indices where row[j].magnitude < 1e-12 { row[j] = 0 }
        result.program.G = program.G.appending(row: row)
        result.program.h.append(right - 0.01 * (1 + random.uniform()) * max(1, right.magnitude))
        result.expected = .primalInfeasible
    }

    /// Adds a variable that only gains and that nothing stops.
    private static func unbound(_ result: inout Case, _ random: inout SplitMix64) {
        let program = result.program
        let n = program.variables
        func widened(_ matrix: Matrix) -> Matrix {
            Matrix(
                rows: matrix.rows, columns: n + 1,
                columnMajor: matrix.storage + [Double](repeating: 0, count: matrix.rows))
        }
        result.program.P = program.P.map { widened($0).appending(row: [Double](repeating: 0, count: n + 1)) }
        result.program.A = widened(program.A)
        result.program.G = widened(program.G)
        for i in program.h.indices where random.chance(0.3) { result.program.G[i, n] = -random.uniform() }
        result.program.q.append(-1)
        result.program.lower.append(0)
        result.program.upper.append(.infinity)
        result.expected = .dualInfeasible
    }

    /// The same program in other units: rows by 1e-3..1e3, variables by 1e-2..1e2, the objective by 1e-10..1e6.
    private static func rescale(_ original: Case, _ random: inout SplitMix64) -> Case {
        func power(_ low: Int, _ high: Int) -> Double {
            let exponent = low + random.integer(high - low + 1)
            return (0..<abs(exponent)).reduce(1.0) { value, _ in exponent < 0 ? value / 10 : value * 10 }
        }
        var result = original
        let program = original.program
        let rowsA = program.b.map { _ in power(-3, 3) }
        let rowsG = program.h.map { _ in power(-3, 3) }
        let columns = program.q.map { _ in power(-2, 2) }
        let cost = power(-10, 6)
        result.program.A = program.A.scaled(rows: rowsA, columns: columns)
        result.program.b = zip(program.b, rowsA).map { $0 * $1 }
        result.program.G = program.G.scaled(rows: rowsG, columns: columns)
        result.program.h = zip(program.h, rowsG).map { $0 * $1 }
        result.program.q = zip(program.q, columns).map { $0 * $1 * cost }
        result.program.lower = zip(program.lower, columns).map { $0 / $1 }
        result.program.upper = zip(program.upper, columns).map { $0 / $1 }
        if var P = program.P?.scaled(rows: columns.map { $0 * cost }, columns: columns) {
            P.mirrorLowerTriangle()
            result.program.P = P
        }
        result.optimum = zip(original.optimum, columns).map { $0 / $1 }
        return result
    }
}
