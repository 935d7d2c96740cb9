import LinearAlgebra

/// Solves composite programs whose functions are piecewise linear exactly: from a point near the solution down the edges, to the one vertex
/// that is best.
///
/// A vertex is where as many of the bounds, rows and corners of scenarios meet as there are core variables. From each the steepest edge is
/// followed over all corners that still lie in its way, as in regressions by least absolute deviations, so that the steps number about as
/// many as the variables and not as the scenarios. A coordinate of the start that is on no bound is held by a pin, which any slope draws.
///
/// The answer is exact to rounding, with the prices of the vertex. Where a second solution may exist (a price of zero, a scenario that counts
/// nothing or in full on its corner) there is none: which of several is best to give is not this method's question.
///
/// Source: I. Barrodale, F. Roberts (1973), An Improved Algorithm for Discrete L1 Linear Approximation, SIAM J. Numer. Anal. 10; G. Bassett,
/// R. Koenker, G. Kordas (2004), Pessimistic Portfolio Allocation and Choquet Expected Utility, Journal of Financial Econometrics 2.
public enum VertexMethod {
    /// More core variables than this are the interior point's.
    public static let most = 64

    /// The only solution; nil where the program is not of this kind, or where the way does not end at one.
    /// - Parameter point: core variables from which to start, one a variable; within the bounds, rows and hard corners up to rounding.
    public static func solve(
        _ program: CompositeProgram, from point: [Double], deadline: SolverDeadline = .none
    ) -> CompositeSolution? {
        guard program.variables <= most, point.count == program.variables, point.allSatisfy({ $0.isFinite }),
            let parts = CornerPart.all(of: program)
        else { return nil }
        var descent = VertexDescent(program, parts)
        guard descent.begin(at: point), descent.descend(deadline), descent.settle() else { return nil }
        return descent.solution
    }
}

/// One part of a term: rows, each with a slope on either side of its corner at zero.
final class CornerPart {
    enum Side { case below, above, on }

    let place: (term: Int, part: Int)
    let map: ArgumentMap
    /// Slopes of the objective by the argument, below zero and above; infinite where it may not be above.
    let below: [Double]
    let above: [Double]
    var argument: [Double]
    var direction: [Double]
    var sides: [Side]

    init(_ place: (term: Int, part: Int), _ map: ArgumentMap, below: [Double], above: [Double]) {
        self.place = place
        self.map = map
        self.below = below
        self.above = above
        argument = [Double](repeating: 0, count: map.count)
        direction = argument
        sides = [Side](repeating: .below, count: map.count)
    }

    /// The parts of a program; nil where one is not piecewise linear.
    static func all(of program: CompositeProgram) -> [CornerPart]? {
        var result: [CornerPart] = []
        for (index, term) in program.terms.enumerated() {
            guard case .objective(let weight) = term.place, weight > 0 else { return nil }
            for (place, part) in term.parts.enumerated() {
                guard case .scenarios(let shape, let map) = part else { return nil }
                let slopes: (below: [Double], above: [Double])
                let none = [Double](repeating: 0, count: map.count)
                switch shape {
                case .hard: slopes = (none, none.map { _ in .infinity })
                case .sum(let cost):
                    let own = cost.map { weight * $0 }
                    slopes = (own, own)
                case .linear(let cost, let reflection) where reflection <= 1 && cost.allSatisfy({ $0 >= 0 }):
                    slopes = (
                        reflection == 0 ? none : cost.map { weight * reflection * $0 }, cost.map { weight * $0 }
                    )
                default: return nil
                }
                result.append(CornerPart((index, place), map, below: slopes.below, above: slopes.above))
            }
        }
        return result
    }

    func slope(_ t: Int) -> Double {
        switch sides[t] {
        case .below: below[t]
        case .above: above[t]
        case .on: 0
        }
    }
}

extension ArgumentMap {
    /// v += factor x row t.
    fileprivate func add(row t: Int, times factor: Double, to v: inout [Double]) {
        switch self {
        case .rows(let map):
            for (j, index) in map.columns.enumerated() {
                v[index] += factor * map.sign * map.matrix.storage[t + j * map.matrix.rows]
            }
            for border in map.borders { v[border.index] += factor * border.values[t] }
        case .coordinates(let map):
            v[map.columns[t]] += factor * map.sign
            if let scale = map.scale { v[scale] -= factor * map.sign * map.reference[t] }
        }
    }

