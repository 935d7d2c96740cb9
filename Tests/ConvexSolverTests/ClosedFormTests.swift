import ConvexSolver
import LinearAlgebra
import TestSupport
import Testing

@Suite("Programs with a known solution")
struct ClosedFormTests {
    private func ones(_ n: Int, _ value: Double = 1) -> [Double] { [Double](repeating: value, count: n) }

    @Test("Minimum variance without bounds is P^-1 1 / 1'P^-1 1", arguments: [1, 2, 7, 60])
    func minimumVariance(n: Int) throws {
        var random = SplitMix64(seed: UInt64(n))
        let P = random.matrix(2 * n + 5, n).gram()
        let solution = try InteriorPointMethod.solve(
            QuadraticProgram(P: P, q: ones(n, 0), A: Matrix([ones(n)]), b: [1]))
        let direction = try Cholesky(factorising: P).solve(ones(n))
        let total = direction.reduce(0, +)
        #expect(solution.status == .optimal)
        for j in 0..<n { #expect((solution.x[j] - direction[j] / total).magnitude < 1e-10) }
        // The price of the budget is minus the derivative of the variance by it: -1 / 1'P^-1 1.
        #expect((solution.equalityDuals[0] + 1 / total).magnitude < 1e-10 / total)
    }

    @Test("An equality-constrained program solves its linear system")
    func equalityConstrained() throws {
        var random = SplitMix64(seed: 11)
        let (n, m) = (9, 4)
        let P = random.matrix(n, n).gram()
        let A = random.matrix(m, n)
        let q = random.vector(n)
        let b = random.vector(m)
        let solution = try InteriorPointMethod.solve(QuadraticProgram(P: P, q: q, A: A, b: b))
        var kkt = Matrix(rows: n + m, columns: n + m)
        for j in 0..<n {
            for i in 0..<n { kkt[i, j] = P[i, j] }
            for i in 0..<m {
                kkt[n + i, j] = A[i, j]
                kkt[j, n + i] = A[i, j]
            }
        }
        let expected = try LDL(factorising: kkt).solve(q.map { -$0 } + b)
        #expect(solution.status == .optimal)
        for (found, wanted) in zip(solution.x + solution.equalityDuals, expected) {
            #expect((found - wanted).magnitude < 1e-8 * max(1, wanted.magnitude))
        }
    }

    @Test("A diagonal program in a box clips its unconstrained minimiser exactly")
    func clipping() throws {
        let solution = try InteriorPointMethod.solve(
            QuadraticProgram(
                P: .diagonal([1, 2, 4]), q: [-3, -1, 4], lower: ones(3, 0), upper: [1, 1, 1]))
        #expect(solution.status == .optimal)
        #expect(solution.x[0] == 1)
        #expect((solution.x[1] - 0.5).magnitude < 1e-15)
        #expect(solution.x[2] == 0)
        #expect((solution.upperDuals[0] - 2).magnitude < 1e-14)
        #expect((solution.lowerDuals[2] - 4).magnitude < 1e-14)
        #expect(solution.lowerDuals[1] == 0 && solution.upperDuals[1] == 0)
    }

    @Test("A linear program over the simplex takes the best vertex, at the price of its gain")
    func bestVertex() throws {
        let solution = try InteriorPointMethod.solve(
            QuadraticProgram(q: [-0.3, -0.7, 0.2], A: Matrix([ones(3)]), b: [1], lower: ones(3, 0)))
        #expect(solution.status == .optimal)
        #expect(solution.x == [0, 1, 0])
        #expect((solution.equalityDuals[0] - 0.7).magnitude < 1e-12)
        #expect((solution.lowerDuals[2] - 0.9).magnitude < 1e-12)
    }

    @Test("Fixed variables, redundant equalities and switched-off rows change nothing")
    func presolve() throws {
        let P = Matrix([[2, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
        let plain = try InteriorPointMethod.solve(
            QuadraticProgram(
                P: Matrix([[2, 0.5], [0.5, 1]]), q: [0, 0], A: Matrix([ones(2)]), b: [0.7], lower: ones(2, 0)))
        let dressed = try InteriorPointMethod.solve(
            QuadraticProgram(
                P: P, q: ones(3, 0), A: Matrix([[1, 1, 1], [2, 2, 2], [0, 0, 0]]), b: [1, 2, 0],
                G: Matrix([[1, 0, 0], [0, 0, 0]]), h: [.infinity, 0], lower: [0, 0, 0.3], upper: [.infinity, 1, 0.3]))
        #expect(plain.status == .optimal && dressed.status == .optimal)
        #expect(dressed.x[2] == 0.3)
        for j in 0..<2 { #expect((plain.x[j] - dressed.x[j]).magnitude < 1e-12) }
        // The fixed weight's bounds carry its reduced cost.
        let check = OptimalityCheck(
            QuadraticProgram(
                P: P, q: ones(3, 0), A: Matrix([[1, 1, 1], [2, 2, 2], [0, 0, 0]]), b: [1, 2, 0],
                G: Matrix([[1, 0, 0], [0, 0, 0]]), h: [.infinity, 0], lower: [0, 0, 0.3], upper: [.infinity, 1, 0.3]),
            dressed)
        #expect(check.worst < 1e-12)
    }

    @Test("All variables fixed is an answer")
    func everythingFixed() throws {
        let solution = try InteriorPointMethod.solve(
            QuadraticProgram(
                P: .identity(2), q: [1, 1], A: Matrix([[1, 1]]), b: [1], lower: [0.4, 0.6], upper: [0.4, 0.6]))
        #expect(solution.status == .optimal)
        #expect(solution.x == [0.4, 0.6])
    }

    @Test("Bounds that admit a single point give that point and valid prices")
    func singlePoint() throws {
        var random = SplitMix64(seed: 3)
        for n in [2, 5, 10, 20] {
            let P = random.matrix(n + 4, n).gram()
            let program = QuadraticProgram(
                P: P, q: random.vector(n), A: Matrix([ones(n)]), b: [1], lower: ones(n, 0),
                upper: ones(n, 1 / Double(n)))
            let solution = try InteriorPointMethod.solve(program)
            #expect(solution.status == .optimal)
            for weight in solution.x { #expect((weight - 1 / Double(n)).magnitude < 1e-12) }
        }
    }

    @Test("A malformed program is refused with what is wrong")
    func malformed() {
        func error(_ program: QuadraticProgram) -> ProgramError? {
            do throws(ProgramError) {
                _ = try InteriorPointMethod.solve(program)
                return nil
            } catch {
                return error
            }
        }
        #expect(error(QuadraticProgram(q: [])) == .noVariables)
        #expect(error(QuadraticProgram(q: [.nan])) == .notFinite("q"))
        #expect(
            error(QuadraticProgram(q: [1], A: Matrix([[1]]), b: []))
                == .dimension("elements of b", expected: 1, found: 0))
        #expect(error(QuadraticProgram(P: .identity(2), q: [1])) == .dimension("rows of P", expected: 1, found: 2))
        #expect(error(QuadraticProgram(P: Matrix([[1, 2], [0, 1]]), q: [1, 1])) == .notSymmetric(row: 1, column: 0))
        #expect(error(QuadraticProgram(P: Matrix([[-1]]), q: [1])) == .negativeCurvature(variable: 0))
        #expect(error(QuadraticProgram(q: [1], A: Matrix([[.infinity]]), b: [1])) == .notFinite("A"))
        #expect(error(QuadraticProgram(q: [1], G: Matrix([[1]]), h: [.nan])) == .notFinite("h"))
        #expect(error(QuadraticProgram(q: [1], lower: [.infinity])) == .notFinite("lower"))
        #expect(
            error(QuadraticProgram(q: [1], lower: [0, 0])) == .dimension("elements of lower", expected: 1, found: 2))
    }

    @Test("Extreme numbers end in a status, never in a wrong optimum")
    func extremes() throws {
        for size in [1e-300, 1e-160, 1e-20, 1e20, 1e150, 1e300] {
            for b in [1e-12, 1, 1e12] {
                let program = QuadraticProgram(
                    P: Matrix([[2 * size, size], [size, 3 * size]]), q: [size, -size], A: Matrix([[1, 1]]), b: [b],
                    lower: [0, 0])
                let solution = try InteriorPointMethod.solve(program)
                if solution.status == .optimal {
                    #expect((solution.x[0] + solution.x[1] - b).magnitude <= 1e-9 * b)
                    // Minimum of the parabola along the budget line, clipped.
                    let free = (2 * b * size - 2 * size) / (3 * size)
                    #expect((solution.x[0] - min(max(free, 0), b)).magnitude <= 1e-6 * b)
                }
            }
        }
        // Moderate sizes have to be solved, whatever the unit.
        for size in [1e-20, 1e-12, 1, 1e12, 1e20] {
            let program = QuadraticProgram(
                P: Matrix([[2 * size, size], [size, 3 * size]]), q: [0, 0], A: Matrix([[1, 1]]), b: [1], lower: [0, 0])
            #expect(try InteriorPointMethod.solve(program).status == .optimal)
        }
    }
}
