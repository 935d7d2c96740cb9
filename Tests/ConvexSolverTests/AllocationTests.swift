import CAllocations
import ConvexSolver
import LinearAlgebra
import Synchronization
import TestSupport
import Testing

/// Iterations of the interior point methods work in memory that was there before the first one.
@Suite("Allocations of iterations", .enabled(if: allocations_of_thread() >= 0))
struct AllocationTests {
    /// A program in weights and a few variables of the part's own.
    private struct Case: CustomTestStringConvertible {
        var name: String
        var build: @Sendable (inout CompositeProgram, Sample) -> CompositeProgram.Term
        var testDescription: String { name }
    }

    private struct Sample {
        let count: Int
        let assets: Int
        let returns: Matrix
        let rows: RowMap

        init(count: Int = 60, assets: Int = 6) {
            (self.count, self.assets) = (count, assets)
            var random = SplitMix64(seed: 17)
            var returns = Matrix(rows: count, columns: assets)
            for i in returns.storage.indices { returns.storage[i] = random.normal() + 0.05 }
            self.returns = returns
            rows = RowMap(returns, columns: Array(0..<assets), factor: -1)
        }

        func repeated(_ value: Double) -> [Double] { [Double](repeating: value, count: count) }
        var weights: CoordinateMap { CoordinateMap(columns: Array(0..<assets), reference: weightsOf(0)) }
        func weightsOf(_ value: Double) -> [Double] { [Double](repeating: value, count: assets) }

        /// Losses beside a quantile.
        func losses(beyond index: Int) -> ArgumentMap {
            .rows(
                RowMap(
                    returns, columns: Array(0..<assets), factor: -1,
                    borders: [RowMap.Border(index: index, values: repeated(-1))]))
        }

        var drawdowns: RowMap { RowMap(returns, columns: Array(0..<assets)) }
    }

    private static func scenarios(
        _ name: String, _ shape: @escaping @Sendable (Sample, Int) -> CompositeProgram.Shape, share: Double = 0.5
    ) -> Case {
        Case(name: name) { program, sample in
            let scale = program.addVariable(lower: 0, start: 1)
            return .init(
                .objective(1), linear: [.init(scale, share)],
                parts: [.scenarios(shape(sample, scale), .rows(sample.rows))])
        }
    }

