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
        var best: CompositeSolution?
        var reached = Double.infinity
        var last = (gap: 1.0, primal: 1.0, dual: 1.0)
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
                best = solution(.numericalFailure, iteration, merit)
            } else {
                sinceBest += 1
            }
            if worst <= settings.accuracy { break }
            if let interruption = settings.deadline.interruption {
                var stopped = best ?? solution(.numericalFailure, iteration, merit)
                stopped.status = interruption
                return stopped
            }
            // Close to the end rounding takes over at once; far from it a solve may wander for a while.
            let patience = reached < 1e-11 ? 1 : reached < 1e-10 ? 2 : reached < 1e-7 ? 5 : 20
            if iteration >= settings.maximumIterations || sinceBest >= patience { break }
            guard step() else { break }
            iteration += 1
        }
        var result = best ?? solution(.numericalFailure, iteration, last)
        result.iterations = iteration
        let isGood =
            result.relativeGap <= 100 * settings.gapTolerance
            && result.primalResidual <= 10 * settings.feasibilityTolerance
            && result.dualResidual <= 100 * settings.feasibilityTolerance
        result.status =
            isGood ? .optimal : (iteration >= settings.maximumIterations ? .iterationLimit : .numericalFailure)
        return result
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
                terms[index].multiplier = terms[index].startPrice ?? max(mu / terms[index].slack, 1e-2)
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

    /// Residuals at the present point.
    private func evaluate() -> (gap: Double, primal: Double, dual: Double) {
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
        for i in v.indices { typical = max(typical, abs(gradient[i])) }
        for (i, index) in lowerIndex.enumerated() { gradient[index] -= lower.dual[i] }
        for (i, index) in upperIndex.enumerated() { gradient[index] += upper.dual[i] }
        program.equalities.gemv(y, transposed: true, beta: 1, into: &gradient)
        program.equalities.gemv(v, into: &equalityResidual)
        for j in equalityResidual.indices {
            equalityResidual[j] -= program.equalityLevels[j]
            primal = max(primal, abs(equalityResidual[j]) / max(1, abs(program.equalityLevels[j])))
        }
        for i in v.indices { dual = max(dual, abs(gradient[i]) / typical) }
        meanProduct = gap / Double(max(pairs, 1))
        pairCount = pairs
        return (gap / max(size, floor), primal, dual)
    }

    var meanProduct = 0.0
    var floor = 1e-12
    var pairCount = 0

    private func solution(
        _ status: SolverStatus, _ iteration: Int, _ merit: (gap: Double, primal: Double, dual: Double)
    ) -> CompositeSolution {
        var below = [Double](repeating: 0, count: v.count)
        var above = below
        for (i, index) in lowerIndex.enumerated() { below[index] = lower.dual[i] }
        for (i, index) in upperIndex.enumerated() { above[index] = upper.dual[i] }
        return CompositeSolution(
            status: status, v: v, equalityDuals: y, lowerDuals: below, upperDuals: above,
            multipliers: terms.map { $0.multiplier },
            dualSeries: terms.map { $0.blocks.map { $0.dualSeries } }, values: terms.map { $0.value },
            iterations: iteration, relativeGap: merit.gap, primalResidual: merit.primal, dualResidual: merit.dual)
    }
}
