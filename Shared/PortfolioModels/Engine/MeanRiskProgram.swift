import ConvexSolver
import LinearAlgebra
import WireFormat

/// The composite program of a mean-risk problem, and where each of its rows and terms came from.
///
/// Weights are core variables 0..<N; for a ratio they are y = k w and k follows. All rows are normalised to a largest coefficient of
/// one.
struct MeanRiskProgram {
    /// A row's constraint, and what its price has to be divided by.
    struct Origin {
        var constraint: Int
        var factor: Double
    }

    var risk: RiskProgram
    let constraintSet: ConstraintSet
    private let point: [Double]
    private let ratioScale: Double?
    private let covariance: Matrix
    /// The owners of the equality rows; nil for rows of the program's own.
    private(set) var equalityOrigins: [Origin?] = []
    /// The term of the inequality rows, and their owners.
    private(set) var rowTerm: Int?
    private(set) var rowOrigins: [Origin?] = []
    /// The term of each ceiling, by constraint; the factor turns its price into one a unit of the caller's level.
    private(set) var ceilings: [(term: Int, origin: Origin)] = []
    /// Risk measures in the program, by term.
    private(set) var evidence: [(term: Int, measure: any ConvexRiskMeasure, pieces: [RiskFormulation.Piece])] = []
    private(set) var costTerm: (term: Int, parts: Range<Int>)?
    /// How a soft constraint is in the program.
    enum SoftForm {
        /// A ceiling that a variable lifts.
        case ceiling(term: Int, excess: Int)
        /// A row of `softRows`.
        case row(Int, cost: Double)
    }

    /// By soft constraint, its form, and the share of its penalty that counts.
    private(set) var soft: [(form: SoftForm, counted: Double)] = []
    /// What being beyond soft ceilings costs, in return.
    private var penalties: [CompositeProgram.Entry] = []
    /// Rows whose positive part costs, in return.
    private var softRows: [(coefficients: [Double], level: Double, cost: Double)] = []
    /// Where the soft rows are.
    private(set) var softRowPlace: (term: Int, part: Int)?

    /// - Parameters:
    ///   - point: weights that satisfy the rows, where the solve starts.
    ///   - ratioScale: k of the start; nil unless the problem is a ratio.
    init(
        model: ScenarioModel, covariance: Matrix, set: ConstraintSet, point: [Double], ratioScale: Double?,
        ordering: OrderingWindow = .unknown
    ) {
        constraintSet = set
        self.point = point
        self.ratioScale = ratioScale
        self.covariance = covariance
        let n = set.assets.count
        let isImplied = Self.impliedUpper(set)
        var (lower, upper) = (set.lower, set.upper)
        var start = point
        for i in 0..<n {
            if isImplied { upper[i] = .infinity }
            if ratioScale != nil {
                lower[i] = lower[i] >= 0 ? 0 : -.infinity
                upper[i] = .infinity
            } else if lower[i] == upper[i] {
                (lower[i], upper[i]) = (-.infinity, .infinity)
            }
            start[i] = Self.inside(point[i] * (ratioScale ?? 1), lower[i], upper[i], assets: n)
        }
        risk = RiskProgram(model: model, lower: lower, upper: upper, start: start, scaleStart: ratioScale)
        risk.ordering = ordering
        addRows(isUpperImplied: isImplied)
        addHinges()
    }

    /// Whether no weight can exceed its upper bound: all are nonnegative and add up to no more.
    private static func impliedUpper(_ set: ConstraintSet) -> Bool {
        set.lower.allSatisfy { $0 >= 0 } && set.upper.allSatisfy { $0 >= set.budget.max } && set.budget.max > 0
    }

    private static func inside(_ value: Double, _ low: Double, _ high: Double, assets: Int) -> Double {
        let typical = 1 / Double(max(assets, 1))
        if low > -.infinity, high < .infinity {
            let margin = 0.05 * (high - low)
            return min(max(value, low + margin), high - margin)
        }
        if low > -.infinity { return max(value, low + 0.1 * typical) }
        if high < .infinity { return min(value, high - 0.1 * typical) }
        return value
    }

    private var scale: Int? { risk.scale }
    private var n: Int { constraintSet.assets.count }

    // MARK: Constraints

