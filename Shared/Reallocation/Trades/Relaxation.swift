import LinearAlgebra

/// Lower bounds of the trade problem within a box of steps and one cell of the tax.
///
/// The covariance is split, Sigma = M + t diag(Sigma) with M semidefinite. The diagonal stays with the one-asset choices, where it
/// bends their kinks; rows get multipliers nu >= 0. For any deviation d and any nu
///
///     bound = - kappa/2 d'Md - nu'limit + constant + sum_i min_k [ kappa (Md)_i d_i(k) + kappa t Sigma_ii d_i(k)^2 / 2 + price_i(k; nu) ]
///
/// holds, since a convex function lies above its tangent; the minima run over whole steps, minimum trades, tickets and lots, so
/// nothing of them is relaxed but their coupling. Good d and nu come from coordinate descent on the convex hulls of the
/// choices and root finding on one multiplier after the other; how good they are only matters for the bound's strength.
/// Source: Moehle, Kochenderfer, Boyd and Ang (2021), section 4 (the split); Lemarechal and Renaud (2001), A geometric study of
/// duality gaps, with applications (the hulls).
struct Relaxation {
    let model: TradeModel
    let cell: TaxCell
    let rows: [TradeModel.Row]
    private let share: Double
    /// Objective of the starting point without tax and costs, less its risk.
    private let constant: Double
    private var hulls = LowerHulls()
    private var orders: [LotOrder] = []
    private var orderRates: (short: Double, long: Double)?
    /// Sigma d.
    private var pull: [Double] = []

    init(_ model: TradeModel, _ cell: TaxCell) {
        self.model = model
        self.cell = cell
        share = model.diagonalShare
        var rows = model.rows
        for row in cell.rows {
            rows.append(TradeModel.Row(name: "tax", short: row.short, long: row.long, limit: row.limit))
        }
        if let budget = model.taxBudget {
            rows.append(
                TradeModel.Row(name: "tax_budget", short: cell.short, long: cell.long, limit: budget - cell.constant))
        }
        self.rows = rows
        let deviations = model.assets.map { $0.deviation }
        let risk = 0.5 * model.kappa * Vector.dot(deviations, model.covariance.symmetricMultiplied(by: deviations))
        constant = model.idleObjective - risk
    }

    /// The box of a node and what an earlier solve knows.
    struct Start {
        var low: [Double]
        var high: [Double]
        var k: [Double]
        var multipliers: [Double]
    }

    /// A bound with the point and the multipliers that made it.
    struct Bound {
        var value: Double
        /// Not whole in general.
        var k: [Double]
        var multipliers: [Double]
        /// The best whole choice of each asset by itself at these prices.
        var choice: [Double]
        /// How much each asset's choice was relaxed.
        var slack: [Double]
    }

    func prices(_ multipliers: [Double], asset: Int) -> ChoicePrices {
        ChoicePrices(multipliers, of: rows, in: cell, asset: asset)
    }

    /// Improves the bound for at most so many solves on the hulls, or until it reaches `cutoff`.
    mutating func bound(_ start: Start, cutoff: Double, solves: Int) -> Bound {
        var state = start
        for i in state.k.indices { state.k[i] = min(max(state.k[i], state.low[i]), state.high[i]) }
        var left = solves
        var best = Bound(value: -.infinity, k: state.k, multipliers: state.multipliers, choice: [], slack: [])
        var excess = solve(&state, &best)
        left -= 1
        // The hulls are finer around the point they were made at.
        for _ in 0..<2 where left > 0 && best.value < cutoff {
            excess = solve(&state, &best)
            left -= 1
        }
        var round = 0
        while left > 0, best.value < cutoff {
            let before = best.value
            for row in rows.indices where left > 0 && best.value < cutoff {
                guard
                    excess[row] > 1e-9 * scale(row) || (state.multipliers[row] > 0 && excess[row] < -1e-9 * scale(row))
                else { continue }
                excess = settle(row, &state, excess, &best, &left, cutoff)
            }
            round += 1
            if round >= 8 || best.value - before <= 1e-5 * best.value.magnitude { break }
        }
        return best
    }

    private func scale(_ row: Int) -> Double { max(rows[row].limit.magnitude, rows[row].count > 0 ? 1 : 1e-6) }

