import ConvexSolver
import LinearAlgebra
import WireFormat

/// Portfolios that are best where mean and covariance, or the whole distribution, are at their worst.
///
/// ```
/// worst return     mu'w - d'|w|  (box)      mu'w - k sqrt(w'S w)  (ellipsoid)
/// worst variance   max over C in the set of w'C w
/// Wasserstein      mu'w - e |w|_inf,   CVaR(w) + e/alpha |w|_inf
///
/// MinRisk   min worst risk               Utility   max worst return - l worst variance (Wasserstein: both at once)
/// Sharpe    max (worst return - rf) / worst deviation      MaxRet   max worst return
/// ```
/// A ball of Wasserstein distance e around the sample (transport cost |.|_1 of returns, unbounded returns) raises the mean of a
/// convex loss by e times its steepest slope: 1 for the return, 1/alpha for CVaR.
///
/// Source: R. Tutuncu, M. Koenig (2004), Robust Asset Allocation; M. Lobo, S. Boyd (2000), The Worst-Case Risk of a Portfolio;
/// P. Mohajerin Esfahani, D. Kuhn (2018), Data-driven Distributionally Robust Optimization Using the Wasserstein Metric, section 7.
struct WorstCase: Sendable {
    let model: ScenarioModel
    let covariance: Matrix
    let sets: UncertaintySets
    /// Of Wasserstein; nil where the sets are of mean and covariance.
    let radius: Double?
    let constraints: ConstraintSet
    let parameters: RiskParameters
    let deadline: SolverDeadline
    var regularisation = 1e-14
    /// Corners of a box of covariances, any of which may be the worst: with weights that may be short it depends on their signs. None is
    /// the upper one.
    var corners: [Matrix] = []

    struct Solution: Sendable {
        var weights: [Double]
        /// By constraint; zero for bounds.
        var prices: [Double]
        var evidence: WorstCaseEvidence
        var limits: [(constraint: Int, evidence: RiskEvidence)]
        var iterations: Int
        var primalResidual: Double
        var dualResidual: Double
        /// By how much the worst variance (CVaR of Wasserstein) grows with the least worst return; 0 where none was asked for.
        var returnPrice = 0.0
    }

    /// - Parameters:
    ///   - rate: per period.
    ///   - aversion: l of Utility.
    ///   - level: the least worst return, of MinRisk. Prices are then those of `worst return - risk / returnPrice`.
    /// - Throws: `OPT-101`, `OPT-203` where no worst return beats the rate, `OPT-202`, `SYS-201`.
    func solve(
        _ objective: ObjectiveName, rate: Double, aversion: Double, atLeast level: Double? = nil
    ) throws(Problem) -> Solution {
        var point = try allowedPoint()
        if objective == .sharpe { return try ratio(point, rate) }
        if let level { point = try nearly(point, atLeast: level) }
        var built = make(point, scale: nil)
        var terms = Terms()
        switch objective {
        case .minimumRisk:
            addRisk(&built, &terms, weight: 1, isRoot: false)
            if let level { addLost(&built, &terms, place: .atMost(-level / model.unit)) }
        case .utility:
            let weight = radius == nil ? aversion * model.unit : aversion
            addRisk(&built, &terms, weight: weight, isRoot: false)
            addLost(&built, &terms, place: .objective(1))
        case .maximumReturn, .sharpe: addLost(&built, &terms, place: .objective(1))
        }
        let found = try run(built)
        var size = model.unit
        if objective == .minimumRisk, radius == nil, let risk = terms.value(found) {
            // The variance is minimised, the deviation is reported: d sigma = d variance / (2 sigma).
            size /= 2 * max(risk, 1e-18).squareRoot()
        }
        guard level != nil, let lost = terms.lost else { return try finish(built, terms, found, size: size) }
        let multiplier = found.multipliers[lost]
        let isHeld = multiplier > 1e-9
        var solution = try finish(built, terms, found, size: isHeld ? model.unit / multiplier : size)
        solution.returnPrice = isHeld ? multiplier * (radius == nil ? model.unit : 1) : 0
        return solution
    }

    /// A point between an allowed one and the one of the largest worst return, whose own is about the level.
    private func nearly(_ point: [Double], atLeast level: Double) throws(Problem) -> [Double] {
        guard worstReturn(point) < level else { return point }
        let best = try solve(.maximumReturn, rate: 0, aversion: 0).weights
        let span = worstReturn(best) - worstReturn(point)
        guard span > 0 else { return point }
        let share = min(1.05 * (level - worstReturn(point)) / span + 0.05, 1)
        return zip(point, best).map { (1 - share) * $0 + share * $1 }
    }

