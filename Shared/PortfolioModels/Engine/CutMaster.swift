import ConvexSolver
import LinearAlgebra

/// The linear program of a cutting-plane method: the linear constraints, hinges, costs and penalties of a mean-risk problem as they are, and
/// every other function by affine functions below it.
///
/// Columns are those of `CompiledConstraints`, then the objective's height, then for each linear cost `e >= reference - w` and for each of
/// a 3/2 power its height, then what soft constraints are exceeded by.
struct CutMaster {
    /// An affine function of the weights that is at most the height, or at most zero.
    struct Cut {
        var slope: [Double]
        var constant: Double
        /// Nil for the objective; else the limit, and after the hard ones the soft.
        var limit: Int?
    }

    /// A soft constraint in the program: its columns and rows.
    private struct SoftPlace {
        var excess: Int
        /// The row of a linear one or of a sum of hinges; nil for a limit of cuts.
        var row: Int?
        var hinges: [(asset: Int, row: Int)]
        var cost: Double
    }

    let assets: Int
    let height: Int
    private let compiled: CompiledConstraints
    private let set: ConstraintSet
    private let costs: Reward.Costs?
    private var columns: Int
    private var q: [Double]
    private var lower: [Double]
    private var upper: [Double]
    private var rows: [(coefficients: [(Int, Double)], right: Double)] = []
    /// By asset with a linear cost: its row among `rows`.
    private var costRows: [(asset: Int, row: Int, cost: Double)] = []
    /// By asset with a cost of a 3/2 power: the column of its height.
    private var impacts: [(asset: Int, column: Int)] = []
    private var soft: [SoftPlace] = []
    /// What the objective is divided by.
    let size: Double
    /// The most that a penalty counts, in the program's units.
    private let penaltyCap: Double
    private var constant = 0.0

    /// - Parameters:
    ///   - costs: nil where none count.
    ///   - size: what one unit of the objective is.
    init(_ set: ConstraintSet, costs: Reward.Costs?, withSoft: Bool, size: Double, penaltyCap: Double = .infinity) {
        self.penaltyCap = penaltyCap
        compiled = CompiledConstraints(set)
        self.set = set
        self.costs = costs
        self.size = size
        assets = set.assets.count
        height = compiled.columns
        columns = compiled.columns + 1
        q = [Double](repeating: 0, count: columns)
        q[height] = 1
        lower = compiled.lower + [-.infinity]
        upper = compiled.upper + [.infinity]
        for i in 0..<assets {
            if lower[i] == -.infinity { lower[i] = -1e3 }
            if upper[i] == .infinity { upper[i] = 1e3 }
        }
        if let costs {
            for i in 0..<assets where costs.linear[i] > 0 {
                // c |w - r| = c (w - r) + 2 c max(r - w, 0)
                let cost = costs.linear[i] / size
                q[i] += cost
                constant -= cost * costs.reference[i]
                let column = addColumn(cost: 2 * cost)
                costRows.append((i, rows.count, cost))
                rows.append(([(i, -1), (column, -1)], -costs.reference[i]))
            }
            for i in 0..<assets where costs.impact[i] > 0 { impacts.append((i, addColumn(cost: 1))) }
        }
        if withSoft { for item in set.soft { addSoft(item) } }
    }

    private mutating func addColumn(cost: Double) -> Int {
        q.append(cost)
        lower.append(0)
        upper.append(.infinity)
        columns += 1
        return columns - 1
    }

    private mutating func addSoft(_ item: SoftConstraint) {
        let level = item.constraint.level
        // More than the price of the constraint changes nothing but the program's digits.
        let excess = addColumn(cost: min(item.weight / size, penaltyCap))
        var place = SoftPlace(excess: excess, row: nil, hinges: [], cost: item.weight / size)
        func sparse(_ a: [Double], _ sign: Double) -> [(Int, Double)] {
            a.enumerated().filter { $0.element != 0 }.map { ($0.offset, sign * $0.element) }
        }
        switch item.constraint.kind {
        case .atMost(let a):
            place.row = rows.count
            rows.append((sparse(a, 1) + [(excess, -1)], level))
        case .atLeast(let a):
            place.row = rows.count
            rows.append((sparse(a, -1) + [(excess, -1)], -level))
        case .hinge(let hinge):
            var row: [(Int, Double)] = hinge.linear == 0 ? [] : (0..<assets).map { ($0, hinge.linear) }
            for i in 0..<assets where hinge.reference[i].isFinite {
                let column = addColumn(cost: 0)
                row.append((column, hinge.weight))
                place.hinges.append((i, rows.count))
                rows.append(([(i, -1), (column, -1)], -hinge.reference[i]))
            }
            place.row = rows.count
            let total = hinge.linear == 0 ? 0 : hinge.linear * hinge.reference.reduce(0, +)
            rows.append((row + [(excess, -1)], level + total))
        case .convex, .equal, .bounds: break
        }
        soft.append(place)
    }

    /// The column of a soft limit's excess, in the caller's units of the limit's level.
    func excess(ofSoft place: Int) -> Int { soft[place].excess }

    /// The flops of one solve with so many cuts, roughly.
    func work(cuts: Int) -> Double {
        let (width, count) = (Double(columns), Double(compiled.G.rows + rows.count + cuts + 10 * impacts.count))
        return 50 * (count * width * width + width * width * width)
    }

    /// What a solve of the master says.
    struct Answer {
        var status: SolverStatus
        var weights: [Double]
        /// No portfolio's objective is less, cuts being what they are.
        var bound: Double
        /// By cut, at least zero.
        var shares: [Double]
        /// By asset: slopes of the costs, in the objective's units.
        var costSlopes: [Double]
        var found: QuadraticSolution
    }