    /// A core variable that lowers all rows as it grows.
    fileprivate var lever: RowMap.Border? {
        guard case .rows(let map) = self else { return nil }
        return map.borders.first { border in border.values.allSatisfy { $0 < 0 } }
    }
}

/// The state of one descent.
private struct VertexDescent {
    private enum Active: Equatable {
        case equality(Int), low(Int), high(Int), pin(Int), corner(part: Int, row: Int)
    }

    private let program: CompositeProgram
    private let parts: [CornerPart]
    private let count: Int
    private var x: [Double]
    private var linear: [Double]
    /// Of the objective as it is around x, without the corners that x is on.
    private var gradient: [Double]
    private var active: [Active] = []
    /// Whether a coordinate is on one of its bounds.
    private var isBound: [Bool]
    /// The inverse of the active rows, by columns: edge k leaves constraint k and stays on the others.
    private var edges: Matrix
    private var prices: [Double]
    private let ones: [Double]
    /// Of the edges; a choice by those of a few steps ago is as good.
    private var squares: [Double] = []
    private var pivots = 0
    /// What lies in the way along an edge, and what of it is passed; kept for their memory.
    private var ahead: [Crossing] = []
    private var passed: [Crossing] = []

    init(_ program: CompositeProgram, _ parts: [CornerPart]) {
        self.program = program
        self.parts = parts
        count = program.variables
        x = [Double](repeating: 0, count: count)
        linear = program.cost
        for term in program.terms {
            guard case .objective(let weight) = term.place else { continue }
            for entry in term.linear { linear[entry.index] += weight * entry.coefficient }
        }
        gradient = linear
        isBound = [Bool](repeating: false, count: count)
        edges = Matrix.identity(count)
        prices = x
        ones = [Double](repeating: 1, count: count)
    }

    // MARK: Start

    /// Pins the point; false where it cannot be made to satisfy the equality rows within the bounds.
    mutating func begin(at point: [Double]) -> Bool {
        let n = count
        for i in 0..<n {
            let (low, high) = (program.lower[i], program.upper[i])
            guard low <= high else { return false }
            x[i] = min(max(point[i], low), high)
            let reach = 1e-10 * max(1, abs(x[i]))
            if x[i] <= low + reach {
                (x[i], isBound[i]) = (low, true)
                active.append(.low(i))
            } else if x[i] >= high - reach {
                (x[i], isBound[i]) = (high, true)
                active.append(.high(i))
            } else {
                active.append(.pin(i))
            }
        }
        return freeEqualities() && evaluate()
    }

    /// Lets one coordinate follow each equality row, those with most room first.
    private mutating func freeEqualities() -> Bool {
        let (n, A) = (count, program.equalities)
        for r in 0..<A.rows {
            let row = edges.transposedMultiplied(by: A.row(r))
            var best: (place: Int, size: Double)?
            for k in 0..<n {
                guard case .pin(let i) = active[k] else { continue }
                let room = min(x[i] - program.lower[i], program.upper[i] - x[i], 1e3)
                let size = abs(row[k]) * room
                if size > best?.size ?? 1e-9 { best = (k, size) }
            }
            guard let place = best?.place else { return false }
            replace(place, by: .equality(r), row)
        }
        var missing = program.equalityLevels
        for i in 0..<n where x[i] != 0 {
            for r in 0..<A.rows { missing[r] -= A.storage[r + i * A.rows] * x[i] }
        }
        for k in 0..<n {
            guard case .equality(let r) = active[k] else { continue }
            guard abs(missing[r]) <= 1e-6 * max(1, abs(program.equalityLevels[r])) else { return false }
            for i in 0..<n { x[i] += missing[r] * edges.storage[i + k * n] }
        }
        return (0..<n).allSatisfy { isBound[$0] || (x[$0] > program.lower[$0] && x[$0] < program.upper[$0]) }
    }

