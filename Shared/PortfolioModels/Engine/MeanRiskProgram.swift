import ConvexSolver
import LinearAlgebra
import WireFormat

/// The composite program of a mean-risk problem, and where each of its rows and terms came from.
///
/// Weights are core variables 0..<N; for a ratio they are y = k w and k follows. All rows are normalised to a largest change of one.
struct MeanRiskProgram {
    /// A row's constraint, and what its price has to be divided by.
    struct Origin {
        var constraint: Int
        var factor: Double
        /// Of an equality, the constraint that a price below zero belongs to, where two limits make it.
        var opposite: Int?
        /// What was taken off the row.
        var thinRow: ThinRow?
    }

    var risk: RiskProgram
    let constraintSet: ConstraintSet
    let point: [Double]
    let ratioScale: Double?
    let covariance: Matrix
    /// The most that each weight can be under thin rows: what it is measured by. One where they say nothing.
    private let reach: [Double]
    /// The owners of the equality rows; nil for rows of the program's own.
    var equalityOrigins: [Origin?] = []
    /// The term of the inequality rows, and their owners.
    var rowTerm: Int?
    var rowOrigins: [Origin?] = []
    /// The term of each ceiling, by constraint; the factor turns its price into one a unit of the caller's level.
    var ceilings: [(term: Int, origin: Origin)] = []
    /// Risk measures in the program, by term.
    var evidence: [(term: Int, measure: any ConvexRiskMeasure, pieces: [RiskFormulation.Piece])] = []
    var costTerm: (term: Int, parts: Range<Int>)?
    /// How a soft constraint is in the program.
    enum SoftForm {
        /// A ceiling that a variable lifts.
        case ceiling(term: Int, excess: Int)
        /// A row of `softRows`.
        case row(Int, cost: Double)
    }

    /// By soft constraint, its form, and the share of its penalty that counts.
    var soft: [(form: SoftForm, counted: Double)] = []
    /// What being beyond soft ceilings costs, in return.
    var penalties: [CompositeProgram.Entry] = []
    /// Rows whose positive part costs, in return.
    var softRows: [(coefficients: [Double], level: Double, cost: Double)] = []
    /// Where the soft rows are.
    var softRowPlace: (term: Int, part: Int)?

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
        let rows = Self.inequalities(set)
        reach = rows.reduce(set.assets.map { _ in 1 }) { known, item in zip(known, item.row.reach).map { min($0, $1) } }
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
            let typical = reach[i] / Double(max(n, 1))
            start[i] = Self.inside(point[i] * (ratioScale ?? 1), lower[i], upper[i], typical: typical)
        }
        risk = RiskProgram(model: model, lower: lower, upper: upper, start: start, scaleStart: ratioScale)
        risk.ordering = ordering
        for i in 0..<n { risk.program.sizes[i] = reach[i] }
        addRows(rows, isUpperImplied: isImplied)
        addHinges()
    }

    /// Whether no weight can exceed its upper bound: all are nonnegative and add up to no more.
    private static func impliedUpper(_ set: ConstraintSet) -> Bool {
        set.lower.allSatisfy { $0 >= 0 } && set.upper.allSatisfy { $0 >= set.budget.max } && set.budget.max > 0
    }

    private static func inside(_ value: Double, _ low: Double, _ high: Double, typical: Double) -> Double {
        if low > -.infinity, high < .infinity {
            let margin = 0.05 * (high - low)
            return min(max(value, low + margin), high - margin)
        }
        if low > -.infinity { return max(value, low + 0.1 * typical) }
        if high < .infinity { return min(value, high - 0.1 * typical) }
        return value
    }

    var scale: Int? { risk.scale }
    var n: Int { constraintSet.assets.count }

    // MARK: Constraints

    /// Rows `a'w <= level` with their constraints.
    private static func inequalities(_ set: ConstraintSet) -> [(row: ThinRow, constraint: Int)] {
        set.constraints.enumerated().compactMap { index, constraint in
            switch constraint.kind {
            case .bounds, .hinge, .convex, .equal: nil
            // Two limits without room between them are an equality: an interior has to have an inside.
            case .atMost(let a):
                set.least(equalTo: index) == nil ? (ThinRow(a, atMost: constraint.level, set), index) : nil
            case .atLeast(let a):
                set.most(equalTo: index) == nil
                    ? (ThinRow(a.map { -$0 }, atMost: -constraint.level, set), index) : nil
            }
        }
    }

    private mutating func addRows(_ rows: [(row: ThinRow, constraint: Int)], isUpperImplied: Bool) {
        for (index, constraint) in constraintSet.constraints.enumerated() {
            if case .equal(let a) = constraint.kind { addEquality(a, constraint.level, index) }
            if case .atMost(let a) = constraint.kind, let other = constraintSet.least(equalTo: index) {
                addEquality(a, constraint.level, index, opposite: other)
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
        for (r, (row, constraint)) in rows.enumerated() {
            let largest = zip(row.coefficients, reach).reduce(0) { max($0, abs($1.0 * $1.1)) }
            let factor = largest > 0 ? largest : 1
            for i in 0..<n { matrix.storage[r + i * rows.count] = row.coefficients[i] / factor }
            levels[r] = row.level / factor
            rowOrigins.append(Origin(constraint: constraint, factor: factor, thinRow: row))
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

    mutating func addEquality(_ a: [Double], _ level: Double, _ index: Int?, opposite: Int? = nil) {
        let largest = a.reduce(0) { max($0, abs($1)) }
        let factor = largest > 0 ? largest : 1
        var row = risk.weights.map { CompositeProgram.Entry($0, a[$0] / factor) }
        if let scale { row.append(.init(scale, -level / factor)) }
        risk.program.addEquality(row, level: scale == nil ? level / factor : 0)
        equalityOrigins.append(index.map { Origin(constraint: $0, factor: factor, opposite: opposite) })
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

    func sum(of hinge: NamedConstraint.Hinge, level: Double) -> CompositeProgram.Term {
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

    mutating func add(ceiling term: CompositeProgram.Term, _ origin: Origin) {
        ceilings.append((risk.program.terms.count, origin))
        risk.program.terms.append(term)
    }

    var program: CompositeProgram { risk.program }

    /// The point itself, where the program's start is a little inside the bounds.
    var edgeStart: [Double] {
        var start = risk.program.start
        for i in 0..<n { start[i] = point[i] * (ratioScale ?? 1) }
        return start
    }
}
