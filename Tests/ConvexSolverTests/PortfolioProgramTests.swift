import ConvexSolver
import LinearAlgebra
import TestSupport
import Testing

@Suite("Programs of portfolios")
struct PortfolioProgramTests {
    /// Covariance and means of T synthetic days of n assets with one common factor.
    static func estimate(
        _ n: Int, _ T: Int, seed: UInt64, scale: Double = 1, duplicates: Int = 0
    ) -> (covariance: Matrix, means: [Double]) {
        var random = SplitMix64(seed: seed)
        let loadings = (0..<n).map { _ in 0.5 + random.uniform() }
        let noise = (0..<n).map { _ in 0.005 + 0.03 * random.uniform() }
        var returns = Matrix(rows: T, columns: n)
        for t in 0..<T {
            let factor = 0.01 * random.normal()
            for j in 0..<n { returns[t, j] = scale * (0.0003 + loadings[j] * factor + noise[j] * random.normal()) }
        }
        for k in 0..<duplicates { for t in 0..<T { returns[t, n - 1 - k] = returns[t, k] } }
        let means = returns.transposedMultiplied(by: [Double](repeating: 1 / Double(T), count: T))
        for j in 0..<n { for t in 0..<T { returns[t, j] -= means[j] } }
        var covariance = Matrix(rows: n, columns: n)
        covariance.syrk(returns, transposed: true, scale: 1 / Double(T - 1))
        covariance.mirrorLowerTriangle()
        return (covariance, means)
    }

    static func ones(_ n: Int, _ value: Double = 1) -> [Double] { [Double](repeating: value, count: n) }

    @Test("Machine precision and exact zeros whatever the unit of returns", arguments: [1, 1e-6, 1e3, 1e-2])
    func units(scale: Double) throws {
        let (P, means) = Self.estimate(40, 300, seed: 1, scale: scale)
        for q in [Self.ones(40, 0), means.map { -$0 }] {
            let program = QuadraticProgram(P: P, q: q, A: Matrix([Self.ones(40)]), b: [1], lower: Self.ones(40, 0))
            let solution = try InteriorPointMethod.solve(program)
            #expect(solution.status == .optimal)
            #expect(solution.isPolished)
            #expect(max(solution.primalResidual, solution.dualResidual, solution.relativeGap) < 1e-12)
            #expect(OptimalityCheck(program, solution).worst < 1e-12)
            #expect(solution.x.contains(0))
            #expect(zip(solution.x, solution.lowerDuals).allSatisfy { $0 == 0 || $1 == 0 })
        }
    }

    @Test("Fewer observations than assets, duplicated assets, repeated rows")
    func degenerate() throws {
        let (P, means) = Self.estimate(100, 60, seed: 3, duplicates: 50)
        for (q, low) in [(Self.ones(100, 0), 0.0), (means.map { -$0 }, -0.1), (Self.ones(100, 0), -0.2)] {
            let program = QuadraticProgram(
                P: P, q: q, A: Matrix([Self.ones(100), Self.ones(100, 2)]), b: [1, 2], lower: Self.ones(100, low),
                upper: Self.ones(100))
            let solution = try InteriorPointMethod.solve(program)
            #expect(solution.status == .optimal)
            #expect(max(solution.primalResidual, solution.dualResidual, solution.relativeGap) < 1e-10)
        }
    }

    @Test("Groups that leave a face, an edge or a point of the simplex", arguments: 0..<60)
    func tightGroups(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(500 + seed))
        let n = 3 + random.integer(18)
        let (P, means) = Self.estimate(n, 60, seed: UInt64(seed))
        let groups = (0..<n).map { _ in random.integer(3) }
        // The groups' minima add up to the budget exactly, or their maxima do.
        var share = (0..<3).map { _ in random.uniform() }
        let present = Set(groups)
        let total = present.reduce(0.0) { $0 + share[$1] }
        for g in 0..<3 { share[g] /= total }
        let sign = random.chance(0.5) ? 1.0 : -1
        let members = present.sorted()
        let G = Matrix(members.map { g in groups.map { $0 == g ? sign : 0 } })
        let h = members.map { sign * share[$0] }
        let utility = random.chance(0.5)
        let program = QuadraticProgram(
            P: P, q: utility ? means.map { -$0 } : Self.ones(n, 0), A: Matrix([Self.ones(n)]), b: [1], G: G, h: h,
            lower: Self.ones(n, 0), upper: Self.ones(n))
        let solution = try InteriorPointMethod.solve(program)
        #expect(solution.status == .optimal)
        #expect(OptimalityCheck(program, solution).worst < 1e-9)
        var returns = program
        returns.P = nil
        returns.q = means.map { -$0 }
        #expect(try InteriorPointMethod.solve(returns).status == .optimal)
    }

    @Test("A return floor a hair below and above the largest return")
    func returnFloor() throws {
        let (P, means) = Self.estimate(20, 500, seed: 9)
        let best = try #require(means.max())
        func solve(_ floor: Double) throws -> QuadraticSolution {
            try InteriorPointMethod.solve(
                QuadraticProgram(
                    P: P, q: Self.ones(20, 0), A: Matrix([Self.ones(20)]), b: [1], G: Matrix([means.map { -$0 }]),
                    h: [-floor],
                    lower: Self.ones(20, 0), upper: Self.ones(20)))
        }
        #expect(try solve(best * (1 - 1e-6)).status == .optimal)
        #expect(try solve(best).status == .optimal)
        #expect(try solve(best * 1.01).status == .primalInfeasible)
    }

    @Test("500 assets with bounds and groups: certified, in well under a second")
    func large() throws {
        let (P, means) = Self.estimate(500, 700, seed: 21)
        let G = Matrix((0..<4).map { g in (0..<500).map { $0 % 4 == g ? 1 : 0 } })
        let program = QuadraticProgram(
            P: P, q: means.map { -0.25 * $0 }, A: Matrix([Self.ones(500)]), b: [1], G: G, h: [0.4, 0.3, 0.3, 0.4],
            lower: Self.ones(500, 0), upper: Self.ones(500, 0.05))
        let start = ContinuousClock.now
        let solution = try InteriorPointMethod.solve(program)
        let elapsed = ContinuousClock.now - start
        #expect(solution.status == .optimal)
        #expect(max(solution.primalResidual, solution.dualResidual, solution.relativeGap) < 1e-12)
        #expect(elapsed < .seconds(3), "measured 0.04 s on two cores; the limit only catches a change of order")
    }
}