    private mutating func addRows(isUpperImplied: Bool) {
        var rows: [(coefficients: [Double], level: Double, origin: Origin?)] = []
        for (index, constraint) in constraintSet.constraints.enumerated() {
            switch constraint.kind {
            case .bounds, .hinge, .convex: break
            case .equal(let a): addEquality(a, constraint.level, index)
            case .atMost(let a): rows.append((a, constraint.level, Origin(constraint: index, factor: 1)))
            case .atLeast(let a):
                rows.append((a.map { -$0 }, -constraint.level, Origin(constraint: index, factor: 1)))
            }
        }
        for i in 0..<n {
            var unit = [Double](repeating: 0, count: n)
            unit[i] = 1
            if constraintSet.lower[i] == constraintSet.upper[i] {
                addEquality(unit, constraintSet.lower[i], nil)
            }
        }
        if scale != nil { addScaledBounds(isUpperImplied: isUpperImplied) }
        guard !rows.isEmpty else { return }
        var matrix = Matrix(rows: rows.count, columns: n)
        var levels = [Double](repeating: 0, count: rows.count)
        for (r, row) in rows.enumerated() {
            let largest = row.coefficients.reduce(0) { max($0, abs($1)) }
            let factor = largest > 0 ? largest : 1
            for i in 0..<n { matrix.storage[r + i * rows.count] = row.coefficients[i] / factor }
            levels[r] = row.level / factor
            rowOrigins.append(row.origin.map { Origin(constraint: $0.constraint, factor: factor) })
        }
        let map =
            scale.map {
                RowMap(
                    matrix, columns: risk.weights,
                    borders: [RowMap.Border(index: $0, values: levels.map { -$0 })])
            } ?? RowMap(matrix, columns: risk.weights, offset: levels.map { -$0 })
        rowTerm = risk.program.terms.count
        risk.program.terms.append(.init(.objective(1), parts: [.scenarios(.hard, .rows(map))]))
    }

    private mutating func addEquality(_ a: [Double], _ level: Double, _ index: Int?) {
        let largest = a.reduce(0) { max($0, abs($1)) }
        let factor = largest > 0 ? largest : 1
        var row = risk.weights.map { CompositeProgram.Entry($0, a[$0] / factor) }
        if let scale { row.append(.init(scale, -level / factor)) }
        risk.program.addEquality(row, level: scale == nil ? level / factor : 0)
        equalityOrigins.append(index.map { Origin(constraint: $0, factor: factor) })
    }

    /// l k <= y <= u k where a sign alone does not say it.
    private mutating func addScaledBounds(isUpperImplied: Bool) {
        guard let scale else { return }
        let below = (0..<n).filter {
            constraintSet.lower[$0] != 0 && constraintSet.lower[$0] > -.infinity
                && constraintSet.lower[$0] != constraintSet.upper[$0]
        }
        let above = (0..<n).filter {
            !isUpperImplied && constraintSet.upper[$0] < .infinity && constraintSet.lower[$0] != constraintSet.upper[$0]
        }
        var parts: [CompositeProgram.Part] = []
        for (columns, sign, bounds) in [(below, -1.0, constraintSet.lower), (above, 1.0, constraintSet.upper)]
        where !columns.isEmpty {
            let map = CoordinateMap(
                columns: columns, sign: sign, reference: columns.map { bounds[$0] }, scale: scale)
            parts.append(.scenarios(.hard, .coordinates(map)))
        }
        if !parts.isEmpty { risk.program.terms.append(.init(.objective(1), parts: parts)) }
    }

    /// Shorts, gross exposure, turnover: sums of hinges of single weights.
    private mutating func addHinges() {
        for (index, constraint) in constraintSet.constraints.enumerated() {
            guard case .hinge(let hinge) = constraint.kind else { continue }
            add(ceiling: sum(of: hinge, level: constraint.level), Origin(constraint: index, factor: 1))
        }
    }

    private func sum(of hinge: NamedConstraint.Hinge, level: Double) -> CompositeProgram.Term {
        let total = hinge.reference.reduce(0, +)
        var linear = hinge.linear == 0 ? [] : risk.weights.map { CompositeProgram.Entry($0, hinge.linear) }
        let level = level + hinge.linear * total
        if let scale { linear.append(.init(scale, -level)) }
        let map = CoordinateMap(columns: risk.weights, sign: -1, reference: hinge.reference, scale: scale)
        let cost = [Double](repeating: hinge.weight, count: n)
        return .init(
            .atMost(scale == nil ? level : 0), linear: linear,
            parts: [.scenarios(.linear(cost: cost, reflection: 0), .coordinates(map))])
    }