    private static let cases: [Case] = [
        Case(name: "hard rows") { program, sample in
            let worst = program.addVariable(start: 3)
            return .init(
                .objective(1), linear: [.init(worst, 1)], parts: [.scenarios(.hard, sample.losses(beyond: worst))])
        },
        Case(name: "hinge") { program, sample in
            let quantile = program.addVariable(start: 1)
            return .init(
                .objective(1), linear: [.init(quantile, 1)],
                parts: [
                    .scenarios(
                        .linear(cost: sample.repeated(0.2), reflection: 0), sample.losses(beyond: quantile))
                ])
        },
        Case(name: "magnitudes and 3/2 powers of weights") { program, sample in
            .init(
                .objective(1),
                parts: [
                    .scenarios(.linear(cost: sample.weightsOf(0.1), reflection: -1), .coordinates(sample.weights)),
                    .scenarios(.threeHalves(cost: sample.weightsOf(1), scale: nil), .coordinates(sample.weights)),
                ])
        },
        Case(name: "rows whose columns are apart") { program, sample in
            let last = program.addVariable(lower: 0, start: 0.1)
            let columns = Array(0..<(sample.assets - 1)) + [last]
            return .init(
                .objective(1),
                parts: [
                    .scenarios(
                        .linear(cost: sample.repeated(0.2), reflection: 0),
                        .rows(RowMap(sample.returns, columns: columns, factor: -1)))
                ])
        },
        scenarios("squares below") { .square(cost: $0.repeated(0.1), reflection: 0, scale: $1) },
        scenarios("root of squares") { .rootOfSquares(cost: $0.repeated(0.1), scale: $1) },
        scenarios("entropic ball", { .ball(.entropy, multiplicity: $0.repeated(1), scale: $1) }, share: 3),
        scenarios(
            "relativistic ball", { .ball(.deformed(kappa: 0.3), multiplicity: $0.repeated(1), scale: $1) }, share: 3),
        scenarios("fourth power") { .powerMean(cost: $0.repeated(0.1), power: 4, isOneSided: false, scale: $1) },
        scenarios("fourth power of losses") {
            .powerMean(cost: $0.repeated(0.1), power: 4, isOneSided: true, scale: $1)
        },
        scenarios("growth") { sample, _ in .logarithm(cost: sample.repeated(0.1), unit: 0.01, scale: nil) },
        scenarios("growth of a ratio", { .logarithm(cost: $0.repeated(0.1), unit: 0.01, scale: $1) }),
        scenarios("quartic") { .quartic(cost: $0.repeated(0.1), second: 1, third: 0.1, fourth: 0.1, scale: $1) },
        Case(name: "average drawdown") { program, sample in
            .init(
                .objective(1),
                parts: [.drawdowns(.sum(cost: sample.repeated(0.1)), sample.drawdowns, shifts: [])])
        },
        Case(name: "tail of drawdowns") { program, sample in
            let quantile = program.addVariable(lower: 0, start: 1)
            return .init(
                .objective(1), linear: [.init(quantile, 1)],
                parts: [
                    .drawdowns(
                        .linear(cost: sample.repeated(0.2), reflection: 0), sample.drawdowns,
                        shifts: [.init(quantile, -1)])
                ])
        },
        Case(name: "root of squared drawdowns") { program, sample in
            let root = program.addVariable(lower: 0, start: 1)
            return .init(
                .objective(1), linear: [.init(root, 0.5)],
                parts: [
                    .drawdowns(.rootOfSquares(cost: sample.repeated(0.1), scale: root), sample.drawdowns, shifts: [])
                ])
        },
        Case(name: "entropic ball of drawdowns") { program, sample in
            let quantile = program.addVariable(start: 1)
            let price = program.addVariable(lower: 0, start: 1)
            return .init(
                .objective(1), linear: [.init(quantile, 1), .init(price, 3)],
                parts: [
                    .drawdowns(
                        .ball(.entropy, multiplicity: sample.repeated(1), scale: price), sample.drawdowns,
                        shifts: [.init(quantile, -1)])
                ])
        },
        Case(name: "few wide levels") { program, sample in
            .init(.objective(1), parts: [.ordered(Self.levels(3, window: 40), order: Array(0..<60), sample.rows)])
        },
        Case(name: "many narrow levels") { program, sample in
            .init(.objective(1), parts: [.ordered(Self.levels(50, window: 9), order: Array(0..<60), sample.rows)])
        },
        Case(name: "smoothed mean difference") { program, sample in
            .init(.objective(1), parts: [.meanDifference(factor: 0.001, sample.rows)])
        },
        Case(name: "quadratic form and logarithms") { program, sample in
            let scale = program.addVariable(lower: 0, start: 1)
            return .init(
                .objective(1), linear: [.init(scale, 0.5)],
                parts: [
                    .quadratic(sample.returns.gram(), sample.weights, scale: scale),
                    .logarithms(weights: sample.weightsOf(0.3), columns: Array(0..<sample.assets)),
                ])
        },
        Case(name: "geometric means") { program, sample in
            let level = program.addVariable(start: 0.01)
            return .init(
                .objective(1), linear: [.init(level, -1)],
                parts: [
                    .geometricMeans(
                        level: level, roots: sample.weightsOf(1), columns: Array(0..<sample.assets),
                        matrix: .identity(sample.assets))
                ])
        },
        Case(name: "ellipsoids of covariances") { program, sample in
            let n = sample.assets
            var variances = Matrix(rows: n, columns: n, repeating: 0.1)
            for i in 0..<n { variances[i, i] = 1 }
            return .init(
                .objective(1),
                parts: [
                    .ellipsoidVariance(.independent(variances), columns: Array(0..<n), scale: nil),
                    .ellipsoidVariance(.full(.identity(n * n)), columns: Array(0..<n), scale: nil),
                ])
        },
    ]

    private static func levels(_ count: Int, window: Int) -> [OrderedLevel] {
        (0..<count).map {
            OrderedLevel(weight: 0.1, count: Double($0) + Double(window) / 2, inside: $0, window: window)
        }
    }

    /// Weights of a budget, with something to lose in return and a small variance, so that every program has one solution.
    private func program(_ sample: Sample) -> CompositeProgram {
        let n = sample.assets
        var program = CompositeProgram(
            cost: sample.returns.columnMeans.map { -0.1 * $0 }, lower: sample.weightsOf(0),
            upper: sample.weightsOf(0.9), start: sample.weightsOf(1 / Double(n)))
        program.addEquality((0..<n).map { .init($0, 1) }, level: 1)
        program.terms.append(
            .init(.objective(1), parts: [.quadratic(.diagonal(sample.weightsOf(0.1)), sample.weights, scale: nil)]))
        return program
    }

