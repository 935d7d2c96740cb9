import ConvexSolver
import LinearAlgebra
import Testing

@Suite("Programs without an optimum, and solves cut short")
struct CertificateTests {
    private func ones(_ n: Int, _ value: Double = 1) -> [Double] { [Double](repeating: value, count: n) }

    private func proof(_ program: QuadraticProgram) throws -> FarkasCertificate {
        let solution = try InteriorPointMethod.solve(program)
        #expect(solution.status == .primalInfeasible)
        guard case .primalInfeasible(let proof)? = solution.certificate else {
            throw Missing()
        }
        #expect(proof.proves(program))
        #expect(RandomProgramTests.margin(program, proof) > 0)
        return proof
    }

    private struct Missing: Error {}

    @Test("A budget above the sum of the upper bounds blames the budget and every bound")
    func boxedBudget() throws {
        let found = try proof(
            QuadraticProgram(
                P: .identity(5), q: ones(5, 0), A: Matrix([ones(5)]), b: [1], lower: ones(5, 0), upper: ones(5, 0.1)))
        #expect(found.equality[0] != 0)
        #expect(found.upper.allSatisfy { $0 > 0 })
    }

    @Test("Contradictory rows, bounds, equalities; each with its own proof")
    func contradictions() throws {
        let crossed = try proof(QuadraticProgram(q: [1, 1], lower: [0, 2], upper: [1, 1]))
        #expect(crossed.lower == [0, 1] && crossed.upper == [0, 1])
        _ = try proof(QuadraticProgram(q: [1, 1], G: Matrix([[1, 1], [-1, -1]]), h: [1, -2]))
        _ = try proof(QuadraticProgram(P: .identity(2), q: [0, 0], A: Matrix([[1, 1], [2, 2]]), b: [1, 3]))
        _ = try proof(
            QuadraticProgram(q: [0, 0], A: Matrix([[1, 1]]), b: [1], lower: [0.2, 0.2], upper: [0.2, 0.2]))
        _ = try proof(QuadraticProgram(q: [0], G: Matrix([[0]]), h: [-1]))
        let impossible = QuadraticProgram(q: [0], G: Matrix([[1]]), h: [-.infinity], lower: [0])
        #expect(try InteriorPointMethod.solve(impossible).status == .primalInfeasible)
    }

    @Test("A row that bounds alone contradict is seen far below and far beyond the sizes of the others")
    func outOfReach() throws {
        // The least return of 1e150 where returns are 1e-8; the sum of two that may not be above zero, one of them at least 1e-12.
        let reach = try proof(
            QuadraticProgram(
                P: .identity(3), q: ones(3, 0), A: Matrix([ones(3)]), b: [1], G: Matrix([[-1e-8, -2e-8, 0]]),
                h: [-1e150],
                lower: ones(3, 0), upper: ones(3)))
        #expect(reach.inequality[0] > 0 && reach.equality[0] == 0 && reach.upper[1] > 0 && reach.upper[2] == 0)
        let tiny = try proof(
            QuadraticProgram(
                q: [1, 1, 1], A: Matrix([ones(3)]), b: [1], G: Matrix([[1, 1, 0], [-1, 0, 0]]), h: [0, -1e-12],
                lower: ones(3, 0), upper: ones(3)))
        #expect(tiny.inequality[0] > 0 && tiny.inequality[1] > 0)
        for (level, sign) in [(1e-12, 1.0), (-1e-12, -1)] {
            _ = try proof(
                QuadraticProgram(
                    q: [1, 1], A: Matrix([[sign, 0], [sign, sign]]), b: [level, sign * 1e-13], lower: [0, 0],
                    upper: [1, 1]))
        }
        let kept = QuadraticProgram(
            q: [1, 1, 1], A: Matrix([ones(3)]), b: [1], G: Matrix([[1, 1, 0], [-1, 0, 0]]), h: [1e-12, -1e-12],
            lower: ones(3, 0), upper: ones(3))
        #expect(try InteriorPointMethod.solve(kept).status == .optimal)
    }

    @Test("Equality rows that depend on each other up to rounding are not a contradiction")
    func roundedDependence() throws {
        let program = QuadraticProgram(
            q: [-0.0647, 0, 0.19], A: Matrix([[-1, 0, 1], [-1, 0, 0], [-2, 0, 2]]), b: [0, -3, 0],
            lower: [-.infinity, 0, 2.7])
        #expect(try InteriorPointMethod.solve(program).status == .optimal)
        for (third, isDependent) in [(0.3, true), (0.3 + 1e-6, false)] {
            let sums = QuadraticProgram(
                q: [1, 2, 3], A: Matrix([[1, 1, 1], [0.1, 0.1, 0.1], [0.3, 0.3, 0.3]]), b: [1, 0.1, third],
                lower: [0, 0, 0])
            #expect(try InteriorPointMethod.solve(sums).status == (isDependent ? .optimal : .primalInfeasible))
        }
    }

