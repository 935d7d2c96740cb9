import LinearAlgebra
import TestSupport
import Testing

@testable import ConvexSolver

/// Exact solutions from active sets beside the interior point's, and no answer where a second solution may exist.
@Suite("Active sets")
struct ActiveSetTests {
    // MARK: Quadratic programs

    @Test("guesses end at the interior point's solution, to more digits", arguments: 1...300)
    func pivoting(seed: Int) throws {
        let item = ProgramGenerator.make(seed: UInt64(seed))
        guard let found = PivotingMethod.solve(item.program) else { return }
        #expect(item.expected == .optimal, "a program without a solution has one")
        let other = try InteriorPointMethod.solve(item.program)
        #expect(other.status == .optimal)
        let size = max(abs(other.primalObjective), 1e-3)
        #expect(abs(found.primalObjective - other.primalObjective) <= 1e-7 * size)
        #expect(max(found.primalResidual, found.dualResidual, found.relativeGap) <= 1e-10)
    }

    @Test("most strictly convex programs with bounds and rows end")
    func reach() throws {
        var ended = 0
        for seed in 1...100 as ClosedRange<UInt64> {
            var random = SplitMix64(seed: seed)
            let n = 3 + random.integer(20)
            var factor = Matrix(rows: 2 * n, columns: n)
            for i in factor.storage.indices { factor.storage[i] = random.normal() }
            var G = Matrix(rows: 2, columns: n)
            for i in G.storage.indices { G.storage[i] = random.uniform() }
            let program = QuadraticProgram(
                P: factor.gram(), q: random.vector(n), A: Matrix(rows: 1, columns: n, repeating: 1), b: [1], G: G,
                h: [0.45, 0.6], lower: [Double](repeating: 0, count: n), upper: [Double](repeating: 0.7, count: n))
            let other = try InteriorPointMethod.solve(program)
            guard let found = PivotingMethod.solve(program) else { continue }
            ended += 1
            #expect(found.isPivoted && found.iterations <= 40)
            #expect(abs(found.primalObjective - other.primalObjective) <= 1e-9 * max(1, abs(other.primalObjective)))
        }
        #expect(ended >= 80, "only \(ended) of 100")
    }

    @Test("two equal variables, and a tight bound without a price, are left to others")
    func ties() {
        let twins = QuadraticProgram(
            P: Matrix([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), q: [0, 0, 0], A: Matrix([[1, 1, 1]]), b: [1],
            lower: [0, 0, 0])
        #expect(PivotingMethod.solve(twins) == nil)
        // The unconstrained optimum of the second variable is its bound.
        let touching = QuadraticProgram(P: .identity(2), q: [-1, 0], lower: [0, 0])
        let found = PivotingMethod.solve(touching)
        #expect(found.map { $0.x == [1, 0] } ?? true)
    }

    // MARK: Piecewise linear programs

    /// CVaR of T scenarios and n weights that add up to one; a hinge with a fixed level where `alpha` is nil; a worst case where it is zero.
    private func tail(_ seed: UInt64, alpha: Double?, sum: Double = 1) -> (program: CompositeProgram, start: [Double]) {
        var random = SplitMix64(seed: seed)
        let (n, count) = (2 + random.integer(10), 40 + random.integer(80))
        var returns = Matrix(rows: count, columns: n)
        for t in 0..<count {
            let common = random.normal()
            for i in 0..<n { returns[t, i] = 0.05 + 0.5 * common + (0.5 + 0.1 * Double(i)) * random.normal() }
        }
        let even = [Double](repeating: sum / Double(n), count: n)
        var program = CompositeProgram(
            cost: even.map { _ in 0 }, lower: even.map { _ in 0 }, upper: even.map { _ in 0.8 * sum }, start: even)
        program.addEquality((0..<n).map { .init($0, 1) }, level: sum)
        let losses = returns.multiplied(by: even).map { -$0 }
        guard let alpha else {
            let cost = [Double](repeating: 1 / Double(count), count: count)
            program.terms = [
                .init(
                    .objective(1),
                    parts: [
                        .scenarios(.linear(cost: cost, reflection: -1), .rows(RowMap(returns, columns: Array(0..<n))))
                    ])
            ]
            return (program, program.start)
        }
        let level = program.addVariable(start: (losses.max() ?? 0) + 0.1)
        let cost = [Double](repeating: 1 / (alpha * Double(count)), count: count)
        let map = RowMap(
            returns, columns: Array(0..<n), factor: -1,
            borders: [.init(index: level, values: [Double](repeating: -1, count: count))])
        program.terms = [
            .init(
                .objective(1), linear: [.init(level, 1)],
                parts: [.scenarios(alpha > 0 ? .linear(cost: cost, reflection: 0) : .hard, .rows(map))])
        ]
        var start = program.start
        if alpha == 0 { start[level] = (losses.max() ?? 0) - 0.01 }
        return (program, start)
    }

    @Test("edges lead to the interior point's solution", arguments: [0.05, 0.17, 0, nil] as [Double?])
    func vertex(alpha: Double?) throws {
        var ended = 0
        for seed in 1...60 as ClosedRange<UInt64> {
            let (program, start) = tail(seed, alpha: alpha)
            let other = CompositeMethod.solve(program)
            guard let found = VertexMethod.solve(program, from: start) else { continue }
            ended += 1
            #expect(abs(found.values[0] - other.values[0]) <= 1e-7 * abs(other.values[0]), "seed \(seed)")
            #expect(found.values[0] <= other.values[0] + 1e-9, "seed \(seed)")
            // The prices prove it: the slopes of the scenarios, the row and the bounds leave nothing.
            #expect(found.dualResidual <= 1e-11 && found.primalResidual <= 1e-11)
            let series = try #require(found.dualSeries[0].first)
            if alpha != nil { #expect(abs(series.reduce(0, +) - 1) <= 1e-11) }
            for i in 0..<(program.variables - (alpha == nil ? 0 : 1)) {
                #expect(found.v[i] >= 0 && found.v[i] <= program.upper[i])
                #expect(found.lowerDuals[i] * found.v[i] <= 1e-14)
            }
        }
        #expect(ended >= 55, "only \(ended) of 60")
    }

    @Test("two equal columns are left to others")
    func twins() {
        var (program, start) = tail(3, alpha: 0.1)
        guard case .scenarios(let shape, .rows(var map)) = program.terms[0].parts[0] else { return }
        for t in 0..<map.matrix.rows { map.matrix[t, 1] = map.matrix[t, 0] }
        for i in 0..<map.matrix.columns { program.upper[i] = i < 2 ? 1 : 0.1 }
        program.terms[0].parts = [.scenarios(shape, .rows(map))]
        start = program.start
        #expect(VertexMethod.solve(program, from: start) == nil)
    }

    @Test("what is not piecewise linear, or starts outside its rows, is left to others")
    func foreign() {
        var (program, start) = tail(4, alpha: 0.1)
        program.equalityLevels[0] = 1.5
        #expect(VertexMethod.solve(program, from: start) == nil)
        program.equalityLevels[0] = 1
        program.terms.append(
            .init(
                .objective(1),
                parts: [.quadratic(.identity(2), CoordinateMap(columns: [0, 1], reference: [0, 0]), scale: nil)]))
        #expect(VertexMethod.solve(program, from: start) == nil)
        start.removeLast()
        #expect(VertexMethod.solve(program, from: start) == nil)
    }
}
