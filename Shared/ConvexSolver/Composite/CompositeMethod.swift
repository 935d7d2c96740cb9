import LinearAlgebra

/// Solves composite programs: Mehrotra's predictor-corrector method on the core variables, all scenario variables eliminated.
///
/// Source: S. Mehrotra (1992), On the implementation of a primal-dual interior point method, SIAM J. Optim. 2.
public enum CompositeMethod {
    /// Solves a program from its `start`.
    public static func solve(
        _ program: CompositeProgram, settings: SolverSettings = SolverSettings()
    ) -> CompositeSolution {
        if let threads = settings.threads { OpenBLASThreads.set(threads) }
        let loop = CompositeLoop(program, settings)
        return loop.run()
    }
}

/// The state of one solve.
final class CompositeLoop {
    let program: CompositeProgram
    let settings: SolverSettings
    var terms: [LiveTerm]
    /// Of all terms, in their order.
    let blocks: [any Block]
    var v: [Double]
    var y: [Double]
    let lowerIndex: [Int]
    let upperIndex: [Int]
    var lower: ComplementaryPairs
    var upper: ComplementaryPairs
    var core: CoreMatrix
    var workspace = Workspace()
    let system: CoreSystem
    var gradient: [Double]
    /// The direction of the core variables and of the equalities' prices.
    var dv: [Double]
    var dy: [Double]
    var equalityResidual: [Double]
    // What the direction in hand is made of: right-hand sides of the core, of the rows on its side with their steps, and of the bounds; a
    // ceiling's column.
    var rest: [Double]
    var sideRight: [Double]
    var sideStep: [Double]
    var lowerRight: [Double]
    var upperRight: [Double]
    var column: [Double]
    private var best: BestPoint
    let ceilings: [Int]
    let hasCommonStep: Bool

    init(_ program: CompositeProgram, _ settings: SolverSettings) {
        self.program = program
        self.settings = settings
        let live = program.terms.map { LiveTerm($0) }
        terms = live
        blocks = live.flatMap { $0.blocks }
        ceilings = live.indices.filter { live[$0].level != nil }
        let start = program.start
        v = start
        y = [Double](repeating: 0, count: program.equalities.rows)
        lowerIndex = start.indices.filter { program.lower[$0] > -.infinity }
        upperIndex = start.indices.filter { program.upper[$0] < .infinity }
        lower = ComplementaryPairs(count: lowerIndex.count)
        upper = ComplementaryPairs(count: upperIndex.count)
        core = CoreMatrix(order: start.count)
        system = CoreSystem(order: start.count, rows: program.equalities.rows + ceilings.count)
        for j in y.indices {
            for i in start.indices { system.sides[i, j] = program.equalities[j, i] }
        }
        best = BestPoint(program, live)
        let none = start.map { _ in 0.0 }
        (gradient, dv, rest, column) = (none, none, none, none)
        (dy, equalityResidual) = (y, y)
        sideRight = [Double](repeating: 0, count: y.count + ceilings.count)
        sideStep = sideRight
        (lowerRight, upperRight) = (lower.slack, upper.slack)
        hasCommonStep = live.contains { $0.level != nil } || live.contains { $0.blocks.contains { $0.needsCommonStep } }
    }

    func run() -> CompositeSolution {
        start()
        var reached = Double.infinity
        var last = Merit(gap: 1, primal: 1, dual: 1)
        var sinceBest = 0
        var iteration = 0
        while true {
            normalise()
            let merit = evaluate()
            let worst = max(merit.gap, merit.primal, merit.dual)
            settings.deadline.monitor?.iterated(gap: merit.gap)
            guard worst.isFinite else { break }
            last = merit
            if worst < reached {
                reached = worst
                sinceBest = 0
                keep(merit)
            } else {
                sinceBest += 1
            }
            if worst <= settings.accuracy { break }
            if let interruption = settings.deadline.interruption {
                if reached == .infinity { keep(merit) }
                return best.solution(interruption, iteration)
            }
            // Close to the end rounding takes over at once; far from it a solve may wander for a while.
            let patience = reached < 1e-11 ? 1 : reached < 1e-10 ? 2 : reached < 1e-7 ? 5 : 20
            if iteration >= settings.maximumIterations || sinceBest >= patience { break }
            guard step() else { break }
            iteration += 1
        }
        if reached == .infinity { keep(last) }
        let isGood =
            best.merit.gap <= 100 * settings.gapTolerance
            && best.merit.primal <= 10 * settings.feasibilityTolerance
            && best.merit.dual <= 100 * settings.feasibilityTolerance
        return best.solution(
            isGood ? .optimal : (iteration >= settings.maximumIterations ? .iterationLimit : .numericalFailure),
            iteration)
    }