    private mutating func add(ceiling term: CompositeProgram.Term, _ origin: Origin) {
        ceilings.append((risk.program.terms.count, origin))
        risk.program.terms.append(term)
    }

    /// Adds the convex limits of the set.
    mutating func addLimits(_ parameters: RiskParameters) {
        for (index, limit) in constraintSet.convex {
            add(limit, index, parameters)
        }
    }

    /// Adds the soft constraints of the set: rows whose positive part the return pays for, and ceilings that a variable lifts.
    /// - Parameter cap: the most that a unit costs, in the program's units: where the solution pays less, more would change nothing.
    mutating func addSoft(_ parameters: RiskParameters, cap: Double) {
        for (place, soft) in constraintSet.soft.enumerated() {
            let index = constraintSet.constraints.count + place
            let constraint = soft.constraint
            switch constraint.kind {
            case .atMost(let a):
                addSoftRow(a, constraint.level, soft.weight, cap)
                continue
            case .atLeast(let a):
                addSoftRow(a.map { -$0 }, -constraint.level, soft.weight, cap)
                continue
            case .hinge(let hinge):
                add(ceiling: sum(of: hinge, level: constraint.level), Origin(constraint: index, factor: 1))
            case .convex(let limit): add(limit, index, parameters)
            case .equal, .bounds: continue  // never: `SoftConstraint.parts`
            }
            guard let ceiling = ceilings.popLast() else { continue }
            let penalty = soft.weight * ceiling.origin.factor / risk.model.unit
            let cost = min(penalty, cap)
            // From a point that keeps the ceiling, with a price below the penalty.
            let beyond = soft.excess(at: point) / ceiling.origin.factor * (ratioScale ?? 1)
            let excess = risk.program.addVariable(lower: 0, start: 1.05 * beyond + 0.02 / max(cost, 0.1))
            risk.program.terms[ceiling.term].linear.append(.init(excess, -1))
            risk.program.terms[ceiling.term].startPrice = 0.5 * min(cost, 1)
            self.soft.append((.ceiling(term: ceiling.term, excess: excess), cost / penalty))
            penalties.append(.init(excess, cost))
        }
    }

    private mutating func addSoftRow(_ a: [Double], _ level: Double, _ weight: Double, _ cap: Double) {
        let largest = a.reduce(0) { max($0, abs($1)) }
        let factor = largest > 0 ? largest : 1
        let penalty = weight * factor / risk.model.unit
        let cost = min(penalty, cap)
        soft.append((.row(softRows.count, cost: cost), cost / penalty))
        softRows.append((a.map { $0 / factor }, level / factor, cost))
    }

    private var softRowPart: CompositeProgram.Part? {
        guard !softRows.isEmpty else { return nil }
        let matrix = Matrix(softRows.map { $0.coefficients })
        let levels = softRows.map { -$0.level }
        let map =
            scale.map { RowMap(matrix, columns: risk.weights, borders: [RowMap.Border(index: $0, values: levels)]) }
            ?? RowMap(matrix, columns: risk.weights, offset: levels)
        return .scenarios(.linear(cost: softRows.map { $0.cost }, reflection: 0), .rows(map))
    }

    private mutating func add(_ limit: ConvexLimit, _ index: Int, _ parameters: RiskParameters) {
        let unit = risk.model.unit
        let isSoft = index >= constraintSet.constraints.count
        switch limit.function {
        case .risk(let code): addRiskLimit(code, limit, index, parameters)
        case .distance(let reference) where isSoft:
            let series = risk.model.returns.multiplied(by: reference)
            addSeriesDistance(series, most: limit.most / unit, limit, index, unit)
        case .distance(let reference):
            addDistance(secondMoments, reference, most: limit.most / unit, limit, index, unit)
        case .distanceFromSeries(let series):
            addSeriesDistance(series.map { $0 / unit }, most: limit.most / unit, limit, index, unit)
        case .cone(let norm, let slope):
            let reach = risk.weights.map { CompositeProgram.Entry($0, -slope[$0]) }
            let rows = ArgumentMap.rows(RowMap(norm, columns: risk.weights))
            let ones = [Double](repeating: 1, count: norm.rows)
            let term: CompositeProgram.Term
            if norm.rows == 1 {
                term = .init(
                    .atMost(0), linear: reach, parts: [.scenarios(.linear(cost: ones, reflection: -1), rows)])
            } else {
                // |P w| = min over t of |P w|^2 / (2 t) + t / 2.
                let root = risk.program.addVariable(lower: 0, start: 1)
                term = .init(
                    .atMost(0), linear: reach + [.init(root, 0.5)],
                    parts: [.scenarios(.rootOfSquares(cost: ones, scale: root), rows)])
            }
            add(ceiling: term, Origin(constraint: index, factor: 1 / abs(limit.perLevel)))
        case .concentration:
            var linear: [CompositeProgram.Entry] = []
            if let scale { linear.append(.init(scale, -limit.most)) }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            add(
                ceiling: .init(
                    .atMost(scale == nil ? limit.most : 0), linear: linear,
                    parts: [.quadratic(.identity(n), map, scale: scale)]),
                Origin(constraint: index, factor: 1 / abs(limit.perLevel)))
        }
    }

