import ConvexSolver
import LinearAlgebra
import WireFormat

/// Why a constraint set has no point: the smallest set of named constraints that cannot all hold, and the least relaxation.
///
/// Both come from one elastic linear program, which always has a solution: each named constraint may be broken by its own
/// slack, and the weighted slacks are minimised. A set is infeasible exactly if the least slack is positive. The deletion
/// filter drops one constraint after the other as long as the rest stays infeasible; what remains is irreducible.
///
/// Source: J. Chinneck (2008), Feasibility and Infeasibility in Optimization, chapters 6 and 7.
struct ConflictAnalysis {
    private let set: ConstraintSet
    private let deadline: SolverDeadline
    /// By constraint.
    private let levels: [Double]
    /// Weights are looked for within the first distance of zero once bounds are taken away; within the next where rounding
    /// does not let the program be solved so wide.
    private static let boxes = [1e3, 1e2, 1e1]
    private static let tolerance = 1e-8

    init(_ set: ConstraintSet, deadline: SolverDeadline) {
        self.set = set
        self.deadline = deadline
        levels = set.constraints.map { Self.near($0, set) }
    }

    /// A row's level, or one a little beyond all that weights within their bounds reach: which rows contradict each other is the same, and the
    /// program keeps its digits.
    private static func near(_ constraint: NamedConstraint, _ set: ConstraintSet) -> Double {
        let row: [Double]
        switch constraint.kind {
        case .atMost(let a), .atLeast(let a), .equal(let a): row = a
        case .bounds, .hinge, .convex: return constraint.level
        }
        var (least, most, size) = (0.0, 0.0, 0.0)
        for (i, a) in row.enumerated() where a != 0 {
            least += a * (a > 0 ? set.lower[i] : set.upper[i])
            most += a * (a > 0 ? set.upper[i] : set.lower[i])
            size = max(size, abs(a))
        }
        guard least.isFinite, most.isFinite, least <= most else { return constraint.level }
        return min(max(constraint.level, least - size), most + size)
    }

    /// The problem to answer with.
    /// - Throws: `SYS-201` if the deadline passes first.
    func problem() throws(Problem) -> Problem {
        let all = Array(set.constraints.indices)
        let whole = try elastic(all, relaxable: all, weights: { self.rowWeight($0) })
        // A contradiction too small for the elastic program is told by the rows themselves.
        let isTiny = whole?.total ?? 0 <= Self.tolerance
        let isProven = isTiny ? try contradicts(all) : true
        guard isProven else {
            return Problem(.unstable, "The constraints are so tight that rounding decides whether they can hold.")
        }
        // Constraints with a price in the elastic program already contradict each other: start from those.
        let priced = whole.map { found in all.filter { found.prices[$0] > 1e-6 } } ?? all
        var conflict = all
        func fails(_ chosen: [Int]) throws(Problem) -> Bool {
            isTiny ? try contradicts(chosen) : try isInfeasible(chosen)
        }
        if priced.count < all.count, try fails(priced) { conflict = priced }
        // Dropped first: what the caller never wrote, default bounds before the budget.
        func isDefaultBound(_ index: Int) -> Bool {
            if case .bounds = set.constraints[index].kind { set.constraints[index].isStructural } else { false }
        }
        let defaults = conflict.filter { isDefaultBound($0) }.reversed()
        let totals = conflict.filter { set.constraints[$0].isStructural && !isDefaultBound($0) }
        let order = defaults + totals + conflict.filter { !set.constraints[$0].isStructural }
        if order.count <= 200 {
            for candidate in order {
                let rest = conflict.filter { $0 != candidate }
                if try fails(rest) { conflict = rest }
            }
        }
        let relaxations = try relaxation(all)
        let names = conflict.map { set.constraints[$0].name }
        let changes = relaxations.map { "\($0.constraint) from \(Self.short($0.from)) to \(Self.short($0.to))" }
        let size = isTiny ? " What is missing is less than \(Self.tolerance)." : ""
        let hint = changes.isEmpty ? "" : " Smallest change that makes it possible: \(changes.joined(separator: ", "))."
        let detail = "These constraints cannot all hold: \(names.joined(separator: ", ")).\(size)\(hint)"
        let errors = conflict.map { index in
            Violation(
                set.constraints[index].pointer, .other("conflict"),
                "\(set.constraints[index].name) cannot hold together with the others.",
                limit: set.constraints[index].level)
        }
        return Problem(.infeasible, detail, errors: errors, conflict: names, relaxation: relaxations)
    }

