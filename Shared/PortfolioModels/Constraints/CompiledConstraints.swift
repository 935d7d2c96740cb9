import ConvexSolver
import ConvexSolver
import LinearAlgebra
import WireFormat

/// A constraint set as rows and bounds of a program, in the weights or, for ratios, in y = k w with k as last variable.
///
/// Columns are the N weights, then one hinge variable for each asset and hinge constraint that can be below its reference
/// (`e >= reference - w, e >= 0`), then k where the program is homogenised: `a'y - h k <= 0`.
struct CompiledConstraints: Sendable {
    private(set) var A: Matrix
    private(set) var b: [Double]
    private(set) var G: Matrix
    private(set) var h: [Double]
    private(set) var lower: [Double]
    private(set) var upper: [Double]
    /// The constraint that a row belongs to; nil for the rows of hinge variables and of homogenised bounds.
    private(set) var equalityOrigin: [Int?]
    private(set) var inequalityOrigin: [Int?]
    /// By inequality row, what was taken off it; nil where nothing was.
    private var thinRows: [Int: ThinRow]
    let assets: Int
    let columns: Int
    let isHomogenised: Bool

    /// The column of k.
    var scaleColumn: Int { columns - 1 }

    private typealias Row = (coefficients: [(Int, Double)], right: Double, origin: Int?)

    init(_ set: ConstraintSet, homogenised: Bool = false) {
        let n = set.assets.count
        assets = n
        isHomogenised = homogenised
        var hinges: [(constraint: Int, asset: Int)] = []
        for (index, constraint) in set.constraints.enumerated() {
            guard case .hinge(let hinge) = constraint.kind else { continue }
            for i in 0..<n where hinge.reference[i] > set.lower[i] { hinges.append((index, i)) }
        }
        columns = n + hinges.count + (homogenised ? 1 : 0)
        var equalities: [Row] = []
        var inequalities: [Row] = []
        var thinRows: [Int: ThinRow] = [:]
        func add(_ row: ThinRow, _ index: Int) {
            if row.share != 0 { thinRows[inequalities.count] = row }
            inequalities.append((Self.sparse(row.coefficients), row.level, index))
        }
        for (index, constraint) in set.constraints.enumerated() {
            switch constraint.kind {
            case .bounds, .convex: break
            case .equal(let a): equalities.append((Self.sparse(a), constraint.level, index))
            case .atMost(let a): add(ThinRow(a, atMost: constraint.level, set), index)
            case .atLeast(let a): add(ThinRow(a.map { -$0 }, atMost: -constraint.level, set), index)
            case .hinge(let hinge):
                var row: [(Int, Double)] = hinge.linear == 0 ? [] : (0..<n).map { ($0, hinge.linear) }
                for (k, owner) in hinges.enumerated() where owner.constraint == index {
                    row.append((n + k, hinge.weight))
                }
                let right = constraint.level + hinge.linear * hinge.reference.reduce(0, +)
                inequalities.append((row, right, index))
                for (k, owner) in hinges.enumerated() where owner.constraint == index {
                    inequalities.append(([(owner.asset, -1), (n + k, -1)], -hinge.reference[owner.asset], nil))
                }
            }
        }
        var lower = [Double](repeating: 0, count: columns)
        var upper = [Double](repeating: .infinity, count: columns)
        if homogenised {
            Self.homogeniseBounds(set, &equalities, &inequalities, &lower)
        } else {
            for i in 0..<n {
                lower[i] = set.lower[i]
                upper[i] = set.upper[i]
            }
        }
        self.lower = lower
        self.upper = upper
        self.thinRows = thinRows
        (A, b, equalityOrigin) = Self.dense(equalities, columns, homogenised)
        (G, h, inequalityOrigin) = Self.dense(inequalities, columns, homogenised)
    }

    /// By constraint of the set, a solution's prices.
    func prices(_ found: QuadraticSolution, count: Int) -> [Double] {
        var prices = [Double](repeating: 0, count: count)
        for (row, origin) in equalityOrigin.enumerated() {
            if let origin { prices[origin] += found.equalityDuals[row] }
        }
        for (row, origin) in inequalityOrigin.enumerated() {
            if let origin { prices[origin] += found.inequalityDuals[row] }
            thinRows[row]?.charge(found.inequalityDuals[row], to: &prices)
        }
        return prices
    }

    /// Adds `coefficients' w >= level` as a last inequality.
    mutating func require(_ coefficients: [Double], atLeast level: Double, _ set: ConstraintSet) {
        let thin = ThinRow(coefficients.map { -$0 }, atMost: -level, set)
        if thin.share != 0 { thinRows[h.count] = thin }
        let row = (0..<columns).map { $0 < assets ? thin.coefficients[$0] : 0 }
        G = G.appending(row: row)
        h.append(thin.level)
        inequalityOrigin.append(nil)
    }

    /// Adds `coefficients' y - charge k = level` as a last equality of a homogenised program.
    mutating func normalise(_ coefficients: [Double], charge: Double, level: Double) {
        let row = (0..<columns).map { $0 < assets ? coefficients[$0] : ($0 == scaleColumn ? -charge : 0) }
        A = A.appending(row: row)
        b.append(level)
        equalityOrigin.append(nil)
    }

    /// The program with an objective in the weights alone.
    func program(quadratic: Matrix?, linear: [Double]) -> QuadraticProgram {
        let q = (0..<columns).map { $0 < assets ? linear[$0] : 0 }
        var P: Matrix?
        if let quadratic {
            if columns == assets {
                P = quadratic
            } else {
                var padded = Matrix(rows: columns, columns: columns)
                for j in 0..<assets {
                    for i in 0..<assets { padded.storage[i + j * columns] = quadratic.storage[i + j * assets] }
                }
                P = padded
            }
        }
        return QuadraticProgram(P: P, q: q, A: A, b: b, G: G, h: h, lower: lower, upper: upper)
    }

    /// l k <= y <= u k. A zero lower bound stays a bound; an upper bound that the budget implies is left out.
    private static func homogeniseBounds(
        _ set: ConstraintSet, _ equalities: inout [Row], _ inequalities: inout [Row], _ lower: inout [Double]
    ) {
        let isLongOnly = set.lower.allSatisfy { $0 >= 0 }
        for i in set.assets.indices {
            let (low, high) = (set.lower[i], set.upper[i])
            lower[i] = low >= 0 ? 0 : -.infinity
            if low == high {
                equalities.append(([(i, 1)], low, nil))
                continue
            }
            if low != 0, low > -.infinity { inequalities.append(([(i, -1)], -low, nil)) }
            if high < .infinity, !(isLongOnly && high >= set.budget.max) { inequalities.append(([(i, 1)], high, nil)) }
        }
    }

    private static func sparse(_ row: [Double]) -> [(Int, Double)] {
        row.enumerated().filter { $0.element != 0 }.map { ($0.offset, $0.element) }
    }

    private static func dense(
        _ rows: [Row], _ columns: Int, _ homogenised: Bool
    ) -> (Matrix, [Double], [Int?]) {
        var matrix = Matrix(rows: rows.count, columns: columns)
        var right = [Double](repeating: 0, count: rows.count)
        for (r, row) in rows.enumerated() {
            for (column, value) in row.coefficients { matrix[r, column] += value }
            if homogenised { matrix[r, columns - 1] -= row.right } else { right[r] = row.right }
        }
        return (matrix, right, rows.map { $0.origin })
    }
}
