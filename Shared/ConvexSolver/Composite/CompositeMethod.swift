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

/// A term with its blocks and its multiplier.
private struct LiveTerm {
    let linear: [CompositeProgram.Entry]
    let blocks: [any Block]
    /// Nil for the objective.
    let level: Double?
    let startPrice: Double?
    var multiplier: Double
    var multiplierStep = 0.0
    /// level - F, kept positive.
    var slack = 1.0
    var slackStep = 0.0
    var right = 0.0
    var value = 0.0

    init(_ term: CompositeProgram.Term) {
        linear = term.linear
        startPrice = term.startPrice
        blocks = term.parts.map { $0.block }
        switch term.place {
        case .objective(let weight):
            multiplier = weight
            level = nil
        case .atMost(let level):
            multiplier = 1
            self.level = level
        }
    }

    mutating func evaluate(_ v: [Double]) {
        value = linear.reduce(0) { $0 + $1.coefficient * v[$1.index] }
        for block in blocks { value += block.evaluate(v, multiplier: multiplier) }
    }
}

extension CompositeProgram.Part {
    fileprivate var block: any Block {
        switch self {
        case .scenarios(let shape, let map): MappedBlock(shape.function(count: map.count), map)
        case .drawdowns(let shape, let map, let shifts):
            DrawdownLadder(
                map, tail: shape.function(count: map.rows),
                shifts: shifts.map { (index: $0.index, coefficient: $0.coefficient) })
        case .ordered(let levels, let order, let map): OrderedAverage(map, order: order, levels: levels)
        case .meanDifference(let factor, let map): SmoothedMeanDifference(map, factor: factor)
        case .quadratic(let matrix, let map, let scale): QuadraticBlock(matrix, map, scale: scale)
        case .logarithms(let weights, let columns): LogarithmicBarrier(weights: weights, columns: columns)
        case .geometricMeans(let level, let roots, let columns, let matrix):
            GeometricMeans(level: level, roots: roots, columns: columns, matrix: matrix)
        case .ellipsoidVariance(let uncertainty, let columns, let scale):
            EllipsoidVariance(uncertainty, columns: columns, scale: scale)
        }
    }
}

extension CompositeProgram.Shape {
    fileprivate func function(count: Int) -> any ScenarioFunction {
        switch self {
        case .hard: HardRows(count: count)
        case .sum(let cost): WeightedSum(cost: cost)
        case .linear(let cost, let reflection): Hinge(count: count, cost: .linear(cost), reflection: reflection)
        case .square(let cost, let reflection, let scale):
            Hinge(count: count, cost: .square(cost, scale: scale), reflection: reflection)
        case .threeHalves(let cost, let scale):
            Hinge(count: count, cost: .threeHalves(cost, scale: scale), reflection: -1)
        case .rootOfSquares(let cost, let scale): RootOfSquares(cost: cost, scale: scale)
        case .ball(let divergence, let multiplicity, let scale):
            DivergenceBall(divergence, multiplicity: multiplicity, scale: scale)
        case .powerMean(let cost, let power, let isOneSided, let scale):
            PowerMean(cost: cost, power: power, isOneSided: isOneSided, scale: scale)
        case .logarithm(let cost, let unit, let scale): LogarithmicLoss(cost: cost, unit: unit, scale: scale)
        case .quartic(let cost, let second, let third, let fourth, let scale):
            QuarticLoss(cost: cost, second: second, third: third, fourth: fourth, scale: scale)
        }
    }
}