    /// Heap blocks taken between one iteration and the next, from the second one on: the first sizes what is kept.
    private func blocks(_ program: CompositeProgram) -> (iterations: Int, taken: [Int]) {
        blocks { CompositeMethod.solve(program, settings: $0).iterations }
    }

    /// The least of three solves: while other tests run, BLAS may take a further buffer for this one.
    private func blocks(_ solve: (SolverSettings) -> Int) -> (iterations: Int, taken: [Int]) {
        var (iterations, least) = (0, [Int]())
        for _ in 0..<3 {
            let counts = Mutex([Int](repeating: 0, count: 300))
            var settings = SolverSettings()
            settings.deadline = SolverDeadline(
                monitor: SolverMonitor { count in counts.withLock { $0[count - 1] = allocations_of_thread() } })
            iterations = solve(settings)
            let seen = counts.withLock { $0 }
            let taken = (2..<max(iterations, 2)).map { seen[$0 + 1] - seen[$0] }
            least = least.isEmpty ? taken : zip(least, taken).map { min($0, $1) }
        }
        return (iterations, least)
    }

    @Test("none in the objective", arguments: cases.indices)
    func objective(_ index: Int) {
        let sample = Sample()
        var program = program(sample)
        program.terms.append(Self.cases[index].build(&program, sample))
        let (iterations, taken) = blocks(program)
        #expect(iterations > 4, "\(Self.cases[index].name)")
        #expect(taken.allSatisfy { $0 == 0 }, "\(Self.cases[index].name): \(taken)")
    }

    @Test("none under a ceiling", arguments: cases.indices)
    func ceiling(_ index: Int) throws {
        let sample = Sample()
        var program = program(sample)
        var term = Self.cases[index].build(&program, sample)
        program.terms.append(term)
        // Its least value, and a little more.
        let least = CompositeMethod.solve(program)
        let value = try #require(least.values.last)
        term.place = .atMost(value + 0.1 * abs(value) + 0.01)
        program.terms[program.terms.count - 1] = term
        let (iterations, taken) = blocks(program)
        #expect(iterations > 4, "\(Self.cases[index].name)")
        #expect(taken.allSatisfy { $0 == 0 }, "\(Self.cases[index].name): \(taken)")
    }

    private static let quadraticCases: [(name: String, make: @Sendable () -> QuadraticProgram)] = [
        ("quadratic program with bounds and rows", { quadraticProgram(curved: true, free: 0) }),
        ("linear program with bounds and rows", { quadraticProgram(curved: false, free: 0) }),
        ("linear program with free variables", { quadraticProgram(curved: false, free: 3) }),
    ]

    private static func quadraticProgram(curved: Bool, free: Int) -> QuadraticProgram {
        let n = 12
        var random = SplitMix64(seed: 5)
        var factor = Matrix(rows: 40, columns: n)
        for i in factor.storage.indices { factor.storage[i] = random.normal() }
        var G = Matrix(rows: 3, columns: n)
        for i in G.storage.indices { G.storage[i] = random.uniform() }
        // Free variables are all of one price, which the budget balances.
        let q = (0..<n).map { $0 < free ? 0.5 : random.uniform() }
        for i in 0..<3 { for j in 0..<free { G[i, j] = 0 } }
        return QuadraticProgram(
            P: curved ? factor.gram() : nil, q: q, A: Matrix(rows: 1, columns: n, repeating: 1), b: [1], G: G,
            h: [0.6, 0.7, 0.8], lower: (0..<n).map { $0 < free ? -.infinity : 0 },
            upper: (0..<n).map { $0 < free ? .infinity : 0.4 })
    }

    @Test("none in quadratic programs", arguments: quadraticCases.indices)
    func quadratic(_ index: Int) {
        let program = Self.quadraticCases[index].make()
        let (iterations, taken) = blocks { settings in
            (try? InteriorPointMethod.solve(program, settings: settings))?.iterations ?? 0
        }
        #expect(iterations > 4, "\(Self.quadraticCases[index].name)")
        #expect(taken.allSatisfy { $0 == 0 }, "\(Self.quadraticCases[index].name): \(taken)")
    }

    @Test("the counter counts")
    func counter() {
        let before = allocations_of_thread()
        let values = (0..<3).map { [Double](repeating: Double($0), count: 10) }
        #expect(allocations_of_thread() - before >= values.count)
    }
}