    /// The least height over the cuts; or, near `centre`, a point where objective and height are at most `level`.
    /// - Parameters:
    ///   - lifts: by cut, the column that lifts it and by how much a unit does.
    ///   - known: portfolios at whose weights the costs of a 3/2 power have their tangents.
    func solve(
        _ cuts: [Cut], lifts: [(column: Int, factor: Double)?], known: [[Double]], near centre: [Double]? = nil,
        level: Double = 0,
        deadline: SolverDeadline
    ) -> Answer? {
        let own = compiled.G.rows
        let bends = bends(known)
        let count = own + rows.count + cuts.count + bends.count + (centre == nil ? 0 : 1)
        var G = Matrix(rows: count, columns: columns)
        var h = compiled.h
        for j in 0..<compiled.columns {
            for r in 0..<own { G.storage[r + j * count] = compiled.G.storage[r + j * own] }
        }
        for (r, row) in rows.enumerated() {
            for (column, value) in row.coefficients { G[own + r, column] += value }
            h.append(row.right)
        }
        for (r, cut) in cuts.enumerated() {
            let place = own + rows.count + r
            for i in 0..<assets { G[place, i] = cut.slope[i] }
            if cut.limit == nil { G[place, height] = -1 }
            if let lift = lifts[r] { G[place, lift.column] = -lift.factor }
            h.append(-cut.constant)
        }
        for (r, bend) in bends.enumerated() {
            let place = own + rows.count + cuts.count + r
            G[place, bend.asset] = bend.slope / size
            G[place, bend.column] = -1
            h.append((bend.slope * bend.weight - bend.value) / size)
        }
        var A = Matrix(rows: compiled.A.rows, columns: columns)
        for j in 0..<compiled.columns {
            for r in 0..<A.rows { A.storage[r + j * A.rows] = compiled.A.storage[r + j * A.rows] }
        }
        var cost = q
        var P: Matrix?
        if let centre {
            for j in 0..<columns { G[count - 1, j] = q[j] }
            h.append(level - constant)
            var identity = Matrix(rows: columns, columns: columns)
            cost = [Double](repeating: 0, count: columns)
            for i in 0..<assets {
                identity[i, i] = 1
                cost[i] = -centre[i]
            }
            P = identity
        }
        let program = QuadraticProgram(P: P, q: cost, A: A, b: compiled.b, G: G, h: h, lower: lower, upper: upper)
        guard let found = try? InteriorPointMethod.solve(program, settings: SolverSettings(deadline: deadline)) else {
            return nil
        }
        let shares = cuts.indices.map { max(found.inequalityDuals[own + rows.count + $0], 0) }
        var slopes = kinks(found)
        var whole = [Double](repeating: 0, count: assets)
        var bent = whole
        for (r, bend) in bends.enumerated() {
            let share = max(found.inequalityDuals[own + rows.count + cuts.count + r], 0)
            whole[bend.asset] += share
            bent[bend.asset] += share * bend.slope
        }
        for i in 0..<assets where whole[i] > 0 { slopes[i] += bent[i] / whole[i] }
        return Answer(
            status: found.status, weights: Array(found.x.prefix(assets)), bound: found.dualObjective + constant,
            shares: shares, costSlopes: slopes, found: found)
    }

    /// By constraint of the set, what a unit more room is worth to the objective, in its own units.
    func prices(_ found: QuadraticSolution) -> [Double] {
        compiled.prices(found, count: set.constraints.count).map { size * $0 }
    }

    /// Tangents of the costs of a 3/2 power, the nearest to the last portfolio's weights on either side.
    private func bends(
        _ known: [[Double]]
    ) -> [(asset: Int, column: Int, weight: Double, value: Double, slope: Double)] {
        guard let costs, let last = known.last else { return [] }
        var result: [(asset: Int, column: Int, weight: Double, value: Double, slope: Double)] = []
        for (i, column) in impacts {
            let places = Set(known.map { $0[i] } + [costs.reference[i]])
            let above = places.filter { $0 >= last[i] }.sorted().prefix(5)
            let below = places.filter { $0 < last[i] }.sorted(by: >).prefix(5)
            for weight in above + below {
                let change = weight - costs.reference[i]
                let root = abs(change).squareRoot()
                result.append(
                    (
                        i, column, weight, costs.impact[i] * abs(change) * root,
                        (change < 0 ? -1.5 : 1.5) * costs.impact[i] * root
                    ))
            }
        }
        return result
    }

    /// Slopes of the linear costs where a weight does not move, in the objective's units.
    private func kinks(_ found: QuadraticSolution) -> [Double] {
        var kinks = [Double](repeating: 0, count: assets)
        for item in costRows {
            let price = found.inequalityDuals[compiled.G.rows + item.row]
            kinks[item.asset] = size * (item.cost - min(max(price, 0), 2 * item.cost))
        }
        return kinks
    }

    /// By soft constraint, the share of its penalty that counts; of limits what `limitPrices` says, per unit of the caller's level.
    func softEvidence(_ found: QuadraticSolution, limitPrice: (Int) -> Double?) -> [SoftEvidence] {
        soft.enumerated().map { index, place in
            guard let row = place.row else {
                return SoftEvidence(share: min(max((limitPrice(index) ?? 0) / (size * place.cost), 0), 1))
            }
            let price = max(found.inequalityDuals[compiled.G.rows + row], 0)
            var kinks: [Double] = []
            if !place.hinges.isEmpty, price > 0 {
                kinks = [Double](repeating: 0, count: assets)
                for hinge in place.hinges {
                    kinks[hinge.asset] = max(found.inequalityDuals[compiled.G.rows + hinge.row], 0) / price
                }
            }
            return SoftEvidence(share: min(price / place.cost, 1), kinks: kinks)
        }
    }
}
