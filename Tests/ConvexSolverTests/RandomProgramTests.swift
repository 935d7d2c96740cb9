import ConvexSolver
import LinearAlgebra
import TestSupport
import Testing

@Suite("Random programs")
struct RandomProgramTests {
    @Test("Outcome, optimality conditions and certificates of 1,500 programs", arguments: 0..<15)
    func hundred(block: Int) throws {
        var optimal = 0
        for seed in (block * 100)..<((block + 1) * 100) {
            let made = ProgramGenerator.make(seed: UInt64(seed))
            let solution = try InteriorPointMethod.solve(made.program)
            #expect(solution.status == made.expected, "seed \(seed)")
            switch solution.status {
            case .optimal:
                optimal += 1
                #expect(
                    max(solution.primalResidual, solution.dualResidual, solution.relativeGap) <= 1e-10, "seed \(seed)")
                #expect(OptimalityCheck(made.program, solution).worst <= 1e-9, "seed \(seed)")
                guard made.expected == .optimal, made.optimum.count == solution.x.count else { continue }
                let reference = made.program.objective(at: made.optimum)
                // Where the optimal points form an unbounded set, the found one may be far larger than the known one.
                let terms = made.program.q.indices.reduce(0.0) {
                    $0 + made.program.q[$1].magnitude * max(made.optimum[$1].magnitude, solution.x[$1].magnitude, 1e-3)
                }
                #expect((solution.primalObjective - reference).magnitude <= 1e-8 * terms + 1e-100, "seed \(seed)")
                #expect(solution.dualObjective <= reference + 1e-9 * terms + 1e-100, "seed \(seed)")
            case .primalInfeasible:
                guard case .primalInfeasible(let proof)? = solution.certificate else {
                    Issue.record("seed \(seed): no certificate")
                    continue
                }
                #expect(Self.margin(made.program, proof) > 0, "seed \(seed)")
            case .dualInfeasible:
                guard case .dualInfeasible(let ray)? = solution.certificate else {
                    Issue.record("seed \(seed): no certificate")
                    continue
                }
                #expect(ray.proves(made.program), "seed \(seed)")
            default: break
            }
        }
        #expect(optimal > 40)
    }

    /// The contradiction in plain loops, with a unit of the sizes involved taken off for rounding.
    static func margin(_ program: QuadraticProgram, _ proof: FarkasCertificate) -> Double {
        var margin = 0.0
        var size = 0.0
        func add(_ term: Double) {
            margin += term
            size = max(size, term.magnitude)
        }
        for i in program.b.indices { add(-proof.equality[i] * program.b[i]) }
        for i in program.h.indices where proof.inequality[i] != 0 { add(-proof.inequality[i] * program.h[i]) }
        for j in 0..<program.variables {
            if proof.lower[j] != 0 { add(proof.lower[j] * program.lower[j]) }
            if proof.upper[j] != 0 { add(-proof.upper[j] * program.upper[j]) }
        }
        let negative = (proof.inequality + proof.lower + proof.upper).contains { $0 < 0 }
        guard !negative, margin > 1e-10 * size else { return -1 }
        for j in 0..<program.variables {
            var sum = proof.upper[j] - proof.lower[j]
            var terms = proof.upper[j] + proof.lower[j]
            for i in program.b.indices {
                sum += program.A[i, j] * proof.equality[i]
                terms = max(terms, (program.A[i, j] * proof.equality[i]).magnitude)
            }
            for i in program.h.indices {
                sum += program.G[i, j] * proof.inequality[i]
                terms = max(terms, (program.G[i, j] * proof.inequality[i]).magnitude)
            }
            guard sum.magnitude <= 1e-8 * terms else { return -1 }
        }
        return margin
    }

    @Test("Agrees with the enumeration of all active sets", arguments: 0..<120)
    func enumeration(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(1_000 + seed))
        let n = 2 + random.integer(3)
        let P = random.matrix(n + 2, n).gram()
        let q = random.vector(n)
        let A = Matrix([[Double](repeating: 1, count: n)])
        let G = random.matrix(2, n)
        let center = [Double](repeating: 1 / Double(n), count: n)
        let h = G.multiplied(by: center).map { $0 + 0.2 * random.uniform() }
        let program = QuadraticProgram(
            P: P, q: q, A: A, b: [1], G: G, h: h, lower: [Double](repeating: 0, count: n),
            upper: [Double](repeating: 0.8, count: n))
        let solution = try InteriorPointMethod.solve(program)
        #expect(solution.status == .optimal)
        let best = try #require(Self.enumerate(program))
        #expect((solution.primalObjective - program.objective(at: best)).magnitude < 1e-11)
        for j in 0..<n { #expect((solution.x[j] - best[j]).magnitude < 1e-8) }
    }

    /// The best feasible stationary point over every choice of active inequalities.
    static func enumerate(_ program: QuadraticProgram) -> [Double]? {
        let n = program.variables
        var rows: [([Double], Double)] = program.h.indices.map { (program.G.row($0), program.h[$0]) }
        for j in 0..<n {
            var unit = [Double](repeating: 0, count: n)
            unit[j] = -1
            rows.append((unit, -program.lower[j]))
            unit[j] = 1
            rows.append((unit, program.upper[j]))
        }
        guard let P = program.P else { return nil }
        var best: (x: [Double], value: Double)?
        for subset in 0..<(1 << rows.count) where subset.nonzeroBitCount + program.b.count <= n {
            var lines = program.b.indices.map { (program.A.row($0), program.b[$0]) }
            for (i, row) in rows.enumerated() where subset >> i & 1 == 1 { lines.append(row) }
            let order = n + lines.count
            var kkt = Matrix(rows: order, columns: order)
            for j in 0..<n {
                for i in 0..<n { kkt[i, j] = P[i, j] }
                for (k, line) in lines.enumerated() {
                    kkt[n + k, j] = line.0[j]
                    kkt[j, n + k] = line.0[j]
                }
            }
            guard let factor = try? LDL(factorising: kkt) else { continue }
            let x = Array(factor.solve(program.q.map { -$0 } + lines.map { $0.1 })[0..<n])
            guard x.allSatisfy({ $0.isFinite }) else { continue }
            let isFeasible =
                rows.allSatisfy { Vector.dot($0.0, x) <= $0.1 + 1e-9 }
                && program.b.indices.allSatisfy { (Vector.dot(program.A.row($0), x) - program.b[$0]).magnitude < 1e-9 }
            guard isFeasible else { continue }
            let value = program.objective(at: x)
            if best.map({ value < $0.value }) ?? true { best = (x, value) }
        }
        return best?.x
    }
}