    private func ratio(_ point: [Double], _ rate: Double) throws(Problem) -> Solution {
        let best = try solve(.maximumReturn, rate: rate, aversion: 0).weights
        let excess = worstReturn(best) - rate
        let size = model.mean.reduce(abs(rate)) { max($0, abs($1) * model.unit) }
        guard excess > 1e-9 * size else { throw MeanVariance.noExcess(excess: excess, rate: rate) }
        let level = excess / model.unit
        // Between the centre and the best return, where the excess is worth a scale.
        var (start, share) = (point, 0.0)
        while worstReturn(start) - rate < 0.3 * excess, share < 0.95 {
            share += 0.1
            start = zip(point, best).map { (1 - share) * $0 + share * $1 }
        }
        let gain = max((worstReturn(start) - rate) / model.unit, 1e-3 * level)
        var built = make(start, scale: min(max(level / gain, 1e-3), 1e3))
        guard let k = built.scaleIndex else { throw Problem(.internalError, "The program has no scale.") }
        var terms = Terms()
        addRisk(&built, &terms, weight: 1, isRoot: true)
        addLost(&built, &terms, place: .atMost(-level), extra: [.init(k, rate / model.unit)])
        let found = try run(built)
        // S = tau / F(y): one unit of room in a'y <= h k moves F by z k.
        var risk = terms.value(found) ?? 1
        var price = level * found.v[k]
        if terms.corners != nil {
            // The variance was minimised: d sigma = d variance / (2 sigma).
            risk = max(risk, 1e-18).squareRoot()
            price /= 2 * risk
        }
        return try finish(built, terms, found, size: price / max(risk * risk, 1e-300))
    }

    // MARK: Program

    /// Where the terms of the objective are in a program.
    private struct Terms {
        var lost: Int?
        var risk: Int?
        /// The variable m of the rows `|w_i| <= m`, and their term.
        var magnitude: (variable: Int, term: Int)?
        var pieces: [RiskFormulation.Piece] = []
        /// The variable above the variance of every corner, and the terms that keep it there.
        var corners: (variable: Int, terms: [Int])?

        /// The worst risk in the program's units.
        func value(_ found: CompositeSolution) -> Double? {
            if let corners { return found.v[corners.variable] }
            return risk.map { found.values[$0] }
        }
    }

    private func make(_ point: [Double], scale: Double?) -> MeanRiskProgram {
        var built = MeanRiskProgram(
            model: model, covariance: covariance, set: constraints, point: point, ratioScale: scale)
        built.addLimits(parameters)
        return built
    }

    private func scaled(_ matrix: Matrix, by factor: Double) -> Matrix {
        var result = matrix
        for i in result.storage.indices { result.storage[i] *= factor }
        return result
    }

    /// Adds the return that is lost at worst.
    private func addLost(
        _ built: inout MeanRiskProgram, _ terms: inout Terms, place: CompositeProgram.Term.Place,
        extra: [CompositeProgram.Entry] = []
    ) {
        let columns = built.risk.weights
        var linear = columns.map { CompositeProgram.Entry($0, -model.mean[$0]) } + extra
        var parts: [CompositeProgram.Part] = []
        let zeros = columns.map { _ in 0.0 }
        if let radius {
            linear.append(.init(magnitude(&built, &terms), radius / model.unit))
        } else {
            switch sets.mean {
            case .box(let widths)?:
                let map = CoordinateMap(columns: columns, reference: zeros)
                parts.append(
                    .scenarios(.linear(cost: widths.map { $0 / model.unit }, reflection: -1), .coordinates(map)))
            case .ellipsoid(let shape, let radius)?:
                let unit = model.unit
                let half = scaled(shape, by: radius / (2 * unit * unit))
                let start = built.risk.program.start
                let x = columns.map { start[$0] }
                let spread = max(Vector.dot(x, shape.symmetricMultiplied(by: x)), 0).squareRoot() / unit
                let root = built.risk.program.addVariable(lower: 0, start: max(spread, 1e-4))
                linear.append(.init(root, radius / 2))
                parts.append(.quadratic(half, CoordinateMap(columns: columns, reference: zeros), scale: root))
            case nil: break
            }
        }
        terms.lost = built.risk.program.terms.count
        built.risk.program.terms.append(.init(place, linear: linear, parts: parts))
    }

