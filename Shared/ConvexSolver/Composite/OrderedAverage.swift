import LinearAlgebra

/// A level of an ordered weighted average: `weight x (sum of the `count` largest arguments)`.
///
/// Which scenarios are near the level is known: those in `inside` are among the largest for certain, those in `window` may be, all others
/// are not.
public struct OrderedLevel: Sendable {
    public var weight: Double
    /// Need not be a whole number.
    public var count: Double
    /// Number of scenarios that are in for certain: the first ones of `order`.
    public var inside: Int
    /// How many scenarios of `order` come after those and may be in.
    public var window: Int

    public init(weight: Double, count: Double, inside: Int, window: Int) {
        self.weight = weight
        self.count = count
        self.inside = inside
        self.window = window
    }
}

/// Scenarios in their order, and the graph that the levels' centred weights make of them.
private struct ScenarioGraph {
    private let rows: Matrix
    private var laplacian: BandedLaplacian
    private var room: Matrix

    init(_ rows: Matrix, width: Int) {
        self.rows = rows
        laplacian = BandedLaplacian(order: rows.rows, width: max(width, 1))
        room = Matrix(rows: rows.rows, columns: rows.columns)
    }

    mutating func form(_ weights: [Double], _ levels: [OrderedLevel], _ first: [Int], into product: inout Matrix) {
        laplacian.reset()
        for (k, level) in levels.enumerated() {
            laplacian.addCentred(weights[first[k]..<first[k + 1]], from: level.inside)
        }
        laplacian.form(rows, into: &product, product: &room)
    }
}

/// `f = sum_k weight_k (sum of the count_k largest a)`, each level a quantile with a hinge over the scenarios near it.
///
/// The quantiles are variables of the block: each appears in its own level only and leaves a rank-one term, which takes the weighted mean of
/// the level's rows away. Few levels with wide windows are added up as centred rows; many levels with narrow windows as the Laplacian of
/// a graph over the scenarios in their order, which has as many rows as there are scenarios, not as there are levels and scenarios. Source: W. Ogryczak, T. Sliwinski (2003), On solving linear programs with the
/// ordered weighted averaging objective, European Journal of Operational Research 148.
final class OrderedAverage: Block {
    private let map: RowMap
    /// Scenarios by rank.
    private let order: [Int]
    private let levels: [OrderedLevel]
    /// Force of the scenarios that are in for certain, per unit of the multiplier.
    private var base: [Double]
    /// First row of each level.
    private let first: [Int]
    private var quantile: [Double]
    private var quantileStep: [Double]
    private let hinge: Hinge
    private var argument: [Double]
    /// The arguments, or their directions, by rank.
    private var ranked: [Double]
    private var near: [Double]
    /// Scaled and centred rows of some levels.
    private var rows = Matrix(rows: 0, columns: 0)
    private var product = Matrix(rows: 0, columns: 0)
    /// The scenarios' rows in their order; none where the graph has them.
    private var ranks = Matrix(rows: 0, columns: 0)
    /// The scenarios in their order, and the graph over them; nil where rows are fewer.
    private var graph: ScenarioGraph?
    private var stationarity: [Double]
    private var total: [Double]
    private var shift: [Double]
    private var perMultiplierShift: [Double]
    /// Forces by scenario, and what rows add up to by rank.
    private var series: [Double]
    private var sums: [Double]
    /// Roots of the rows' weights; none where the graph has the rows.
    private var roots: [Double] = []

    init(_ map: RowMap, order: [Int], levels: [OrderedLevel]) {
        precondition(map.borders.isEmpty)
        self.map = map
        self.order = order
        self.levels = levels
        var first: [Int] = []
        var costs: [Double] = []
        var certain = [Double](repeating: 0, count: map.rows + 1)
        for level in levels {
            first.append(costs.count)
            certain[level.inside] += level.weight
            costs += [Double](repeating: level.weight, count: level.window)
        }
        // A level's scenarios in for certain are those of all ranks below it.
        base = [Double](repeating: 0, count: map.rows)
        for rank in order.indices.reversed() {
            certain[rank] += certain[rank + 1]
            base[order[rank]] = certain[rank + 1]
        }
        self.first = first + [costs.count]
        hinge = Hinge(count: costs.count, cost: .linear(costs))
        near = [Double](repeating: 0, count: costs.count)
        argument = [Double](repeating: 0, count: map.rows)
        (ranked, dualSeries, series, sums) = (argument, argument, argument, argument)
        let widest = levels.map { $0.window }.max() ?? 0
        let (width, scenarios) = (map.columns.count, map.rows)
        let squares = levels.reduce(0) { $0 + $1.window * $1.window }
        if costs.count * width * width > squares / 2 + scenarios * (2 * widest + 64 + width) * width {
            graph = ScenarioGraph(map.matrix.selecting(rows: order).scaled(by: map.factor), width: widest)
        } else {
            // Ranks beyond the last window are in no level.
            let last = levels.reduce(0) { max($0, $1.inside + $1.window) }
            ranks = map.matrix.selecting(rows: Array(order.prefix(last))).scaled(by: map.factor)
            roots = near
            rows = Matrix(rows: min(max(2 * Workspace.largestGroup, widest), costs.count), columns: width)
        }
        let zeros = [Double](repeating: 0, count: levels.count)
        (quantile, quantileStep, stationarity, total, shift, perMultiplierShift) = (
            zeros, zeros, zeros, zeros, zeros, zeros
        )
    }