    private func start() {
        for (i, index) in lowerIndex.enumerated() { lower.slack[i] = v[index] - program.lower[index] }
        for (i, index) in upperIndex.enumerated() { upper.slack[i] = program.upper[index] - v[index] }
        // One centring parameter for every pair: the objective's size spread over them. Three times that where scenarios have pairs and no
        // ceiling is near: a start too close to the edge costs them more steps than one too far from it.
        let pairs = Double(max(pairsOfScenarios, v.count, 1))
        for index in terms.indices {
            for block in terms[index].blocks { block.start(v, multiplier: terms[index].multiplier, mu: 1e-6 / pairs) }
            terms[index].evaluate(v)
        }
        let size = terms.reduce(0) { $0 + ($1.level == nil ? abs($1.multiplier * $1.value) : 0) }
        let mu = (ceilings.isEmpty && pairsOfScenarios > 0 ? 3 : 1) * max(size, 0.1) / pairs
        // A risk that can be brought to nothing has no relative accuracy: what counts then is the risk of the start.
        floor = max(1e-9 * size, 1e-12)
        for i in lower.slack.indices { lower.dual[i] = mu / lower.slack[i] }
        for i in upper.slack.indices { upper.dual[i] = mu / upper.slack[i] }
        for index in terms.indices {
            if let level = terms[index].level {
                terms[index].slack = max(level - terms[index].value, 0.1 * abs(level), 1e-3)
                terms[index].multiplier = terms[index].startPrice ?? max(mu / terms[index].slack, 0.1)
            }
            for block in terms[index].blocks { block.start(v, multiplier: terms[index].multiplier, mu: mu) }
        }
    }

    var pairsOfScenarios: Int {
        terms.reduce(0) { total, term in term.blocks.reduce(total) { $0 + $1.complementarity.pairs } }
    }

    /// Multiplies all primal variables so that the normalising row holds.
    private func normalise() {
        guard let row = program.normalisingRow else { return }
        let level = program.equalityLevels[row]
        let value = Vector.dot(program.equalities.row(row), v)
        let factor = level / value
        guard factor.isFinite, factor > 0.5, factor < 2, factor != 1 else { return }
        for i in v.indices { v[i] *= factor }
        lower.rescale(factor)
        upper.rescale(factor)
        for index in terms.indices {
            terms[index].slack *= factor
            for block in terms[index].blocks { block.rescale(factor) }
        }
    }

    /// Takes the present point as the best one.
    private func keep(_ merit: Merit) {
        best.keep(v, y, terms, merit)
        best.keep(lower, at: lowerIndex, upper, at: upperIndex)
    }

    /// Residuals at the present point.
    private func evaluate() -> Merit {
        Vector.copy(program.cost, into: &gradient)
        var size = 0.0
        for i in v.indices { size += program.cost[i] * v[i] }
        size = abs(size)
        var (gap, pairs) = (lower.sum + upper.sum, lower.slack.count + upper.slack.count)
        var (primal, dual) = (0.0, 0.0)
        for index in terms.indices {
            terms[index].evaluate(v)
            let term = terms[index]
            for entry in term.linear { gradient[entry.index] += term.multiplier * entry.coefficient }
            for block in term.blocks {
                block.addGradient(to: &gradient, multiplier: term.multiplier)
                let products = block.complementarity
                gap += products.sum
                pairs += products.pairs
                dual = max(dual, block.ownResidual)
            }
            size += abs(term.multiplier * term.value)
            if let level = term.level {
                gap += term.multiplier * term.slack
                pairs += 1
                primal = max(primal, abs(term.value + term.slack - level) / max(abs(level), 1e-3))
            }
        }
        var typical = terms.reduce(1e-12) { $1.blocks.reduce($0) { max($0, $1.balancingForce) } }
        for i in v.indices { typical = max(typical, abs(gradient[i]) * program.sizes[i]) }
        for (i, index) in lowerIndex.enumerated() { gradient[index] -= lower.dual[i] }
        for (i, index) in upperIndex.enumerated() { gradient[index] += upper.dual[i] }
        program.equalities.gemv(y, transposed: true, beta: 1, into: &gradient)
        program.equalities.gemv(v, into: &equalityResidual)
        for j in equalityResidual.indices {
            equalityResidual[j] -= program.equalityLevels[j]
            primal = max(primal, abs(equalityResidual[j]) / max(1, abs(program.equalityLevels[j])))
        }
        for i in v.indices { dual = max(dual, abs(gradient[i]) * program.sizes[i] / typical) }
        meanProduct = gap / Double(max(pairs, 1))
        pairCount = pairs
        return Merit(gap: gap / max(size, floor), primal: primal, dual: dual)
    }

    var meanProduct = 0.0
    var floor = 1e-12
    var pairCount = 0
}