    /// The core variable above every magnitude of a weight.
    private func magnitude(_ built: inout MeanRiskProgram, _ terms: inout Terms) -> Int {
        if let known = terms.magnitude { return known.variable }
        let columns = built.risk.weights
        let start = built.risk.program.start
        let most = columns.reduce(0) { max($0, abs(start[$1])) }
        let m = built.risk.program.addVariable(start: 1.5 * most + 1e-3)
        let n = columns.count
        let minus = RowMap.Border(index: m, values: [Double](repeating: -1, count: n))
        var parts: [CompositeProgram.Part] = [
            .scenarios(.hard, .rows(RowMap(.identity(n), columns: columns, borders: [minus])))
        ]
        if constraints.lower.contains(where: { $0 < 0 }) {
            parts.append(.scenarios(.hard, .rows(RowMap(.identity(n), columns: columns, factor: -1, borders: [minus]))))
        }
        terms.magnitude = (m, built.risk.program.terms.count)
        built.risk.program.terms.append(.init(.objective(1), parts: parts))
        return m
    }

    /// Adds the worst risk: CVaR, or the variance, or half of it over a root and half the root.
    private func addRisk(_ built: inout MeanRiskProgram, _ terms: inout Terms, weight: Double, isRoot: Bool) {
        if let radius {
            let measure = ConditionalValueAtRisk(parameters)
            let formulation = measure.formulate(in: &built.risk)
            let m = magnitude(&built, &terms)
            let charge = radius / (parameters.alpha * model.unit)
            terms.risk = built.risk.program.terms.count
            terms.pieces = formulation.pieces
            built.risk.program.terms.append(
                .init(
                    .objective(weight), linear: formulation.linear + [.init(m, charge)],
                    parts: formulation.pieces.map { $0.part }))
            return
        }
        let unit = model.unit
        let columns = built.risk.weights
        let map = CoordinateMap(columns: columns, reference: columns.map { _ in 0 })
        let start = built.risk.program.start
        let x = columns.map { start[$0] }
        let (matrix, entries) = parts
        let factor = (isRoot ? 0.5 : 1) / (unit * unit)
        if corners.count > 1 { return addCorners(&built, &terms, weight: weight) }
        var linear: [CompositeProgram.Entry] = []
        var root: Int?
        if isRoot {
            let variance = max(Vector.dot(x, matrix.symmetricMultiplied(by: x)), 0) / (unit * unit)
            let index = built.risk.program.addVariable(lower: 0, start: max(variance.squareRoot(), 1e-4))
            linear = [.init(index, 0.5)]
            root = index
        }
        var all: [CompositeProgram.Part] = [.quadratic(scaled(matrix, by: factor), map, scale: root)]
        if let entries {
            all.append(.ellipsoidVariance(entries.scaled(by: factor * factor), columns: columns, scale: root))
        }
        terms.risk = built.risk.program.terms.count
        built.risk.program.terms.append(.init(.objective(weight), linear: linear, parts: all))
    }

    /// The worst variance of several corners: a variable above all of them. The ratio minimises the variance as well, whose least is
    /// where the deviation's is: above many roots the solver does not come to rest.
    private func addCorners(_ built: inout MeanRiskProgram, _ terms: inout Terms, weight: Double) {
        let columns = built.risk.weights
        let map = CoordinateMap(columns: columns, reference: columns.map { _ in 0 })
        let start = built.risk.program.start
        let x = columns.map { start[$0] }
        let factor = 1 / (model.unit * model.unit)
        let largest = corners.reduce(0) { largest, corner in
            max(largest, factor * Vector.dot(x, corner.symmetricMultiplied(by: x)))
        }
        let top = built.risk.program.addVariable(cost: weight, lower: 0, start: 1.2 * largest + 1e-4)
        var places: [Int] = []
        for corner in corners {
            places.append(built.risk.program.terms.count)
            built.risk.program.terms.append(
                .init(
                    .atMost(0), linear: [.init(top, -1)],
                    parts: [.quadratic(scaled(corner, by: factor), map, scale: nil)]))
        }
        terms.corners = (top, places)
    }

