import LinearAlgebra

/// A row that the bounds alone contradict: none of its terms can do more than its variable's bound allows, and that is not enough.
///
/// Rows of a single variable count as bounds. What is summed up here are a row's own terms, so levels are told apart that lie far below
/// or beyond the sizes at which the interior point works.
enum BoundContradiction {
    /// The bounds of a variable with the rows that set them; nil where the program's own bound is the tighter one.
    private struct Limits {
        var low: Double
        var high: Double
        var lowRow: Row?
        var highRow: Row?
    }

    private enum Row: Equatable {
        case equality(Int), inequality(Int)
    }

    /// The proof; nil where no row contradicts the bounds beyond rounding.
    static func find(_ program: QuadraticProgram) -> FarkasCertificate? {
        let limits = limits(program)
        for i in program.h.indices where program.h[i].isFinite {
            if let proof = proof(program, limits, .inequality(i), sign: 1) { return proof }
        }
        for i in program.b.indices {
            for sign in [1.0, -1] {
                if let proof = proof(program, limits, .equality(i), sign: sign) { return proof }
            }
        }
        return nil
    }

    private static func limits(_ program: QuadraticProgram) -> [Limits] {
        var limits = (0..<program.variables).map { Limits(low: program.lower[$0], high: program.upper[$0]) }
        func tighten(_ matrix: Matrix, _ i: Int, _ right: Double, _ row: Row, isEqual: Bool) {
            guard right.isFinite, let j = onlyVariable(matrix, i) else { return }
            let level = right / matrix[i, j]
            if isEqual || matrix[i, j] > 0, level < limits[j].high {
                (limits[j].high, limits[j].highRow) = (level, row)
            }
            if isEqual || matrix[i, j] < 0, level > limits[j].low { (limits[j].low, limits[j].lowRow) = (level, row) }
        }
        for i in program.h.indices { tighten(program.G, i, program.h[i], .inequality(i), isEqual: false) }
        for i in program.b.indices { tighten(program.A, i, program.b[i], .equality(i), isEqual: true) }
        return limits
    }

    /// The one variable of a row; nil where it has none or several.
    private static func onlyVariable(_ matrix: Matrix, _ i: Int) -> Int? {
        var found: Int?
        for j in 0..<matrix.columns where matrix[i, j] != 0 {
            if found != nil { return nil }
            found = j
        }
        return found
    }

    /// The proof that `sign row x` is above its right-hand side wherever the bounds hold.
    private static func proof(
        _ program: QuadraticProgram, _ limits: [Limits], _ row: Row, sign: Double
    ) -> FarkasCertificate? {
        func coefficient(_ row: Row, _ j: Int) -> Double {
            switch row {
            case .equality(let i): program.A[i, j]
            case .inequality(let i): program.G[i, j]
            }
        }
        let right: Double =
            switch row {
            case .equality(let i): sign * program.b[i]
            case .inequality(let i): program.h[i]
            }
        var least = 0.0
        for j in 0..<program.variables {
            let a = sign * coefficient(row, j)
            if a != 0 { least += a * (a > 0 ? limits[j].low : limits[j].high) }
        }
        guard least.isFinite, least > right else { return nil }
        var equality = program.b.map { _ in 0.0 }
        var inequality = program.h.map { _ in 0.0 }
        func add(_ multiplier: Double, _ row: Row) {
            switch row {
            case .equality(let i): equality[i] += multiplier
            case .inequality(let i): inequality[i] += multiplier
            }
        }
        add(sign, row)
        for j in 0..<program.variables {
            let a = sign * coefficient(row, j)
            guard a != 0, let owner = a > 0 ? limits[j].lowRow : limits[j].highRow, owner != row else { continue }
            add(-a / coefficient(owner, j), owner)
        }
        let found = FarkasCertificate(program: program, equality: equality, inequality: inequality)
        return found.proves(program) ? found : nil
    }
}
