import LinearAlgebra

/// The state of one descent.
struct VertexDescent {
    typealias Side = CornerPart.Side

    enum Active: Equatable {
        case equality(Int), low(Int), high(Int), pin(Int), corner(part: Int, row: Int)
    }

    let program: CompositeProgram
    let parts: [CornerPart]
    let count: Int
    var x: [Double]
    var linear: [Double]
    /// Of the objective as it is around x, without the corners that x is on.
    var gradient: [Double]
    var active: [Active] = []
    /// Whether a coordinate is on one of its bounds.
    var isBound: [Bool]
    /// The inverse of the active rows, by columns: edge k leaves constraint k and stays on the others.
    var edges: Matrix
    var prices: [Double]
    let ones: [Double]
    /// Of the edges; a choice by those of a few steps ago is as good.
    var squares: [Double] = []
    var pivots = 0
    /// Corners farther along an edge than this are looked at only if those before do not end the way.
    var reach = Double.greatestFiniteMagnitude
    /// What lies in the way along an edge, and what of it is passed; kept for their memory.
    var ahead: [Crossing] = []
    var passed: [Crossing] = []

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
    mutating func freeEqualities() -> Bool {
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
    mutating func evaluate() -> Bool {
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
                parts[p].sides[t] = parts[p].argument[t] > 0 && parts[p].above[t] < .infinity ? Side.above : Side.below
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
    mutating func steepest() -> (place: Int, sign: Double, slope: Double)? {
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

    struct Crossing {
        var length: Double
        /// By how much the slope rises there; infinite where the way ends.
        var rise: Double
        /// Less than zero for a bound.
        var part: Int
        var index: Int
    }

    /// Goes along an edge to where the objective is least, and makes what is there active; nil where nothing ends the way.
    mutating func follow(_ place: Int, _ sign: Double, _ slope: Double) -> Double? {
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
        for part in parts {
            part.map.direction(d, into: &part.direction)
            part.lookAhead()
        }
        gather(slope)
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
                if crossing.length > 0 { reach = 4 * crossing.length }
                return crossing.length
            }
            passed.append(crossing)
            ahead[next] = ahead[ahead.count - 1]
            ahead.removeLast()
        }
    }

    /// The corners that lie ahead, the near ones alone where these end the way.
    private mutating func gather(_ slope: Double) {
        var (from, to) = (-Double.infinity, reach)
        while true {
            for (p, part) in parts.enumerated() {
                for t in part.lengths.indices where part.lengths[t] <= to && part.lengths[t] > from {
                    let rise = part.bend[t] * abs(part.direction[t])
                    ahead.append(.init(length: part.lengths[t], rise: rise, part: p, index: t))
                }
            }
            let total = ahead.reduce(slope) { $1.length <= to ? $0 + $1.rise : $0 }
            guard total < 0, to < .greatestFiniteMagnitude else { return }
            (from, to) = (to, to < 1e3 * reach ? 16 * to : .greatestFiniteMagnitude)
        }
    }

    mutating func leave(_ place: Int, _ sign: Double) {
        switch active[place] {
        case .low(let i), .high(let i): isBound[i] = false
        case .corner(let p, let t):
            parts[p].sides[t] = sign > 0 ? Side.above : Side.below
            parts[p].map.add(row: t, times: parts[p].slope(t), to: &gradient)
        case .pin, .equality: break
        }
    }

    mutating func cross(_ crossing: Crossing) {
        guard crossing.part >= 0 else { return }
        let (p, t) = (crossing.part, crossing.index)
        let before = parts[p].slope(t)
        parts[p].sides[t] = -parts[p].sides[t]
        parts[p].map.add(row: t, times: parts[p].slope(t) - before, to: &gradient)
    }

    mutating func enter(_ crossing: Crossing, _ place: Int, along d: [Double]) -> Bool {
        let n = count
        for i in 0..<n { x[i] += crossing.length * d[i] }
        for p in parts.indices { Vector.axpy(crossing.length, parts[p].direction, &parts[p].argument) }
        let entering: Active
        let row: [Double]
        if crossing.part >= 0 {
            let (p, t) = (crossing.part, crossing.index)
            parts[p].map.add(row: t, times: -parts[p].slope(t), to: &gradient)
            parts[p].sides[t] = Side.on
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
    mutating func replace(_ place: Int, by entering: Active, _ row: [Double]) {
        let pivot = row[place]
        let edge = edges.column(place).map { $0 / pivot }
        var others = row
        others[place] = pivot - 1
        edges.addOuter(edge, others, scale: -1)
        active[place] = entering
    }
}