    /// Arguments, sides and the gradient at x.
    private mutating func evaluate() -> Bool {
        for p in parts.indices {
            parts[p].map.argument(x, into: &parts[p].argument)
            let most = parts[p].argument.reduce(-Double.infinity, max)
            if parts[p].above.contains(.infinity), most > 0 {
                guard let lever = parts[p].map.lever, let k = active.firstIndex(of: .pin(lever.index)) else {
                    guard most <= 1e-12 else { return false }
                    continue
                }
                let least = lever.values.reduce(0) { min($0, abs($1)) == 0 ? abs($1) : min($0, abs($1)) }
                x[lever.index] += edges.storage[lever.index + k * count] * most / least * (1 + 1e-12)
                parts[p].map.argument(x, into: &parts[p].argument)
            }
        }
        gradient = linear
        for p in parts.indices {
            parts[p].map.argument(x, into: &parts[p].argument)
            var force = parts[p].argument
            for t in force.indices {
                parts[p].sides[t] = parts[p].argument[t] > 0 && parts[p].above[t] < .infinity ? .above : .below
                force[t] = parts[p].slope(t)
            }
            parts[p].map.addAdjoint(force, to: &gradient)
        }
        return true
    }

    // MARK: Descent

    /// Follows edges until none leads down; false where the way does not end, or has no end.
    mutating func descend(_ deadline: SolverDeadline) -> Bool {
        var idle = 0
        while pivots < 60 + 12 * count {
            if pivots % 16 == 15, deadline.interruption != nil { return false }
            guard let (place, sign, slope) = steepest() else { return true }
            pivots += 1
            guard let length = follow(place, sign, slope) else { return false }
            idle = length > 0 ? 0 : idle + 1
            if idle > 2 * count { return false }
        }
        return false
    }

    /// The edge along which the objective falls fastest, and by how much a unit.
    private mutating func steepest() -> (place: Int, sign: Double, slope: Double)? {
        var best: (place: Int, sign: Double, slope: Double)?
        var most = 0.0
        edges.gemv(gradient, transposed: true, into: &prices)
        if pivots % 4 == 0 { squares = edges.columnSquares(weights: ones) }
        for k in 0..<count {
            let price = prices[k]
            var (sign, slope) = (0.0, 0.0)
            switch active[k] {
            case .equality: continue
            case .low(let i):
                if price < 0, program.lower[i] < program.upper[i] { (sign, slope) = (1, price) }
            case .high(let i):
                if price > 0, program.lower[i] < program.upper[i] { (sign, slope) = (-1, -price) }
            case .pin: (sign, slope) = (price > 0 ? -1 : 1, -abs(price))
            case .corner(let p, let t):
                let (up, down) = (price + parts[p].above[t], -price - parts[p].below[t])
                if up < 0 { (sign, slope) = (1, up) } else if down < 0 { (sign, slope) = (-1, down) }
            }
            let promise = slope * slope / squares[k]
            if slope < -1e-11, promise > most { (most, best) = (promise, (k, sign, slope)) }
        }
        return best
    }

    private struct Crossing {
        var length: Double
        /// By how much the slope rises there; infinite where the way ends.
        var rise: Double
        /// Less than zero for a bound.
        var part: Int
        var index: Int
    }

    /// Goes along an edge to where the objective is least, and makes what is there active; nil where nothing ends the way.
    private mutating func follow(_ place: Int, _ sign: Double, _ slope: Double) -> Double? {
        let n = count
        var d = edges.column(place)
        if sign < 0 { for i in 0..<n { d[i] = -d[i] } }
        ahead.removeAll(keepingCapacity: true)
        passed.removeAll(keepingCapacity: true)
        for i in 0..<n where !isBound[i] && abs(d[i]) > 1e-12 {
            let bound = d[i] > 0 ? program.upper[i] : program.lower[i]
            guard abs(bound) < .infinity else { continue }
            ahead.append(
                .init(length: max((bound - x[i]) / d[i], 0), rise: .infinity, part: -1, index: i))
        }
        for p in parts.indices {
            parts[p].map.direction(d, into: &parts[p].direction)
            gather(parts[p], p)
        }
        var total = slope
        while true {
            var next = -1
            for (k, crossing) in ahead.enumerated() where next < 0 || crossing.length < ahead[next].length { next = k }
            guard next >= 0 else { return nil }
            let crossing = ahead[next]
            total += crossing.rise
            guard total < 0 else {
                leave(place, sign)
                for earlier in passed { cross(earlier) }
                guard enter(crossing, place, along: d) else { return nil }
                return crossing.length
            }
            passed.append(crossing)
            ahead[next] = ahead[ahead.count - 1]
            ahead.removeLast()
        }
    }