/// The state of one solve.
private final class CompositeLoop {
    private let program: CompositeProgram
    private let settings: SolverSettings
    private var terms: [LiveTerm]
    /// Of all terms, in their order.
    private let blocks: [any Block]
    private var v: [Double]
    private var y: [Double]
    private let lowerIndex: [Int]
    private let upperIndex: [Int]
    private var lower: ComplementaryPairs
    private var upper: ComplementaryPairs
    private var core: CoreMatrix
    private var workspace = Workspace()
    private var gradient: [Double]
    private var equalityResidual: [Double] = []
    private let ceilings: [Int]
    private let hasCommonStep: Bool

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
        gradient = [Double](repeating: 0, count: start.count)
        hasCommonStep = live.contains { $0.level != nil } || live.contains { $0.blocks.contains { $0.needsCommonStep } }
    }

    func run() -> CompositeSolution {
        start()
        var best: CompositeSolution?
        var sinceBest = 0
        var iteration = 0
        while true {
            normalise()
            let merit = evaluate()
            let present = solution(.numericalFailure, iteration, merit)
            let worst = max(merit.gap, merit.primal, merit.dual)
            settings.progress?(
                SolverProgress(
                    iteration: iteration, gap: merit.gap, primalResidual: merit.primal, dualResidual: merit.dual))
            guard worst.isFinite else { break }
            if worst < (best.map { max($0.relativeGap, $0.primalResidual, $0.dualResidual) } ?? .infinity) {
                best = present
                sinceBest = 0
            } else {
                sinceBest += 1
            }
            if worst <= settings.accuracy { break }
            if let interruption = settings.deadline.interruption {
                var stopped = best ?? present
                stopped.status = interruption
                return stopped
            }
            // Close to the end rounding takes over at once; far from it a solve may wander for a while.
            let reached = best.map { max($0.relativeGap, $0.primalResidual, $0.dualResidual) } ?? 1
            let patience = reached < 1e-11 ? 1 : reached < 1e-10 ? 2 : reached < 1e-7 ? 5 : 20
            if iteration >= settings.maximumIterations || sinceBest >= patience { break }
            guard step() else { break }
            iteration += 1
        }
        guard var result = best else { return solution(.numericalFailure, iteration, (1, 1, 1)) }
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
        // One centring parameter for every pair: the objective's size spread over them.
        let pairs = Double(max(pairsOfScenarios, v.count, 1))
        for index in terms.indices {
            for block in terms[index].blocks { block.start(v, multiplier: terms[index].multiplier, mu: 1e-6 / pairs) }
            terms[index].evaluate(v)
        }
        let size = terms.reduce(0) { $0 + ($1.level == nil ? abs($1.multiplier * $1.value) : 0) }
        let mu = max(size, 0.1) / pairs
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

    private var pairsOfScenarios: Int {
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
        gradient = program.cost
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
        equalityResidual = program.equalities.multiplied(by: v)
        for j in equalityResidual.indices {
            equalityResidual[j] -= program.equalityLevels[j]
            primal = max(primal, abs(equalityResidual[j]) / max(1, abs(program.equalityLevels[j])))
        }
        for i in v.indices { dual = max(dual, abs(gradient[i]) / typical) }
        meanProduct = gap / Double(max(pairs, 1))
        pairCount = pairs
        return (gap / max(size, floor), primal, dual)
    }

    private var meanProduct = 0.0
    private var floor = 1e-12
    private var pairCount = 0

    /// One predictor-corrector step; false where the Newton matrix cannot be factorised.
    private func step() -> Bool {
        core.reset()
        for index in terms.indices {
            for block in terms[index].blocks {
                block.addCurvature(to: &core, &workspace, multiplier: terms[index].multiplier)
            }
        }
        for (i, index) in lowerIndex.enumerated() { core.add(lower.dual[i] / lower.slack[i], index, index) }
        for (i, index) in upperIndex.enumerated() { core.add(upper.dual[i] / upper.slack[i], index, index) }
        let rows = program.equalities.rows
        var sides = Matrix(rows: v.count, columns: rows + ceilings.count)
        for j in 0..<rows {
            for i in v.indices { sides.storage[i + j * v.count] = program.equalities[j, i] }
        }
        var corners = [Double](repeating: 0, count: sides.columns)
        for (j, index) in ceilings.enumerated() {
            var column = [Double](repeating: 0, count: v.count)
            for entry in terms[index].linear { column[entry.index] += entry.coefficient }
            var corner = terms[index].slack / terms[index].multiplier
            for block in terms[index].blocks {
                corner += block.addMultiplierColumn(to: &column, multiplier: terms[index].multiplier)
            }
            for i in v.indices { sides.storage[i + (rows + j) * v.count] = column[i] }
            corners[rows + j] = corner
        }
        guard
            let system = try? CoreSystem(
                core, sides: sides, corners: corners, regularisation: settings.regularisation)
        else { return false }
        guard pairCount > 0 else {
            // Newton's method; only the domain of a logarithm shortens its steps.
            direction(system, target: 0, corrects: false)
            let (p, d) = steps(fraction: 0.995)
            advance(p, d)
            return true
        }
        direction(system, target: 0, corrects: false)
        let (primal, dual) = steps(fraction: 1)
        let reached = complementarity(afterPrimal: primal, dual: dual) / Double(pairCount)
        let ratio = max(0, reached / meanProduct)
        let sigma = min(1, ratio * ratio * ratio)
        direction(system, target: sigma * meanProduct, corrects: true)
        let (p, d) = steps(fraction: 0.995)
        guard p.isFinite, d.isFinite else { return false }
        advance(p, d)
        return true
    }

    private var dv: [Double] = []

    /// The Newton direction for products that are all to become `target`.
    private func direction(_ system: CoreSystem, target: Double, corrects: Bool) {
        var rest = gradient
        for i in lowerIndex.indices {
            rest[lowerIndex[i]] -= lower.right(i, target, corrects) / lower.slack[i]
        }
        for i in upperIndex.indices {
            rest[upperIndex[i]] += upper.right(i, target, corrects) / upper.slack[i]
        }
        let rights = (
            lowerIndex.indices.map { lower.right($0, target, corrects) },
            upperIndex.indices.map { upper.right($0, target, corrects) }
        )
        var r2 = equalityResidual.map { -$0 }
        for index in terms.indices {
            var constant = 0.0
            for block in terms[index].blocks {
                constant += block.condense(
                    target: target, corrects: corrects, multiplier: terms[index].multiplier, into: &rest)
            }
            guard let level = terms[index].level else { continue }
            let term = terms[index]
            let right =
                target - term.slack * term.multiplier - (corrects ? term.slackStep * term.multiplierStep : 0)
            terms[index].right = right
            r2.append(-(term.value + term.slack - level) - constant - right / term.multiplier)
        }
        let found = system.solve(rest.map { -$0 }, r2)
        dv = found.dv
        dy = Array(found.dy.prefix(y.count))
        for (j, index) in ceilings.enumerated() {
            let step = found.dy[y.count + j]
            terms[index].multiplierStep = step
            terms[index].slackStep = (terms[index].right - terms[index].slack * step) / terms[index].multiplier
        }
        for i in lowerIndex.indices {
            lower.slackStep[i] = dv[lowerIndex[i]]
            lower.dualStep[i] = (rights.0[i] - lower.dual[i] * lower.slackStep[i]) / lower.slack[i]
        }
        for i in upperIndex.indices {
            upper.slackStep[i] = -dv[upperIndex[i]]
            upper.dualStep[i] = (rights.1[i] - upper.dual[i] * upper.slackStep[i]) / upper.slack[i]
        }
        for index in terms.indices {
            let (step, multiplier) = (terms[index].multiplierStep, terms[index].multiplier)
            for block in terms[index].blocks { block.recover(dv, multiplierStep: step, multiplier: multiplier) }
        }
    }

    private var dy: [Double] = []

    private func steps(fraction: Double) -> (Double, Double) {
        var (primal, dual) = lower.stepLimits()
        func consider(_ other: (primal: Double, dual: Double)) {
            primal = min(primal, other.primal)
            dual = min(dual, other.dual)
        }
        consider(upper.stepLimits())
        for block in blocks { consider(block.stepLimits()) }
        for index in ceilings {
            let term = terms[index]
            if term.slackStep < 0 { primal = min(primal, -term.slack / term.slackStep) }
            if term.multiplierStep < 0 { dual = min(dual, -term.multiplier / term.multiplierStep) }
        }
        let (p, d) = (min(1, fraction * primal), min(1, fraction * dual))
        return hasCommonStep ? (min(p, d), min(p, d)) : (p, d)
    }

    private func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        var sum = lower.sum(afterPrimal: primal, dual: dual) + upper.sum(afterPrimal: primal, dual: dual)
        for block in blocks { sum += block.complementarity(afterPrimal: primal, dual: dual) }
        for index in ceilings {
            let term = terms[index]
            sum += (term.slack + primal * term.slackStep) * (term.multiplier + dual * term.multiplierStep)
        }
        return sum
    }

    private func advance(_ primal: Double, _ dual: Double) {
        Vector.axpy(primal, dv, &v)
        Vector.axpy(dual, dy, &y)
        lower.advance(primal: primal, dual: dual)
        upper.advance(primal: primal, dual: dual)
        for block in blocks { block.advance(primal: primal, dual: dual) }
        for index in ceilings {
            terms[index].slack += primal * terms[index].slackStep
            terms[index].multiplier += dual * terms[index].multiplierStep
        }
    }

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