    var complementarity: (pairs: Int, sum: Double) { hinge.complementarity }
    var needsCommonStep: Bool { false }
    private(set) var ownResidual = 0.0

    private var dualSeries: [Double]

    /// Arguments by row, less the level's quantile or its step.
    private func spread(_ quantile: [Double]) {
        for rank in order.indices { ranked[rank] = argument[order[rank]] }
        Self.spread(ranked, levels, first, quantile, &near)
    }

    private static func spread(
        _ ranked: [Double], _ levels: [OrderedLevel], _ first: [Int], _ quantile: [Double], _ near: inout [Double]
    ) {
        let ranked = ranked.span
        var out = near.mutableSpan
        for (k, level) in levels.enumerated() {
            let (row, middle) = (first[k], quantile[k])
            for i in 0..<level.window { out[row + i] = ranked[level.inside + i] - middle }
        }
    }

    /// Adds each row's `force - weight x shift of its level` to its scenario.
    private func gather(_ forces: [Double], _ weights: [Double], _ shift: [Double], into series: inout [Double]) {
        for rank in sums.indices { sums[rank] = 0 }
        Self.gather(forces, weights, shift, levels, first, &sums)
        for rank in order.indices { series[order[rank]] += sums[rank] }
    }

    private static func gather(
        _ forces: [Double], _ weights: [Double], _ shift: [Double], _ levels: [OrderedLevel], _ first: [Int],
        _ sums: inout [Double]
    ) {
        let forces = forces.span
        let weights = weights.span
        var out = sums.mutableSpan
        for (k, level) in levels.enumerated() {
            let (row, rank, move) = (first[k], level.inside, shift[k])
            for i in 0..<level.window { out[rank + i] += forces[row + i] - weights[row + i] * move }
        }
    }

    func start(_ v: [Double], multiplier: Double, mu: Double) {
        map.argument(v, into: &argument)
        for (k, level) in levels.enumerated() {
            let sorted = (0..<level.window).map { argument[order[level.inside + $0]] }.sorted(by: >)
            let rank = min(max(Int((level.count - Double(level.inside)).rounded(.down)), 0), max(level.window - 1, 0))
            quantile[k] = sorted.isEmpty ? 0 : sorted[rank]
        }
        spread(quantile)
        // In narrow windows arguments are small: their centre is that of the whole and their own in the mean.
        let share = (Self.size(near) / max(Self.size(argument), .leastNormalMagnitude)).squareRoot()
        hinge.start(near, v, multiplier: multiplier, mu: min(share, 1) * mu)
    }

    /// The root mean square.
    private static func size(_ values: [Double]) -> Double {
        Vector.norm2(values) / Double(max(values.count, 1)).squareRoot()
    }

    func evaluate(_ v: [Double], multiplier: Double) -> Double {
        map.argument(v, into: &argument)
        spread(quantile)
        var value = hinge.evaluate(near, v, multiplier: multiplier)
        let force = hinge.force
        var (worst, size) = (0.0, 0.0)
        for k in levels.indices {
            let rest = rest(k)
            value += rest * quantile[k]
            var sum = 0.0
            for row in first[k]..<first[k + 1] { sum += force[row] }
            stationarity[k] = multiplier * rest - sum
            worst = max(worst, abs(stationarity[k]))
            size = max(size, multiplier * abs(rest), abs(sum))
        }
        ownResidual = size > 0 ? worst / size : 0
        for k in shift.indices { shift[k] = 0 }
        for t in base.indices { dualSeries[t] = multiplier * base[t] }
        gather(force, force, shift, into: &dualSeries)
        return value + Vector.dot(base, argument)
    }

    func addGradient(to gradient: inout [Double], multiplier: Double) { map.addAdjoint(dualSeries, to: &gradient) }