    @Test("A contradiction of a millionth is seen, a slack of a millionth is not one", arguments: [2, 10, 50])
    func hair(n: Int) throws {
        func program(_ cap: Double) -> QuadraticProgram {
            QuadraticProgram(
                P: .identity(n), q: ones(n, 0), A: Matrix([ones(n)]), b: [1], lower: ones(n, 0),
                upper: ones(n, cap / Double(n)))
        }
        _ = try proof(program(1 - 1e-6))
        #expect(try InteriorPointMethod.solve(program(1 + 1e-6)).status == .optimal)
    }

    @Test("Rays of linear and quadratic programs")
    func rays() throws {
        let programs = [
            QuadraticProgram(q: [-1, 1], lower: [0, 0]),
            QuadraticProgram(P: Matrix([[1, -1], [-1, 1]]), q: [-1, -1]),
            QuadraticProgram(
                P: Matrix([[1, -1], [-1, 1]]), q: [-1, -1], G: Matrix([[1, -1]]), h: [3], lower: [0, 0]),
            QuadraticProgram(q: [0, -1, 0], A: Matrix([[1, -1, 0]]), b: [0], lower: ones(3, 0)),
        ]
        for program in programs {
            let solution = try InteriorPointMethod.solve(program)
            #expect(solution.status == .dualInfeasible)
            guard case .dualInfeasible(let ray)? = solution.certificate else {
                Issue.record("no ray")
                continue
            }
            #expect(ray.proves(program))
            #expect(Vector.dot(program.q, ray.direction) < 0)
        }
    }

    @Test("A certificate for one program does not pass for another")
    func forged() throws {
        let infeasible = QuadraticProgram(q: [1, 1], A: Matrix([[1, 1]]), b: [3], lower: [0, 0], upper: [1, 1])
        let feasible = QuadraticProgram(q: [1, 1], A: Matrix([[1, 1]]), b: [2], lower: [0, 0], upper: [1, 1])
        let found = try proof(infeasible)
        #expect(!found.proves(feasible))
        #expect(!UnboundedRay(direction: [1, 0]).proves(infeasible))
        #expect(!UnboundedRay(direction: [0, 0]).proves(feasible))
    }

    @Test("A raised flag stops the solve with its best point so far")
    func cancellation() throws {
        let (P, _) = PortfolioProgramTests.estimate(60, 200, seed: 2)
        let program = QuadraticProgram(P: P, q: ones(60, 0), A: Matrix([ones(60)]), b: [1], lower: ones(60, 0))
        let flag = CancellationFlag()
        #expect(
            try InteriorPointMethod.solve(program, settings: SolverSettings(deadline: .after(.seconds(60), flag: flag)))
                .status == .optimal)
        flag.cancel()
        let stopped = try InteriorPointMethod.solve(
            program, settings: SolverSettings(deadline: SolverDeadline(flag: flag)))
        #expect(stopped.status == .cancelled)
        #expect(stopped.x.count == 60)
        #expect(stopped.iterations == 0)
    }

    @Test("A passed deadline and exhausted iterations are statuses")
    func limits() throws {
        let (P, _) = PortfolioProgramTests.estimate(60, 200, seed: 2)
        let program = QuadraticProgram(P: P, q: ones(60, 0), A: Matrix([ones(60)]), b: [1], lower: ones(60, 0))
        let late = SolverSettings(deadline: SolverDeadline(instant: ContinuousClock.now - .seconds(1)))
        #expect(try InteriorPointMethod.solve(program, settings: late).status == .deadline)
        let few = SolverSettings(maximumIterations: 2, polishes: false)
        let stopped = try InteriorPointMethod.solve(program, settings: few)
        #expect(stopped.status == .iterationLimit)
        #expect(stopped.iterations == 2)
    }

    @Test("A flag raised by another thread stops a large solve between two iterations")
    func concurrentCancellation() async throws {
        let (P, _) = PortfolioProgramTests.estimate(400, 500, seed: 4)
        let program = QuadraticProgram(
            P: P, q: ones(400, 0), A: Matrix([ones(400)]), b: [1], lower: ones(400, 0), upper: ones(400, 0.02))
        let flag = CancellationFlag()
        async let solved = InteriorPointMethod.solve(
            program, settings: SolverSettings(deadline: SolverDeadline(flag: flag)))
        flag.cancel()
        // Whichever came first, the answer is one of the two and carries what it claims.
        let solution = try await solved
        #expect(solution.status == .cancelled || solution.status == .optimal)
    }
}