    /// The second moments of the returns about zero, divisor T - 1, in units.
    private var secondMoments: Matrix {
        var moments = risk.model.returns.gram()
        let divisor = Double(max(risk.count - 1, 1))
        for i in moments.storage.indices { moments.storage[i] /= divisor }
        return moments
    }

    /// `x'P x / (2 most) <= most / 2` for x = w - reference: the root itself without its corner at zero.
    private mutating func addDistance(
        _ matrix: Matrix, _ reference: [Double], most: Double, _ limit: ConvexLimit, _ index: Int, _ unit: Double
    ) {
        let factor = 1 / (2 * max(most, 1e-12))
        var half = matrix
        for i in half.storage.indices { half.storage[i] *= factor }
        var linear: [CompositeProgram.Entry] = []
        if let scale { linear.append(.init(scale, -most / 2)) }
        let map = CoordinateMap(columns: risk.weights, reference: reference, scale: scale)
        add(
            ceiling: .init(
                .atMost(scale == nil ? most / 2 : 0), linear: linear,
                parts: [.quadratic(half, map, scale: scale)]),
            Origin(constraint: index, factor: unit / limit.perLevel))
    }

    private mutating func addSeriesDistance(
        _ series: [Double], most: Double, _ limit: ConvexLimit, _ index: Int, _ unit: Double
    ) {
        // sqrt(c sum (x - b)^2) = min over t of c sum (x - b)^2 / (2 t) + t / 2.
        let share = 1 / Double(max(series.count - 1, 1))
        let root = risk.program.addVariable(lower: 0, start: max(most, 1e-3))
        let map: RowMap
        if let scale {
            map = RowMap(
                risk.model.returns, columns: risk.weights,
                borders: [RowMap.Border(index: scale, values: series.map { -$0 })])
        } else {
            map = RowMap(risk.model.returns, columns: risk.weights, offset: series.map { -$0 })
        }
        var linear: [CompositeProgram.Entry] = [.init(root, 0.5)]
        if let scale { linear.append(.init(scale, -most)) }
        add(
            ceiling: .init(
                .atMost(scale == nil ? most : 0), linear: linear,
                parts: [
                    .scenarios(
                        .rootOfSquares(cost: series.map { _ in share }, scale: root), .rows(map))
                ]),
            Origin(constraint: index, factor: unit / limit.perLevel))
    }

    /// `sqrt(w'C w) <= most`, the root itself: what is beyond it counts.
    private mutating func addDeviation(most: Double, _ origin: Origin) {
        let root = risk.program.addVariable(lower: 0, start: max(risk.rootMeanSquare(risk.centredStart), 1e-3))
        var linear: [CompositeProgram.Entry] = [.init(root, 0.5)]
        if let scale { linear.append(.init(scale, -most)) }
        let part: CompositeProgram.Part
        if var factor = try? SymmetricEigen(covariance).root(ofSign: .plus) {
            for i in factor.storage.indices { factor.storage[i] /= risk.model.unit }
            let cost = [Double](repeating: 1, count: factor.rows)
            part = .scenarios(.rootOfSquares(cost: cost, scale: root), .rows(RowMap(factor, columns: risk.weights)))
        } else {
            // Without a decomposition the form itself, which needs a start within the limit.
            var half = covariance
            for i in half.storage.indices { half.storage[i] /= 2 * risk.model.unit * risk.model.unit }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            part = .quadratic(half, map, scale: root)
        }
        add(
            ceiling: .init(.atMost(scale == nil ? most : 0), linear: linear, parts: [part]),
            origin)
    }