    func addCurvature(to core: inout CoreMatrix, _ workspace: inout Workspace, multiplier: Double) {
        hinge.linearise(multiplier: multiplier)
        let weights = hinge.weights
        let width = map.columns.count
        if product.rows != width { product = Matrix(rows: width, columns: width) }
        addUp(weights, levels: levels.indices)
        if graph != nil {
            graph?.form(weights, levels, first, into: &product)
            core.add(product, at: map.columns)
            return
        }
        // Rows x_t - (weighted mean of its level), a part at a time: memory stays that of the panel.
        for row in roots.indices { roots[row] = weights[row].squareRoot() }
        var (k, isFirst) = (0, true)
        while k < levels.count {
            var (end, count) = (k, 0)
            while end < levels.count, count + levels[end].window <= rows.rows {
                count += levels[end].window
                end += 1
            }
            fill(levels: k..<end, weights)
            product.syrk(firstRows: count, of: rows, beta: isFirst ? 0 : 1)
            isFirst = false
            k = end
        }
        if !isFirst { core.add(product, at: map.columns) }
    }

    /// Sums of the levels' weights.
    private func addUp(_ weights: [Double], levels range: Range<Int>) {
        for k in range {
            var sum = 0.0
            for row in first[k]..<first[k + 1] { sum += weights[row] }
            total[k] = sum
        }
    }

    /// The scaled and centred rows of some levels.
    private func fill(levels range: Range<Int>, _ weights: [Double]) {
        let start = first[range.lowerBound]
        for k in range {
            rows.setCentred(
                ranks, from: levels[k].inside, masses: weights[first[k]..<first[k + 1]],
                factors: roots[first[k]..<first[k + 1]], at: first[k] - start)
        }
    }

    /// The change of each level's quantile for forces that its rows see, and what the scenarios see of it in `series`.
    private func settle(_ forces: [Double], _ pull: (Int) -> Double, _ shift: inout [Double]) {
        for k in levels.indices {
            var sum = -pull(k)
            for row in first[k]..<first[k + 1] { sum += forces[row] }
            shift[k] = total[k] > 0 ? sum / total[k] : 0
        }
        gather(forces, hinge.weights, shift, into: &series)
    }

    /// What a level pays for its quantile, per unit of the multiplier.
    private func rest(_ k: Int) -> Double { levels[k].weight * (levels[k].count - Double(levels[k].inside)) }

    func addMultiplierColumn(to column: inout [Double], multiplier: Double) -> Double {
        hinge.lineariseMultiplier(multiplier: multiplier)
        let forces = hinge.forcePerMultiplier
        Vector.copy(base, into: &series)
        settle(forces, { rest($0) }, &perMultiplierShift)
        map.addAdjoint(series, to: &column)
        var corner = hinge.multiplierTerms.corner
        for k in levels.indices {
            var sum = -rest(k)
            for row in first[k]..<first[k + 1] { sum += forces[row] }
            corner += total[k] > 0 ? sum * sum / total[k] : 0
        }
        return corner
    }

    func condense(target: Double, corrects: Bool, multiplier: Double, into rest: inout [Double]) -> Double {
        hinge.condense(target: target, corrects: corrects, multiplier: multiplier)
        for t in series.indices { series[t] = 0 }
        settle(hinge.constant, { stationarity[$0] }, &shift)
        map.addAdjoint(series, to: &rest)
        // d f at rest: the hinge's own constant, and what the quantiles' moves add to it.
        var constant = hinge.multiplierTerms.constant
        let forces = hinge.forcePerMultiplier
        for k in levels.indices {
            var sum = self.rest(k)
            for row in first[k]..<first[k + 1] { sum -= forces[row] }
            constant += sum * shift[k]
        }
        return constant
    }

    func recover(_ dv: [Double], multiplierStep: Double, multiplier: Double) {
        map.direction(dv, into: &argument)
        for rank in order.indices { ranked[rank] = argument[order[rank]] }
        let weights = hinge.weights
        for (k, level) in levels.enumerated() {
            let (row, rank) = (first[k], level.inside)
            var sum = 0.0
            for i in 0..<level.window { sum += weights[row + i] * ranked[rank + i] }
            quantileStep[k] =
                (total[k] > 0 ? sum / total[k] : 0) + shift[k] + multiplierStep * perMultiplierShift[k]
        }
        Self.spread(ranked, levels, first, quantileStep, &near)
        hinge.recover(near, dv, multiplierStep: multiplierStep, multiplier: multiplier)
    }

    func stepLimits() -> (primal: Double, dual: Double) { hinge.stepLimits() }
    func complementarity(afterPrimal primal: Double, dual: Double) -> Double {
        hinge.complementarity(afterPrimal: primal, dual: dual)
    }
    func advance(primal: Double, dual: Double) {
        for k in quantile.indices { quantile[k] += primal * quantileStep[k] }
        hinge.advance(primal: primal, dual: dual)
    }
    func rescale(_ factor: Double) {
        for k in quantile.indices { quantile[k] *= factor }
        hinge.rescale(factor)
    }
    func writeDualSeries(into series: inout [Double]) { write(dualSeries, into: &series) }
}