    /// The corners of a part that lie ahead.
    private mutating func gather(_ part: CornerPart, _ p: Int) {
        let (argument, direction, sides) = (part.argument, part.direction, part.sides)
        for t in argument.indices {
            let speed = direction[t]
            guard abs(speed) > 1e-12, sides[t] == (speed > 0 ? .below : .above) else { continue }
            let rise = (part.above[t] - part.below[t]) * abs(speed)
            guard rise > 0 else { continue }
            ahead.append(
                .init(length: max(-argument[t] / speed, 0), rise: rise, part: p, index: t))
        }
    }

    private mutating func leave(_ place: Int, _ sign: Double) {
        switch active[place] {
        case .low(let i), .high(let i): isBound[i] = false
        case .corner(let p, let t):
            parts[p].sides[t] = sign > 0 ? .above : .below
            parts[p].map.add(row: t, times: parts[p].slope(t), to: &gradient)
        case .pin, .equality: break
        }
    }

    private mutating func cross(_ crossing: Crossing) {
        guard crossing.part >= 0 else { return }
        let (p, t) = (crossing.part, crossing.index)
        let before = parts[p].slope(t)
        parts[p].sides[t] = parts[p].sides[t] == .below ? .above : .below
        parts[p].map.add(row: t, times: parts[p].slope(t) - before, to: &gradient)
    }

    private mutating func enter(_ crossing: Crossing, _ place: Int, along d: [Double]) -> Bool {
        let n = count
        for i in 0..<n { x[i] += crossing.length * d[i] }
        for p in parts.indices { Vector.axpy(crossing.length, parts[p].direction, &parts[p].argument) }
        let entering: Active
        let row: [Double]
        if crossing.part >= 0 {
            let (p, t) = (crossing.part, crossing.index)
            parts[p].map.add(row: t, times: -parts[p].slope(t), to: &gradient)
            parts[p].sides[t] = .on
            parts[p].argument[t] = 0
            var normal = [Double](repeating: 0, count: n)
            parts[p].map.add(row: t, times: 1, to: &normal)
            row = edges.transposedMultiplied(by: normal)
            entering = .corner(part: p, row: t)
        } else {
            let i = crossing.index
            let isLow = d[i] < 0
            x[i] = isLow ? program.lower[i] : program.upper[i]
            isBound[i] = true
            row = edges.row(i)
            entering = isLow ? .low(i) : .high(i)
        }
        guard abs(row[place]) > 1e-9 else { return false }
        replace(place, by: entering, row)
        return true
    }

    /// Puts a constraint in the place of another.
    /// - Parameter row: the constraint's own row over the edges.
    private mutating func replace(_ place: Int, by entering: Active, _ row: [Double]) {
        let pivot = row[place]
        let edge = edges.column(place).map { $0 / pivot }
        var others = row
        others[place] = pivot - 1
        edges.addOuter(edge, others, scale: -1)
        active[place] = entering
    }

    // MARK: End

    /// Removes what the updates left of rounding, and asks whether the vertex is the only solution.
    mutating func settle() -> Bool {
        for _ in 0..<2 {
            let missing = active.map { residual(of: $0) }
            for k in 0..<count where missing[k] != 0 {
                for i in 0..<count { x[i] += missing[k] * edges.storage[i + k * count] }
            }
            for constraint in active {
                switch constraint {
                case .low(let i): x[i] = program.lower[i]
                case .high(let i): x[i] = program.upper[i]
                default: break
                }
            }
            for p in parts.indices { parts[p].map.argument(x, into: &parts[p].argument) }
        }
        prices = [Double](repeating: 0, count: count)
        for _ in 0..<3 {
            edges.gemv(stationarity(), transposed: true, beta: 1, into: &prices)
        }
        return isAllowed && isOnly
    }

    /// What a tight constraint misses.
    private func residual(of constraint: Active) -> Double {
        switch constraint {
        case .low(let i): return program.lower[i] - x[i]
        case .high(let i): return program.upper[i] - x[i]
        case .pin: return 0
        case .corner(let p, let t): return -parts[p].argument[t]
        case .equality(let r):
            var level = program.equalityLevels[r]
            for i in 0..<count { level -= program.equalities.storage[r + i * program.equalities.rows] * x[i] }
            return level
        }
    }