    private mutating func addRiskLimit(
        _ code: RiskMeasureCode, _ limit: ConvexLimit, _ index: Int, _ parameters: RiskParameters
    ) {
        let unit = risk.model.unit
        if code == .mv {
            guard index < constraintSet.constraints.count else {
                addDeviation(
                    most: limit.most / unit, Origin(constraint: index, factor: unit / limit.perLevel))
                return
            }
            var matrix = covariance
            for i in matrix.storage.indices { matrix.storage[i] /= unit * unit }
            addDistance(matrix, risk.weights.map { _ in 0 }, most: limit.most / unit, limit, index, unit)
            return
        }
        guard let plain = RiskMeasures.measure(code, parameters) as? any ConvexRiskMeasure else { return }
        let measure = risk.model.weighted(plain, parameters)
        let isSquare = type(of: measure).degree == 2
        let size = isSquare ? unit * unit : unit
        let formulation = measure.formulate(in: &risk)
        var linear = formulation.linear
        if let scale { linear.append(.init(scale, -limit.most / size)) }
        evidence.append((risk.program.terms.count, measure, formulation.pieces))
        add(
            ceiling: .init(
                .atMost(scale == nil ? limit.most / size : 0), linear: linear, parts: formulation.pieces.map { $0.part }
            ),
            Origin(constraint: index, factor: size / limit.perLevel))
    }

    // MARK: Objective

    /// Adds `weight x risk` to the objective; of MV the standard deviation, or the variance where `isVariance`.
    mutating func addRisk(_ measure: any ConvexRiskMeasure, weight: Double, isVariance: Bool) {
        if type(of: measure).code == .mv {
            let unit = risk.model.unit
            var matrix = covariance
            for i in matrix.storage.indices { matrix.storage[i] /= (isVariance ? 1 : 2) * unit * unit }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            if isVariance {
                risk.program.terms.append(.init(.objective(weight), parts: [.quadratic(matrix, map, scale: nil)]))
            } else {
                let root = risk.program.addVariable(
                    lower: 0, start: risk.rootMeanSquare(risk.centredStart))
                risk.program.terms.append(
                    .init(
                        .objective(weight), linear: [.init(root, 0.5)], parts: [.quadratic(matrix, map, scale: root)]))
            }
            return
        }
        let formulation = measure.formulate(in: &risk)
        evidence.append((risk.program.terms.count, measure, formulation.pieces))
        risk.program.terms.append(
            .init(.objective(weight), linear: formulation.linear, parts: formulation.pieces.map { $0.part }))
    }

    /// The return that is given up, as a convex function: `-mean'w`, less growth or plus costs as asked for, over the scale.
    func lostReturn(
        _ reward: Reward
    ) -> (linear: [CompositeProgram.Entry], parts: [CompositeProgram.Part], costParts: Int) {
        let unit = risk.model.unit
        var linear: [CompositeProgram.Entry] = []
        var parts: [CompositeProgram.Part] = []
        switch reward.kelly {
        case .exact:
            parts.append(
                .scenarios(
                    .logarithm(cost: risk.model.probabilities.map { $0 / unit }, unit: unit, scale: scale),
                    .rows(RowMap(risk.model.returns, columns: risk.weights))))
        case .approx:
            var matrix = covariance
            for i in matrix.storage.indices { matrix.storage[i] /= 2 * unit }
            let map = CoordinateMap(columns: risk.weights, reference: risk.weights.map { _ in 0 })
            parts.append(.quadratic(matrix, map, scale: scale))
            linear = risk.weights.map { .init($0, -risk.model.mean[$0]) }
        case .none: linear = risk.weights.map { .init($0, -risk.model.mean[$0]) }
        }
        linear += penalties
        let before = parts.count
        if let costs = reward.costs {
            let map = ArgumentMap.coordinates(
                CoordinateMap(columns: risk.weights, reference: costs.reference, scale: scale))
            if costs.linear.contains(where: { $0 > 0 }) {
                parts.append(.scenarios(.linear(cost: costs.linear.map { $0 / unit }, reflection: -1), map))
            }
            if costs.impact.contains(where: { $0 > 0 }) {
                parts.append(.scenarios(.threeHalves(cost: costs.impact.map { $0 / unit }, scale: scale), map))
            }
        }
        let costParts = parts.count - before
        if let part = softRowPart { parts.append(part) }
        return (linear, parts, costParts)
    }

    /// Adds the return to the objective.
    mutating func addReturn(_ reward: Reward) {
        let lost = lostReturn(reward)
        for entry in lost.linear { risk.program.cost[entry.index] += entry.coefficient }
        guard !lost.parts.isEmpty else { return }
        note(lost.parts.count, costParts: lost.costParts)
        risk.program.terms.append(.init(.objective(1), parts: lost.parts))
    }