    /// Finds the multiplier at which a row is kept exactly, or zero where it is kept without one.
    private mutating func settle(
        _ row: Int, _ state: inout Start, _ first: [Double], _ best: inout Bound, _ left: inout Int, _ cutoff: Double
    ) -> [Double] {
        var excess = first
        var low: (nu: Double, excess: Double)?
        var high: (nu: Double, excess: Double)?
        var stride = max(state.multipliers[row], firstStride(row))
        for _ in 0..<14 where left > 0 && best.value < cutoff {
            let nu = state.multipliers[row]
            if excess[row] > 0 { low = (nu, excess[row]) } else { high = (nu, excess[row]) }
            if excess[row].magnitude <= 1e-4 * scale(row) && excess[row] <= 0 { break }
            if nu == 0, excess[row] <= 0 { break }
            let next: Double
            switch (low, high) {
            case (let low?, let high?):
                guard high.nu - low.nu > 1e-5 * high.nu else { return excess }
                let secant = low.nu + (high.nu - low.nu) * low.excess / (low.excess - high.excess)
                // Between a tenth and nine tenths, so that a jump is enclosed as well.
                next = min(max(secant, low.nu + 0.1 * (high.nu - low.nu)), high.nu - 0.1 * (high.nu - low.nu))
            case (let low?, nil):
                next = low.nu + stride
                stride *= 4
            case (nil, let high?): next = high.nu < firstStride(row) / 64 ? 0 : high.nu / 4
            case (nil, nil): return excess
            }
            state.multipliers[row] = next
            excess = solve(&state, &best)
            left -= 1
        }
        return excess
    }

    private func firstStride(_ row: Int) -> Double {
        if rows[row].count > 0 { return max(1e-3, 0.05 * model.idleObjective.magnitude / Double(max(model.count, 1))) }
        return rows[row].short != 0 || rows[row].long != 0 ? 0.05 : 2e-3
    }

    // MARK: One solve

    /// Hulls, descent, bound; returns by how much each row is broken at the relaxed point.
    private mutating func solve(_ state: inout Start, _ best: inout Bound) -> [Double] {
        let prices = (0..<model.count).map { self.prices(state.multipliers, asset: $0) }
        makeHulls(state, prices)
        descend(&state)
        evaluate(state, prices, &best)
        return excess(state)
    }

    private mutating func makeHulls(_ state: Start, _ prices: [ChoicePrices]) {
        let (short, long) = (prices.first?.short ?? 0, prices.first?.long ?? 0)
        if orderRates.map({ $0.short != short || $0.long != long }) ?? true {
            orders = model.assets.map { $0.boundOrder(short: short, long: long) }
            orderRates = (short, long)
        }
        hulls.removeAll()
        var points: [(k: Double, y: Double)] = []
        var samples: [Double] = []
        for (i, one) in model.assets.enumerated() {
            let curvature = model.kappa * share * model.covariance[i, i] * one.stepWeight * one.stepWeight
            let slope = model.kappa * share * model.covariance[i, i] * one.deviation * one.stepWeight
            samples.removeAll(keepingCapacity: true)
            Self.sample(one, orders[i], low: state.low[i], high: state.high[i], around: state.k[i], &samples)
            points.removeAll(keepingCapacity: true)
            for k in samples {
                points.append((k, one.price(k, prices[i], orders[i]) + k * (slope + 0.5 * curvature * k)))
            }
            hulls.append(points)
        }
    }

    /// Places at which the choice may bend, and some around the present point, ascending and allowed.
    static func sample(
        _ one: OneAsset, _ order: LotOrder, low: Double, high: Double, around: Double, _ out: inout [Double]
    ) {
        if high - low <= 24 {
            var k = low
            while k <= high {
                if k == 0 || k.magnitude >= one.leastTrade { out.append(k) }
                k += 1
            }
            if out.isEmpty { out.append(low) }
            return
        }
        func add(_ k: Double) {
            guard k >= low, k <= high, k == 0 || k.magnitude >= one.leastTrade else { return }
            out.append(k)
        }
        add(low)
        add(high)
        add(0)
        add(one.leastTrade)
        add(-one.leastTrade)
        for segment in one.buying where segment.to < high {
            add(segment.to.rounded(.down))
            add(segment.to.rounded(.up))
        }
        for segment in one.selling where segment.to < -low {
            add(-segment.to.rounded(.down))
            add(-segment.to.rounded(.up))
        }
        for piece in order.pieces where piece.to < -low {
            add(-piece.to.rounded(.down))
            add(-piece.to.rounded(.up))
        }
        let middle = around.rounded(.down)
        add(middle)
        add(middle + 1)
        var width = (high - low) / 4
        while width > 1 {
            add((around - width).rounded())
            add((around + width).rounded())
            width /= 2.5
        }
        add(middle - 1)
        add(middle + 2)
        out.sort()
        var kept = 0
        for k in out where kept == 0 || k > out[kept - 1] {
            out[kept] = k
            kept += 1
        }
        out.removeLast(out.count - kept)
        if out.isEmpty { out.append(low) }
    }