    /// The slopes of a part's rows, corners at their prices.
    private func force(_ p: Int) -> [Double] {
        var force = parts[p].argument.indices.map { parts[p].slope($0) }
        for (k, constraint) in active.enumerated() {
            if case .corner(p, let t) = constraint { force[t] = -prices[k] }
        }
        return force
    }

    /// What the prices leave of the objective's slope.
    private func stationarity() -> [Double] {
        var rest = linear
        for p in parts.indices { parts[p].map.addAdjoint(force(p), to: &rest) }
        for (k, constraint) in active.enumerated() {
            switch constraint {
            case .low(let i), .high(let i), .pin(let i): rest[i] -= prices[k]
            case .equality(let r):
                for i in 0..<count {
                    rest[i] -= prices[k] * program.equalities.storage[r + i * program.equalities.rows]
                }
            case .corner: break
            }
        }
        return rest
    }

    private var isAllowed: Bool {
        for i in 0..<count where x[i] < program.lower[i] || x[i] > program.upper[i] { return false }
        for part in parts {
            for t in part.argument.indices where part.above[t] > part.below[t] {
                let size = 1e-11 * max(1, abs(part.argument[t]))
                switch part.sides[t] {
                case .below where part.argument[t] > size, .above where part.argument[t] < -size: return false
                case .on where abs(part.argument[t]) > size: return false
                default: break
                }
            }
        }
        return true
    }

    /// Whether every tight constraint has a price, and every corner lies strictly between its slopes.
    private var isOnly: Bool {
        let size = max(linear.reduce(0) { max($0, abs($1)) }, prices.reduce(0) { max($0, abs($1)) })
        guard size.isFinite, stationarity().allSatisfy({ abs($0) <= 1e-11 * size }) else { return false }
        let least = 1e-9 * size
        for (k, constraint) in active.enumerated() {
            switch constraint {
            case .equality: continue
            case .pin: return false
            case .low(let i): if prices[k] < least, program.lower[i] < program.upper[i] { return false }
            case .high(let i): if -prices[k] < least, program.lower[i] < program.upper[i] { return false }
            case .corner(let p, let t):
                let (low, high) = (parts[p].below[t], parts[p].above[t])
                let margin = high < .infinity ? min(least, 1e-9 * (high - low)) : least
                if -prices[k] < low + margin || -prices[k] > high - margin { return false }
            }
        }
        return true
    }

    var solution: CompositeSolution {
        let n = count
        var (equality, lower, upper) = (program.equalityLevels.map { _ in 0.0 }, x.map { _ in 0.0 }, x.map { _ in 0.0 })
        for (k, constraint) in active.enumerated() {
            switch constraint {
            case .equality(let r): equality[r] = -prices[k]
            case .low(let i): if prices[k] >= 0 { lower[i] = prices[k] } else { upper[i] = -prices[k] }
            case .high(let i): upper[i] = -prices[k]
            case .pin, .corner: break
            }
        }
        var series = program.terms.map { term in [[Double]](repeating: [], count: term.parts.count) }
        var values = program.terms.map { term in term.linear.reduce(0) { $0 + $1.coefficient * x[$1.index] } }
        var weights = values.map { _ in 1.0 }
        for (index, term) in program.terms.enumerated() {
            if case .objective(let weight) = term.place { weights[index] = weight }
        }
        for (p, part) in parts.enumerated() {
            series[part.place.term][part.place.part] = force(p)
            var sum = 0.0
            for t in part.argument.indices where part.sides[t] != .on { sum += part.slope(t) * part.argument[t] }
            values[part.place.term] += sum / weights[part.place.term]
        }
        let rest = stationarity().reduce(0) { max($0, abs($1)) }
        let missing = active.reduce(0) { max($0, abs(residual(of: $1))) }
        return CompositeSolution(
            status: .optimal, v: x, equalityDuals: equality, lowerDuals: lower, upperDuals: upper,
            multipliers: weights, dualSeries: series, values: values, iterations: pivots, relativeGap: 0,
            primalResidual: missing, dualResidual: n > 0 ? rest : 0)
    }
}
