import LinearAlgebra

/// Takes out of a program what would only trouble the interior: fixed variables, switched-off and empty rows, equality
/// rows that follow from others.
struct Presolve: Sendable {
    /// Variables that remain.
    let free: [Int]
    /// Equality rows that remain.
    let equalities: [Int]
    /// Inequality rows that remain.
    let inequalities: [Int]
    /// The program in the remaining variables and rows.
    let reduced: QuadraticProgram
    private let values: [Double]
    private let rowCounts: (equality: Int, inequality: Int)

    /// What presolving found.
    enum Result: Sendable {
        case reduced(Presolve)
        case infeasible(FarkasCertificate)
    }

    /// Presolves a valid program.
    static func run(_ program: QuadraticProgram) -> Result {
        let n = program.variables
        for j in 0..<n where program.lower[j] > program.upper[j] {
            var unit = [Double](repeating: 0, count: n)
            unit[j] = 1
            return .infeasible(
                FarkasCertificate(
                    equality: program.b.map { _ in 0 }, inequality: program.h.map { _ in 0 }, lower: unit, upper: unit))
        }
        if let proof = BoundContradiction.find(program) { return .infeasible(proof) }
        var values = [Double](repeating: 0, count: n)
        var free: [Int] = []
        for j in 0..<n {
            let (low, high) = (program.lower[j], program.upper[j])
            if low.isFinite, high.isFinite, high - low <= 1e-13 * max(low.magnitude, high.magnitude) {
                values[j] = low == high ? low : min(max(0.5 * low + 0.5 * high, low), high)
            } else {
                free.append(j)
            }
        }
        return rows(program, values, free)
    }

    /// Chooses the rows; contradictions among rows without a free variable, or among dependent rows, end here.
    private static func rows(_ program: QuadraticProgram, _ values: [Double], _ free: [Int]) -> Result {
        let isFixed = free.count < program.variables
        let fixedA = isFixed ? program.A.multiplied(by: values) : program.b.map { _ in 0 }
        let fixedG = isFixed ? program.G.multiplied(by: values) : program.h.map { _ in 0 }
        let b = zip(program.b, fixedA).map { $0 - $1 }
        let h = zip(program.h, fixedG).map { $0 - $1 }
        let zerosA = program.b.map { _ in 0.0 }
        let zerosG = program.h.map { _ in 0.0 }

        var inequalities: [Int] = []
        for i in program.h.indices where program.h[i] < .infinity {
            let isEmpty = free.allSatisfy { program.G[i, $0] == 0 }
            let size = Presolve.size(program.G, i, values, program.h[i])
            if program.h[i] == -.infinity || (isEmpty && h[i] < -1e-10 * size) {
                var unit = zerosG
                unit[i] = 1
                return .infeasible(FarkasCertificate(program: program, equality: zerosA, inequality: unit))
            }
            if !isEmpty { inequalities.append(i) }
        }

        // Normalised rows, so that rank does not depend on their units.
        var candidates: [Int] = []
        var norms: [Double] = []
        for i in program.b.indices {
            let norm = free.reduce(0.0) { max($0, program.A[i, $1].magnitude) }
            let size = Presolve.size(program.A, i, values, program.b[i])
            if norm > 0 {
                candidates.append(i)
                norms.append(norm)
            } else if b[i].magnitude > 1e-10 * size {
                var unit = zerosA
                unit[i] = b[i] > 0 ? -1 : 1
                return .infeasible(FarkasCertificate(program: program, equality: unit, inequality: zerosG))
            }
        }
        var equalities = candidates
        if candidates.count > 1 {
            let block = program.A.submatrix(rows: candidates, columns: free).scaled(rows: norms.map { 1 / $0 })
            if let qr = try? PivotedQR(block.transposed()) {
                let rank = qr.rank()
                let order = qr.columnOrder
                let dependence = qr.dependence(rank: rank)
                for k in rank..<max(candidates.count, rank) {
                    var y = zerosA
                    var gap = b[candidates[order[k]]] / norms[order[k]]
                    var size = gap.magnitude
                    y[candidates[order[k]]] = 1 / norms[order[k]]
                    for i in 0..<rank {
                        let term = dependence[i, k - rank] * b[candidates[order[i]]] / norms[order[i]]
                        gap -= term
                        size = max(size, term.magnitude)
                        y[candidates[order[i]]] = -dependence[i, k - rank] / norms[order[i]]
                    }
                    if gap.magnitude > 1e-9 * size {
                        let sign = gap > 0 ? -1.0 : 1
                        let proof = FarkasCertificate(
                            program: program, equality: y.map { $0 * sign }, inequality: zerosG)
                        if proof.proves(program) { return .infeasible(proof) }
                    }
                }
                equalities = order.prefix(rank).map { candidates[$0] }.sorted()
            }
        }

        var q = free.map { program.q[$0] }
        var P = program.P
        if isFixed, let full = program.P {
            let slope = full.symmetricMultiplied(by: values)
            for (k, j) in free.enumerated() { q[k] += slope[j] }
            P = full.submatrix(rows: free, columns: free)
        }
        let everything = free.count == program.variables
        let reduced = QuadraticProgram(
            P: P,
            q: q,
            A: everything && equalities.count == program.b.count
                ? program.A : program.A.submatrix(rows: equalities, columns: free),
            b: equalities.map { b[$0] },
            G: everything && inequalities.count == program.h.count
                ? program.G : program.G.submatrix(rows: inequalities, columns: free),
            h: inequalities.map { h[$0] },
            lower: free.map { program.lower[$0] },
            upper: free.map { program.upper[$0] })
        return .reduced(
            Presolve(
                free: free, equalities: equalities, inequalities: inequalities, reduced: reduced, values: values,
                rowCounts: (program.b.count, program.h.count)))
    }

    /// A point of the reduced program as one of the whole: fixed values filled in, prices of absent rows zero.
    func expand(_ point: PrimalDualPoint) -> PrimalDualPoint {
        var x = values
        for (k, j) in free.enumerated() { x[j] = point.x[k] }
        var y = [Double](repeating: 0, count: rowCounts.equality)
        for (k, i) in equalities.enumerated() { y[i] = point.y[k] }
        var z = [Double](repeating: 0, count: rowCounts.inequality)
        for (k, i) in inequalities.enumerated() { z[i] = point.z[k] }
        return PrimalDualPoint(x: x, y: y, z: z)
    }

    private static func size(_ rows: Matrix, _ i: Int, _ x: [Double], _ right: Double) -> Double {
        var size = right.isFinite ? right.magnitude : 0
        for j in x.indices where x[j] != 0 { size = max(size, (rows[i, j] * x[j]).magnitude) }
        return size
    }
}