    /// Fixes the excess return of a ratio: an equality where it is linear, else a ceiling of what is lost.
    mutating func fixExcess(_ reward: Reward, rate: Double, level: Double) {
        guard let scale else { return }
        let lost = lostReturn(reward)
        let unit = risk.model.unit
        if lost.parts.isEmpty {
            risk.program.addEquality(
                lost.linear.map { .init($0.index, -$0.coefficient) } + [.init(scale, -rate / unit)], level: level)
            risk.program.normalisingRow = equalityOrigins.count
            equalityOrigins.append(nil)
            return
        }
        note(lost.parts.count, costParts: lost.costParts)
        risk.program.terms.append(
            .init(.atMost(-level), linear: lost.linear + [.init(scale, rate / unit)], parts: lost.parts))
    }

    /// Where costs and soft rows are among the parts of the term that comes next.
    private mutating func note(_ parts: Int, costParts: Int) {
        let term = risk.program.terms.count
        if !softRows.isEmpty { softRowPlace = (term, parts - 1) }
        let end = softRows.isEmpty ? parts : parts - 1
        if costParts > 0 { costTerm = (term, (end - costParts)..<end) }
    }

    var program: CompositeProgram { risk.program }

    /// The point itself, where the program's start is a little inside the bounds.
    var edgeStart: [Double] {
        var start = risk.program.start
        for i in 0..<n { start[i] = point[i] * (ratioScale ?? 1) }
        return start
    }
}

/// How the return counts in an objective.
struct Reward: Sendable {
    /// Costs of trading per period, in return.
    struct Costs: Sendable {
        var reference: [Double]
        /// A unit of absolute change, by asset.
        var linear: [Double]
        /// |change|^(3/2), by asset.
        var impact: [Double]

        func value(at w: [Double]) -> Double {
            var total = 0.0
            for i in w.indices {
                let change = abs(w[i] - reference[i])
                total += linear[i] * change + impact[i] * change * change.squareRoot()
            }
            return total
        }

        /// The affine function of given slopes that is as high as one below the costs can be: less the conjugate of each asset's.
        func minorant(slopes: [Double]) -> Minorant {
            var result = Minorant(slope: slopes, constant: 0)
            for i in slopes.indices {
                let beyond = max(abs(slopes[i]) - linear[i], 0)
                if impact[i] > 0 {
                    let root = beyond / (1.5 * impact[i])
                    result.constant -= root * root * beyond / 3
                } else if beyond > 0 {
                    result.slope[i] = slopes[i] > 0 ? linear[i] : -linear[i]
                }
                result.constant -= result.slope[i] * reference[i]
            }
            return result
        }

        /// An affine function below the costs that touches them at w; where w has not moved, the kink's slope is the given one.
        func minorant(at w: [Double], kinks: [Double]) -> Minorant {
            var slope = [Double](repeating: 0, count: w.count)
            for i in w.indices {
                let change = w[i] - reference[i]
                if change == 0 {
                    slope[i] = min(max(kinks[i], -linear[i]), linear[i])
                } else {
                    slope[i] = (change > 0 ? 1 : -1) * (linear[i] + 1.5 * impact[i] * abs(change).squareRoot())
                }
            }
            return Minorant(slope: slope, constant: value(at: w) - Vector.dot(slope, w))
        }
    }

    var kelly = KellyMode.none
    var costs: Costs?

    var isLinear: Bool { kelly == .none && costs == nil }
}

extension MeanRiskProgram {
    /// The core variable k of a ratio.
    var scaleIndex: Int? { risk.scale }

    /// Takes the mean out of the objective again, where only costs count beside the risk.
    mutating func dropMean() {
        for index in risk.weights { risk.program.cost[index] = 0 }
    }

    /// Adds one relative excess to every convex limit and minimises it.
    mutating func relaxLimits() {
        let excess = risk.program.addVariable(cost: 1, lower: 0, start: 1)
        for ceiling in ceilings {
            guard case .convex(let limit) = constraintSet.constraints[ceiling.origin.constraint].kind,
                case .atMost(let level) = risk.program.terms[ceiling.term].place
            else { continue }
            var size = max(abs(level), 1e-9)
            if case .cone = limit.function { size = 1 }
            risk.program.terms[ceiling.term].linear.append(.init(excess, -size))
        }
    }
}
