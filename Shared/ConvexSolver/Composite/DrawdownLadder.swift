import LinearAlgebra

/// Drawdowns as variables: `delta_t >= delta_(t-1) - x_t`, `delta_t >= 0`, `delta_0 = 0`, with x = X v the returns and a tail function
/// of `delta + sum coefficient v` on top.
///
/// The Newton system of the drawdowns is a ladder of resistors: conductance `e_t` from node t to ground, `d_t` between neighbours.
/// With B the difference of neighbours and D = diag(d), E = diag(e),
/// ```
/// Tri = D^-1 + B E^-1 B' = L G L',   b_t = 1/d_t + 1/a_(t-1),  a_t = e_t + 1/b_t,  G_t = b_t + 1/e_t
/// ```
/// is subtraction-free (a plain LDL' loses everything: the conductances span 24 orders of magnitude), and what is left on the core is
/// `Y'Y`, `Y = G^-1/2 L^-1 P`: one recurrence over the rows and one syrk. Solves are sweeps with voltage sources (Thevenin).
final class DrawdownLadder: Block {
    private let map: RowMap
    private let tail: any ScenarioFunction
    /// The core variables in the tail's argument, with one coefficient each.
    private let shifts: [(index: Int, coefficient: Double)]
    private let count: Int

    /// x + B delta >= 0 with q3, and delta >= 0 with p1.
    private var rungs: ComplementaryPairs
    private var floor: ComplementaryPairs
    private var rungResidual: [Double]
    private var stationarity: [Double]
    private var x: [Double]
    private var argument: [Double]
    private var rungRight: [Double]
    private var floorRight: [Double]
    // The ladder at the present point.
    private var ladder: ResistorLadder
    // What the rungs and the nodes ask for at rest.
    private var voltage: [Double]
    private var inflow: [Double]
    // Results of sweeps: the change of the drawdowns and of the rungs' prices.
    private var drop: [Double]
    private var current: [Double]
    /// Under a ceiling.
    private var dropPerMultiplier: [Double] = []
    // What a sweep reads.
    private var source: [Double]
    private var into: [Double]
    /// The core variables of the rows' columns.
    private var places: [Int] = []
    // A group of rows (`Workspace.group`), what each column's recurrence comes to before it, and the product of all.
    private var rows = Matrix(rows: 0, columns: 0)
    private var carried: [Double] = []
    private var product = Matrix(rows: 0, columns: 0)

    init(_ map: RowMap, tail: any ScenarioFunction, shifts: [(index: Int, coefficient: Double)]) {
        self.map = map
        self.tail = tail
        self.shifts = shifts
        count = map.rows
        rungs = ComplementaryPairs(count: count)
        floor = rungs
        let zeros = [Double](repeating: 0, count: count)
        (rungResidual, stationarity, x, argument, rungRight, floorRight) = (zeros, zeros, zeros, zeros, zeros, zeros)
        (voltage, inflow, drop, current) = (zeros, zeros, zeros, zeros)
        (source, into) = (zeros, zeros)
        ladder = ResistorLadder(count: count)
    }

    var complementarity: (pairs: Int, sum: Double) {
        let tail = tail.complementarity
        return (2 * count + tail.pairs, rungs.sum + floor.sum + tail.sum)
    }
    var needsCommonStep: Bool { tail.needsCommonStep }
    private(set) var ownResidual = 0.0

    func start(_ v: [Double], multiplier: Double, mu: Double) {
        map.argument(v, into: &x)
        // The drawdowns of the start, lifted so that every row has room.
        var (level, total) = (0.0, 0.0)
        for t in 0..<count {
            level = max(level - x[t], 0)
            floor.slack[t] = level
            total += level
        }
        let typical = max(total / Double(count), 1e-3)
        var previous = 0.0
        for t in 0..<count {
            let lift = (0.3 + 0.1 * Double(t) / Double(count)) * typical
            floor.slack[t] += lift
            rungs.slack[t] = max(x[t] + floor.slack[t] - previous, 0.02 * typical)
            previous = floor.slack[t]
            rungs.dual[t] = mu / rungs.slack[t]
            floor.dual[t] = mu / floor.slack[t]
        }
        shift(v)
        tail.start(argument, v, multiplier: multiplier, mu: mu)
    }