    /// The least weighted change of the caller's own constraints; of the structural ones too if those do not suffice.
    private func relaxation(_ all: [Int]) throws(Problem) -> [Problem.Relaxation] {
        let own = all.filter { !set.constraints[$0].isStructural }
        for relaxable in [own, all] where !relaxable.isEmpty {
            guard let found = try elastic(all, relaxable: relaxable, weights: { self.weight($0) }) else { continue }
            return relaxable.compactMap { index in
                let constraint = set.constraints[index]
                let slack = found.slacks[index]
                guard abs(slack) > 1e-8 * max(1, abs(levels[index])) else { return nil }
                let direction = constraint.direction == 0 ? 1 : constraint.direction
                // Outwards by less than the tolerance, so that the relaxed problem is not on the edge of rounding.
                let level = levels[index] + direction * slack
                return Problem.Relaxation(
                    constraint: constraint.name, from: constraint.level, to: Self.outward(level, direction * slack))
            }
        }
        return []
    }

    /// A bound that a number gave to every asset counts once for each; levels of other units count by their size.
    private func weight(_ index: Int) -> Double {
        switch set.constraints[index].kind {
        case .bounds(let lower, let upper):
            return Double(set.assets.indices.count { lower[$0] > -.infinity || upper[$0] < .infinity })
        case .atMost(let a), .atLeast(let a), .equal(let a):
            let size = a.reduce(0) { max($0, abs($1)) }
            return size > 0 ? 1 / size : 1
        case .hinge, .convex: return 1
        }
    }

    /// What turns a row's slack into one of weights.
    private func rowWeight(_ index: Int) -> Double {
        if case .bounds = set.constraints[index].kind { 1 } else { weight(index) }
    }

    private func isInfeasible(_ chosen: [Int]) throws(Problem) -> Bool {
        guard let found = try elastic(chosen, relaxable: chosen, weights: { self.rowWeight($0) }) else { return false }
        return found.total > Self.tolerance
    }

    /// Whether chosen constraints are proven to have no point, none of them giving way.
    private func contradicts(_ chosen: [Int]) throws(Problem) -> Bool {
        var rows = ElasticProgram(assets: set.assets.count, box: Self.boxes[0])
        for index in chosen { rows.add(set.constraints[index], level: levels[index], index, cost: nil) }
        let found = try? InteriorPointMethod.solve(rows.program, settings: SolverSettings(deadline: deadline))
        if found?.status == .deadline || found?.status == .cancelled {
            throw Problem(.deadline, "The deadline passed while a conflict was being explained.")
        }
        return found?.status == .primalInfeasible
    }

    private struct Elastic {
        /// The weighted sum of slacks.
        var total: Double
        /// By constraint of the set; signed for equalities.
        var slacks: [Double]
        /// By constraint: the largest price of its rows.
        var prices: [Double]
    }

    /// min sum of weight x slack over the chosen constraints; the others are absent, those not relaxable hold. Nil if that fails.
    private func elastic(
        _ chosen: [Int], relaxable: [Int], weights: (Int) -> Double
    ) throws(Problem) -> Elastic? {
        for box in Self.boxes {
            if let found = try elastic(chosen, relaxable, weights, box) { return found }
        }
        return nil
    }

    private func elastic(
        _ chosen: [Int], _ relaxable: [Int], _ weights: (Int) -> Double, _ box: Double
    ) throws(Problem) -> Elastic? {
        var program = ElasticProgram(assets: set.assets.count, box: box)
        let canGive = Set(relaxable)
        for index in chosen {
            program.add(
                set.constraints[index], level: levels[index], index,
                cost: canGive.contains(index) ? weights(index) : nil)
        }
        let found: QuadraticSolution
        do {
            found = try InteriorPointMethod.solve(program.program, settings: SolverSettings(deadline: deadline))
        } catch {
            throw Problem(.internalError, "The program could not be formed.")
        }
        switch found.status {
        case .optimal: break
        case .deadline, .cancelled:
            throw Problem(.deadline, "The deadline passed while a conflict was being explained.")
        default: return nil
        }
        var slacks = [Double](repeating: 0, count: set.constraints.count)
        for (column, owner, sign) in program.slackColumns { slacks[owner] += sign * found.x[column] }
        var prices = [Double](repeating: 0, count: set.constraints.count)
        for (row, owner) in program.owners.enumerated() {
            prices[owner] = max(prices[owner], abs(found.inequalityDuals[row]))
        }
        return Elastic(total: found.primalObjective, slacks: slacks, prices: prices)
    }