    /// Coordinate descent on kappa/2 d'Md + hulls.
    private mutating func descend(_ state: inout Start) {
        let n = model.count
        for i in 0..<n {
            let range = hulls.starts[i]..<hulls.starts[i + 1]
            state.k[i] = min(max(state.k[i], hulls.k[range.lowerBound]), hulls.k[range.upperBound - 1])
        }
        pull = model.covariance.symmetricMultiplied(by: deviations(state.k))
        let isLarge = n > 60
        let target = (isLarge ? 1e-6 : 1e-9) * max(model.idleObjective.magnitude, 1e-9)
        for _ in 0..<(isLarge ? 14 : 60) {
            var gain = 0.0
            for i in 0..<n where hulls.starts[i + 1] - hulls.starts[i] > 1 {
                let one = model.assets[i]
                let variance = model.covariance[i, i]
                let own = share * variance * (one.deviation + one.stepWeight * state.k[i])
                let slope = model.kappa * one.stepWeight * (pull[i] - own)
                let curvature = model.kappa * one.stepWeight * one.stepWeight * variance * (1 - share)
                let next = hulls.least(i, slope: slope, curvature: curvature, at: state.k[i])
                let change = next - state.k[i]
                guard change != 0 else { continue }
                gain += curvature * change * change
                state.k[i] = next
                Kernels.addColumn(i, of: model.covariance, times: change * one.stepWeight, to: &pull)
            }
            if gain <= target { break }
        }
    }

    private func deviations(_ k: [Double]) -> [Double] {
        zip(model.assets, k).map { $0.deviation + $0.stepWeight * $1 }
    }

    private func evaluate(_ state: Start, _ prices: [ChoicePrices], _ best: inout Bound) {
        var value = constant + cell.constant
        for (row, nu) in zip(rows, state.multipliers) where nu > 0 { value -= nu * row.limit }
        var choice = [Double](repeating: 0, count: model.count)
        var slack = choice
        var risk = 0.0
        for (i, one) in model.assets.enumerated() {
            let variance = model.covariance[i, i]
            let d = one.deviation + one.stepWeight * state.k[i]
            let tangent = model.kappa * (pull[i] - share * variance * d)
            risk += 0.5 * tangent * d
            let own = model.kappa * share * variance
            let slope = one.stepWeight * (tangent + own * one.deviation)
            let curvature = own * one.stepWeight * one.stepWeight
            let least = one.least(
                prices[i], orders[i], slope: slope, curvature: curvature, from: state.low[i], to: state.high[i])
            value += least.value + tangent * one.deviation + 0.5 * own * one.deviation * one.deviation
            choice[i] = least.k
            slack[i] = (least.k - state.k[i]).magnitude * one.stepWeight
        }
        value -= risk
        if value > best.value {
            best = Bound(value: value, k: state.k, multipliers: state.multipliers, choice: choice, slack: slack)
        }
    }

    /// By how much each row is broken at the relaxed point, hulls taken between their vertices.
    private func excess(_ state: Start) -> [Double] {
        var excess = rows.map { -$0.limit }
        for (i, one) in model.assets.enumerated() {
            let (below, above, share) = hulls.around(i, state.k[i])
            for (k, weight) in [(below, 1 - share), (above, share)] where weight > 0 && k != 0 {
                let value = one.stepValue * k
                let cost = one.cost(k)
                let gains = k < 0 ? orders[i].gains(-k) : (0, 0)
                for (r, row) in rows.enumerated() {
                    var part =
                        row.cost * cost + row.absolute * value.magnitude + row.short * gains.0 + row.long * gains.1
                        + row.count
                    if !row.value.isEmpty { part += row.value[i] * value }
                    excess[r] += weight * part
                }
            }
        }
        return excess
    }
}

/// Loops that run hot.
enum Kernels {
    /// y += a times column `j` of a square matrix.
    @inline(__always)
    static func addColumn(_ j: Int, of matrix: Matrix, times a: Double, to y: inout [Double]) {
        let n = matrix.rows
        let column = matrix.storage.span.extracting((j * n)..<((j + 1) * n))
        var out = y.mutableSpan
        for i in 0..<n { out[i] += a * column[i] }
    }
}