    private func shift(_ v: [Double]) {
        let offset = shifts.reduce(0) { $0 + $1.coefficient * v[$1.index] }
        for t in 0..<count { argument[t] = floor.slack[t] + offset }
    }

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        map.argument(v, into: &x)
        shift(v)
        let value = tail.evaluate(argument, v, multiplier: multiplier)
        let force = tail.force
        Self.rungResiduals(rungs.slack, x, floor.slack, &rungResidual)
        Self.nodeResiduals(rungs.dual, floor.dual, force, &stationarity)
        let size = max(Vector.normInfinity(rungs.dual), Vector.normInfinity(force))
        ownResidual = size > 0 ? Vector.normInfinity(stationarity) / size : 0
        return value
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) {
        map.addAdjoint(rungs.dual, times: -1, to: &gradient)
        let total = tail.force.reduce(0, +)
        for shift in shifts { gradient[shift.index] += shift.coefficient * total }
        if let scale = tail.scale { gradient[scale.index] += multiplier * scale.slope }
    }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        tail.linearise(multiplier: multiplier)
        guard count > 0 else { return }
        let weights = tail.weights
        ladder.set(rungs, floor, weights)
        // The tail's shares of the nodes and what is left beside them, in memory that is free until the next sweep.
        Self.split(weights, ladder.ground, floor.dual, floor.slack, &drop, &into)
        let columns = tail.columns
        if places.isEmpty {
            places =
                map.columns + map.borders.map { $0.index } + shifts.map { $0.index } + columns.map { $0.index }
            carried = [Double](repeating: 0, count: places.count)
        }
        let width = places.count
        let size = Workspace.group(of: count)
        if rows.rows != size || rows.columns != width { rows = Matrix(rows: size, columns: width) }
        if product.rows != width { product = Matrix(rows: width, columns: width) }
        for i in carried.indices { carried[i] = 0 }
        for start in stride(from: 0, to: count, by: size) {
            recur(map.matrix.storage, times: map.factor, from: start, at: 0)
            var place = map.columns.count
            for border in map.borders {
                recur(border.values, from: start, at: place)
                place += 1
            }
            for shift in shifts {
                Self.difference(drop, -shift.coefficient, &source)
                recur(source, from: start, at: place)
                place += 1
            }
            for column in columns {
                Self.difference(drop, column.values, &source)
                recur(source, from: start, at: place)
                place += 1
            }
            product.syrk(rows, transposed: true, beta: start == 0 ? 0 : 1)
        }
        core.add(product, at: places)
        addLeftover(into, columns, to: &core)
        if let scale = tail.scale { core.add(scale.curvature, scale.index, scale.index) }
    }

    /// What the floor's share of the nodes leaves of the tail's own columns, C: the tail moves with d delta - C d theta.
    private func addLeftover(_ leftover: [Double], _ columns: [RowMap.Border], to core: inout CoreMatrix) {
        let total = leftover.reduce(0, +)
        for (i, shift) in shifts.enumerated() {
            for (j, other) in shifts.enumerated() where j <= i {
                let sum = shift.coefficient * other.coefficient * total
                core.add(i != j && shift.index == other.index ? 2 * sum : sum, shift.index, other.index)
            }
        }
        for (i, column) in columns.enumerated() {
            for shift in shifts {
                let sum = -shift.coefficient * Vector.dot(leftover, column.values)
                core.add(column.index == shift.index ? 2 * sum : sum, column.index, shift.index)
            }
            for (j, other) in columns.enumerated() where j <= i {
                var sum = 0.0
                for t in 0..<count { sum += leftover[t] * column.values[t] * other.values[t] }
                core.add(i != j && column.index == other.index ? 2 * sum : sum, column.index, other.index)
            }
        }
    }

    /// Rows of a group by the recurrence of the ladder, from the column of `rows` on; rows after the last are zero.
    private func recur(_ source: [Double], times factor: Double = 1, from start: Int, at place: Int) {
        Self.recur(source, factor, ladder, from: start, into: &rows, carried: &carried, at: place)
    }

    /// target = root_t y_t, y_t = factor p_t + carry_t y_(t-1), columns side by side: the recurrence of one waits for itself.
    private static func recur(
        _ source: [Double], _ factor: Double, _ ladder: ResistorLadder, from start: Int, into target: inout Matrix,
        carried: inout [Double], at place: Int
    ) {
        let (count, size) = (ladder.roots.count, target.rows)
        let kept = min(size, count - start)
        let from = source.span
        let carry = ladder.carries.span
        let root = ladder.roots.span
        var to = target.storage.mutableSpan
        var last = carried.mutableSpan
        var (column, out, index) = (start, place * size, place)
        while column + 7 * count < from.count {
            var y = SIMD8<Double>()
            for k in 0..<8 { y[k] = last[index + k] }
            for t in 0..<kept {
                let at = column + t
                let p = SIMD8(
                    from[at], from[at + count], from[at + 2 * count], from[at + 3 * count], from[at + 4 * count],
                    from[at + 5 * count], from[at + 6 * count], from[at + 7 * count])
                y = factor * p + carry[start + t] * y
                let row = root[start + t] * y
                for k in 0..<8 { to[out + t + k * size] = row[k] }
            }
            for k in 0..<8 { last[index + k] = y[k] }
            column += 8 * count
            out += 8 * size
            index += 8
        }
        while column + count < from.count {
            var (y0, y1) = (last[index], last[index + 1])
            for t in 0..<kept {
                let at = column + t
                let (c, r) = (carry[start + t], root[start + t])
                y0 = factor * from[at] + c * y0
                y1 = factor * from[at + count] + c * y1
                to[out + t] = r * y0
                to[out + size + t] = r * y1
            }
            (last[index], last[index + 1]) = (y0, y1)
            column += 2 * count
            out += 2 * size
            index += 2
        }
        while column < from.count {
            var y = last[index]
            for t in 0..<kept {
                y = factor * from[column + t] + carry[start + t] * y
                to[out + t] = root[start + t] * y
            }
            last[index] = y
            column += count
            out += size
            index += 1
        }
        guard kept < size else { return }
        for j in place..<index {
            for t in kept..<size { to[j * size + t] = 0 }
        }
    }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double {
        tail.lineariseMultiplier(multiplier: multiplier)
        let force = tail.forcePerMultiplier
        if dropPerMultiplier.count != count { dropPerMultiplier = force }
        for t in 0..<count { (source[t], into[t]) = (0, -force[t]) }
        ladder.sweep(source, into, &dropPerMultiplier, &current)
        map.addAdjoint(current, times: -1, to: &column)
        addTail(dropPerMultiplier, force, to: &column)
        if let scale = tail.scale { column[scale.index] += scale.slope + scale.perMultiplier }
        return tail.multiplierTerms.corner - Vector.dot(force, dropPerMultiplier)
    }

    /// What a change of drawdowns and of the tail's forces does to the core variables of the tail.
    private func addTail(_ drop: [Double], _ force: [Double], to core: inout [Double]) {
        let weights = tail.weights
        let moved = Vector.dot(weights, drop) + (shifts.isEmpty ? 0 : force.reduce(0, +))
        for shift in shifts { core[shift.index] += shift.coefficient * moved }
        for column in tail.columns {
            var sum = 0.0
            for t in 0..<count { sum += column.values[t] * weights[t] * drop[t] }
            core[column.index] -= sum
        }
    }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double {
        tail.condense(target: target, corrects: corrects, multiplier: multiplier)
        rungs.rights(target, corrects, &rungRight)
        floor.rights(target, corrects, &floorRight)
        let constant = tail.constant
        Self.voltages(rungResidual, rungRight, rungs.dual, &voltage)
        Self.inflows(floorRight, floor.slack, constant, stationarity, &inflow)
        ladder.sweep(voltage, inflow, &drop, &current)
        map.addAdjoint(current, times: -1, to: &rest)
        addTail(drop, constant, to: &rest)
        if let scale = tail.scale { rest[scale.index] += scale.constant }
        return tail.multiplierTerms.constant + Vector.dot(tail.forcePerMultiplier, drop)
    }

    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {
        map.direction(dv, into: &x)
        Self.sum(voltage, x, &source)
        Self.sum(inflow, nil, &into)
        if multiplierStep != 0 { Vector.axpy(-multiplierStep, tail.forcePerMultiplier, &into) }
        let weights = tail.weights
        for shift in shifts where dv[shift.index] != 0 {
            Vector.axpy(-shift.coefficient * dv[shift.index], weights, &into)
        }
        for column in tail.columns where dv[column.index] != 0 {
            Self.addProduct(weights, column.values, dv[column.index], to: &into)
        }
        ladder.sweep(source, into, &drop, &current)
        // Swapped, not copied: the next sweep writes over what is left here.
        swap(&rungs.dualStep, &current)
        Self.rungSteps(x, drop, rungResidual, &rungs.slackStep)
        Self.floorSteps(floorRight, floor.dual, floor.slack, drop, &floor.dualStep)
        let offset = shifts.reduce(0) { $0 + $1.coefficient * dv[$1.index] }
        Self.shifted(drop, offset, &source)
        swap(&floor.slackStep, &drop)
        tail.recover(source, dv, multiplierStep: multiplierStep, multiplier: multiplier)
    }

    func stepLimits() -> (primal: Double, dual: Double) {
        let (a, b, c) = (rungs.stepLimits(), floor.stepLimits(), tail.stepLimits())
        return (min(a.primal, b.primal, c.primal), min(a.dual, b.dual, c.dual))
    }

    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        rungs.sum(afterPrimal: primal, dual: dual) + floor.sum(afterPrimal: primal, dual: dual)
            + tail.complementarity(afterPrimal: primal, dual: dual)
    }

    func advance(primal: Double, dual: Double) {
        rungs.advance(primal: primal, dual: dual)
        floor.advance(primal: primal, dual: dual)
        tail.advance(primal: primal, dual: dual)
    }

    func rescale(_ factor: Double) {
        rungs.rescale(factor)
        floor.rescale(factor)
        tail.rescale(factor)
    }

    func writeDualSeries(into series: inout [Double]) { write(rungs.dual, times: -1, into: &series) }
}