    /// The quadratic part of the worst variance, and the entries' uncertainty where it is not quadratic.
    private var parts: (matrix: Matrix, entries: EntryUncertainty?) {
        switch sets.covariance {
        case nil: return (covariance, nil)
        case .box(_, let upper)?: return (corners.first ?? upper, nil)
        case .ellipsoid(.normal(let sample, let observations), let radius)?:
            var matrix = covariance
            let factor = radius * (2 / Double(observations)).squareRoot()
            for i in matrix.storage.indices { matrix.storage[i] += factor * sample.storage[i] }
            return (matrix, nil)
        case .ellipsoid(let shape, let radius)?:
            return (covariance, shape.entries?.scaled(by: radius * radius))
        }
    }

    // MARK: Values

    func worstReturn(_ weights: [Double]) -> Double {
        let mean = model.mean.map { $0 * model.unit }
        if let radius {
            return Vector.dot(mean, weights) - radius * weights.reduce(0) { max($0, abs($1)) }
        }
        return sets.mean?.worstReturn(weights, mean: mean) ?? Vector.dot(mean, weights)
    }

    /// Weights that satisfy the linear constraints.
    private func allowedPoint() throws(Problem) -> [Double] {
        let n = constraints.assets.count
        let budget = min(max(1, constraints.budget.min), constraints.budget.max)
        let equal = [Double](repeating: budget / Double(n), count: n)
        let nearest = NearestAllowed(weights: equal, constraints: constraints, deadline: deadline)
        return nearest.isAllowed ? equal : try nearest.solve().weights
    }

    private func run(_ built: MeanRiskProgram) throws(Problem) -> CompositeSolution {
        try built.risk.program.solved(regularisation: regularisation, deadline: deadline)
    }

    private func finish(
        _ built: MeanRiskProgram, _ terms: Terms, _ found: CompositeSolution, size: Double
    ) throws(Problem) -> Solution {
        let n = constraints.assets.count
        // Zero is a kink of the worst case.
        let weights = try built.weights(of: found, references: [[Double](repeating: 0, count: n)])
        var evidence = WorstCaseEvidence()
        if let risk = terms.risk, !terms.pieces.isEmpty {
            evidence.risk = RiskEvidence(
                found, term: risk, measure: ConditionalValueAtRisk(parameters), pieces: terms.pieces)
        }
        if let corners = terms.corners {
            let shares = corners.terms.map { max(found.multipliers[$0], 0) }
            let total = shares.reduce(0, +)
            var mixed = Matrix(rows: n, columns: n)
            for (corner, share) in zip(self.corners, shares) where total > 0 {
                for i in mixed.storage.indices { mixed.storage[i] += share / total * corner.storage[i] }
            }
            if total > 0 { evidence.covariance = mixed }
        }
        if let known = terms.magnitude {
            let sides = found.dualSeries[known.term]
            evidence.magnitude = (0..<n).map { i in sides[0][i] - (sides.count > 1 ? sides[1][i] : 0) }
        }
        if let lost = terms.lost, case .box? = sets.mean, radius == nil {
            let multiplier = found.multipliers[lost]
            evidence.meanSlopes = found.dualSeries[lost].first.map {
                $0.map { multiplier > 0 ? $0 / multiplier * model.unit : 0 }
            }
        }
        return Solution(
            weights: weights, prices: built.prices(found, size: size), evidence: evidence,
            limits: built.limits(found),
            iterations: found.iterations, primalResidual: found.primalResidual, dualResidual: found.dualResidual)
    }
}

/// What the solver believes about the kinks of a worst case.
struct WorstCaseEvidence: Sendable {
    /// Of CVaR.
    var risk: RiskEvidence?
    /// Prices of the rows |w_i| <= m, with the sign of the side.
    var magnitude: [Double]?
    /// Slopes of d'|w|, between -d and d.
    var meanSlopes: [Double]?
    /// The mixture of a box's corners that is the worst member of the set for the weights found.
    var covariance: Matrix?
}

extension CovarianceUncertainty.Shape {
    /// Nil for the normal one, which is quadratic.
    var entries: EntryUncertainty? {
        switch self {
        case .normal: nil
        case .independent(let variances): .independent(variances)
        case .full(let matrix): .full(matrix)
        }
    }
}

extension EntryUncertainty {
    func scaled(by factor: Double) -> EntryUncertainty {
        func times(_ matrix: Matrix) -> Matrix {
            var result = matrix
            for i in result.storage.indices { result.storage[i] *= factor }
            return result
        }
        return switch self {
        case .independent(let variances): .independent(times(variances))
        case .full(let matrix): .full(times(matrix))
        }
    }
}
