import LinearAlgebra

/// Looks for the reason why a program has no optimum, by two auxiliary linear programs that always have one.
struct InfeasibilityAnalysis {
    /// What was found.
    enum Finding: Sendable {
        case certificate(Certificate)
        case interrupted(SolverStatus)
        case nothing
    }

    private let program: QuadraticProgram
    private let settings: SolverSettings

    init(_ program: QuadraticProgram, _ settings: SolverSettings) {
        self.program = program
        self.settings = settings
    }

    func run(hint: InteriorPointMethod.Run) -> Finding {
        if let proof = proof(hint.last.y, hint.last.z) { return .certificate(.primalInfeasible(proof)) }
        if hint.assessment.primalResidual > settings.feasibilityTolerance {
            switch elastic() {
            case .nothing: break
            case let finding: return finding
            }
        }
        return ray()
    }

    /// A verified Farkas certificate made of row prices, if they are one.
    private func proof(_ y: [Double], _ z: [Double]) -> FarkasCertificate? {
        let size = max(Vector.normInfinity(y), Vector.normInfinity(z))
        guard size > 0, size.isFinite else { return nil }
        let proof = FarkasCertificate(
            program: program, equality: y.map { $0 / size }, inequality: z.map { $0 / size })
        return proof.proves(program) ? proof : nil
    }

    /// min t  s.t.  |Ax - b| <= t, Gx - h <= t (rows in their own units), bounds: positive exactly if infeasible, and its
    /// prices are then the certificate.
    private func elastic() -> Finding {
        let n = program.variables
        let (m, k) = (program.b.count, program.h.count)
        var G = Matrix(rows: 2 * m + k, columns: n + 1)
        var h = [Double](repeating: 0, count: 2 * m + k)
        for i in 0..<m {
            let unit = max(Vector.normInfinity(program.A.row(i)), .leastNormalMagnitude)
            for j in 0..<n {
                G[i, j] = program.A[i, j]
                G[m + i, j] = -program.A[i, j]
            }
            G[i, n] = -unit
            G[m + i, n] = -unit
            h[i] = program.b[i]
            h[m + i] = -program.b[i]
        }
        for i in 0..<k {
            let unit = max(Vector.normInfinity(program.G.row(i)), .leastNormalMagnitude)
            for j in 0..<n { G[2 * m + i, j] = program.G[i, j] }
            G[2 * m + i, n] = -unit
            h[2 * m + i] = program.h[i]
        }
        var q = [Double](repeating: 0, count: n + 1)
        q[n] = 1
        let phaseOne = QuadraticProgram(
            q: q, G: G, h: h, lower: program.lower + [0], upper: program.upper + [.infinity])
        switch auxiliary(phaseOne) {
        case .interrupted(let status): return .interrupted(status)
        case .solved(let point):
            let y = (0..<m).map { point.z[$0] - point.z[m + $0] }
            let z = Array(point.z[(2 * m)...])
            guard let proof = proof(y, z) else { return .nothing }
            return .certificate(.primalInfeasible(proof))
        case .contradiction: return .nothing
        }
    }

    /// min q'd  s.t.  Pd = 0, Ad = 0, Gd <= 0, d in the bounds' recession cone cut to [-1, 1].
    private func ray() -> Finding {
        let n = program.variables
        guard (0..<n).contains(where: { program.lower[$0] == -.infinity || program.upper[$0] == .infinity }) else {
            return .nothing
        }
        var A = program.A
        if let P = program.P {
            guard let eigen = try? SymmetricEigen(P) else { return .nothing }
            let threshold = 1e-12 * (eigen.values.last ?? 0)
            for k in 0..<n where eigen.values[k] > threshold { A = A.appending(row: eigen.vectors.column(k)) }
        }
        let size = Vector.normInfinity(program.q)
        guard size > 0 else { return .nothing }
        let active = program.h.indices.filter { program.h[$0] < .infinity }
        let recession = QuadraticProgram(
            q: program.q.map { $0 / size }, A: A, b: [Double](repeating: 0, count: A.rows),
            G: program.G.selecting(rows: active), h: [Double](repeating: 0, count: active.count),
            lower: program.lower.map { $0.isFinite ? 0 : -1 }, upper: program.upper.map { $0.isFinite ? 0 : 1 })
        switch auxiliary(recession) {
        case .interrupted(let status): return .interrupted(status)
        case .contradiction: return .nothing
        case .solved(let point):
            let ray = UnboundedRay(direction: point.x)
            return ray.proves(program) ? .certificate(.dualInfeasible(ray)) : .nothing
        }
    }

    private enum Auxiliary {
        case solved(PrimalDualPoint)
        case contradiction
        case interrupted(SolverStatus)
    }

    private func auxiliary(_ program: QuadraticProgram) -> Auxiliary {
        guard case .reduced(let presolve) = Presolve.run(program) else { return .contradiction }
        let run = InteriorPointMethod.run(program, presolve, settings)
        if case .interrupted(let status) = run.reason { return .interrupted(status) }
        return .solved(run.assessment.point)
    }
}