    /// A level rounded outwards to 9 decimals.
    private static func outward(_ level: Double, _ change: Double) -> Double {
        let grid = 1e9
        let nearest = (level * grid).rounded() / grid
        if abs(nearest - level) < 2e-10 { return nearest }
        return (level * grid).rounded(change > 0 ? .up : .down) / grid
    }

    private static func short(_ value: Double) -> String {
        let rounded = (value * 1e9).rounded() / 1e9
        return rounded.description
    }
}

/// The rows of an elastic program, collected constraint by constraint.
private struct ElasticProgram {
    private let assets: Int
    private let box: Double
    private var rows: [(coefficients: [(Int, Double)], right: Double)] = []
    private var costs: [Double]
    private var lower: [Double]
    private var upper: [Double]
    private(set) var owners: [Int] = []
    /// Column, constraint, and the sign with which the slack moves the level of an equality.
    private(set) var slackColumns: [(Int, Int, Double)] = []

    init(assets: Int, box: Double) {
        self.assets = assets
        self.box = box
        costs = [Double](repeating: 0, count: assets)
        lower = [Double](repeating: -box, count: assets)
        upper = [Double](repeating: box, count: assets)
    }

    mutating func add(_ constraint: NamedConstraint, level: Double, _ index: Int, cost: Double?) {
        switch constraint.kind {
        case .bounds(let low, let high):
            let slack = slack(index, cost)
            for i in 0..<assets {
                if low[i] > -.infinity { append([(i, -1)], slack, -low[i], index) }
                if high[i] < .infinity { append([(i, 1)], slack, high[i], index) }
            }
        case .atMost(let a): append(sparse(a, 1), slack(index, cost), level, index)
        case .atLeast(let a): append(sparse(a, -1), slack(index, cost), -level, index)
        case .equal(let a):
            append(sparse(a, 1), slack(index, cost), level, index)
            append(sparse(a, -1), slack(index, cost, sign: -1), -level, index)
        case .convex: break
        case .hinge(let hinge):
            var row: [(Int, Double)] = hinge.linear == 0 ? [] : (0..<assets).map { ($0, hinge.linear) }
            for i in 0..<assets {
                let column = variable(cost: 0)
                row.append((column, hinge.weight))
                append([(i, -1), (column, -1)], nil, -hinge.reference[i], index)
            }
            append(row, slack(index, cost), level + hinge.linear * hinge.reference.reduce(0, +), index)
        }
    }

    var program: QuadraticProgram {
        var G = Matrix(rows: rows.count, columns: costs.count)
        for (r, row) in rows.enumerated() {
            for (column, value) in row.coefficients { G[r, column] += value }
        }
        return QuadraticProgram(q: costs, G: G, h: rows.map { $0.right }, lower: lower, upper: upper)
    }

    private mutating func variable(cost: Double) -> Int {
        costs.append(cost)
        lower.append(0)
        upper.append(4 * box)
        return costs.count - 1
    }

    private mutating func slack(_ index: Int, _ cost: Double?, sign: Double = 1) -> Int? {
        guard let cost else { return nil }
        let column = variable(cost: cost)
        slackColumns.append((column, index, sign))
        return column
    }

    private mutating func append(_ coefficients: [(Int, Double)], _ slack: Int?, _ right: Double, _ index: Int) {
        rows.append((coefficients + (slack.map { [($0, -1)] } ?? []), right))
        owners.append(index)
    }

    private func sparse(_ a: [Double], _ sign: Double) -> [(Int, Double)] {
        a.enumerated().filter { $0.element != 0 }.map { ($0.offset, sign * $0.element) }
    }
}
