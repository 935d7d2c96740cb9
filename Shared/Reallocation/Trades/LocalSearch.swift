import LinearAlgebra

/// Whole trades that are improved one asset and two assets at a time, each change priced by the exact objective.
///
/// A broken limit costs a penalty far above its price, so that a start that breaks one is led back first.
struct LocalSearch {
    let model: TradeModel
    private(set) var k: [Double]
    /// Steps of each sale that come from short-term lots.
    private(set) var fromShort: [Double]
    private var gainsShort: [Double]
    private var gainsLong: [Double]
    private var costs: [Double]
    private(set) var totalShort = 0.0
    private(set) var totalLong = 0.0
    private var rowTotals: [Double]
    private var penalties: [Double]
    private var pull: [Double]
    private var risk: Double
    private var linear: Double
    private let constant: Double
    private let guide: [Double]
    /// Rates at which the guided proposals take a gain; those at the margin where nil.
    private let rates: (short: Double, long: Double)?
    /// An improvement smaller than this is none.
    private let grain: Double

    /// Starts at whole steps within the assets' limits; `guide` holds prices of the model's rows, which steer the proposals.
    init(_ model: TradeModel, k start: [Double], guide: [Double], rates: (short: Double, long: Double)? = nil) {
        self.model = model
        let n = model.count
        k = [Double](repeating: 0, count: n)
        fromShort = k
        gainsShort = k
        gainsLong = k
        costs = k
        rowTotals = model.rows.map { _ in 0 }
        grain = (model.count > 60 ? 1e-6 : 1e-10) * max(1, model.idleObjective.magnitude)
        self.rates = rates
        self.guide = Array(guide.prefix(model.rows.count))
        let scale = max(model.idleObjective.magnitude, 1)
        penalties = model.rows.map { row in
            row.count > 0 ? 10 * scale + 1 : 10
        }
        for (r, nu) in self.guide.enumerated() { penalties[r] = max(penalties[r], 20 * nu) }
        let deviations = model.assets.map { $0.deviation }
        pull = model.covariance.symmetricMultiplied(by: deviations)
        risk = 0.5 * model.kappa * Vector.dot(deviations, pull)
        constant = model.idleObjective - risk
        linear = 0
        let (short, long) = model.tax.marginal(0, 0)
        for (i, one) in model.assets.enumerated() where start[i] != 0 || !one.allows(0) {
            let order = one.order(short: short, long: long)
            let to = one.allows(start[i]) ? start[i] : (one.highest < 0 ? one.highest : one.lowest)
            apply(change(i, to, order))
        }
    }

    /// Risk, costs, tickets, expected return and tax, in currency.
    var objective: Double { constant + risk + linear + model.tax.price(totalShort, totalLong) }

    /// How far limits are broken, weighed by their penalties.
    var violation: Double { violation(rowTotals, totalShort, totalLong) }
    var isFeasible: Bool { violation == 0 && zip(model.assets, k).allSatisfy { $0.allows($1) } }

    private func violation(_ totals: [Double], _ short: Double, _ long: Double) -> Double {
        var sum = 0.0
        for (r, row) in model.rows.enumerated() {
            let excess = totals[r] - row.limit
            if excess > 1e-9 * max(1, row.limit.magnitude) { sum += penalties[r] * excess }
        }
        if let budget = model.taxBudget {
            let excess = model.tax.tax(short, long) - budget
            if excess > 1e-9 * max(1, budget.magnitude) { sum += 10 * excess }
        }
        return sum
    }

    // MARK: One change

    private struct Change {
        var asset: Int
        var k: Double
        var fromShort: Double
        var short: Double
        var long: Double
        var cost: Double
    }

    private func change(_ i: Int, _ k: Double, _ order: LotOrder) -> Change {
        let one = model.assets[i]
        guard k < 0 else { return Change(asset: i, k: k, fromShort: 0, short: 0, long: 0, cost: one.cost(k)) }
        let gains = order.gains(-k)
        return Change(
            asset: i, k: k, fromShort: order.shortSteps(-k), short: gains.short, long: gains.long, cost: one.cost(k))
    }

    /// What one or two changes make of objective and penalties.
    private func merit(_ a: Change, _ b: Change? = nil) -> Double {
        var totals = rowTotals
        var (short, long, newLinear, newRisk) = (totalShort, totalLong, linear, risk)
        func add(_ change: Change) {
            let i = change.asset
            let one = model.assets[i]
            let step = change.k - k[i]
            newRisk +=
                model.kappa * one.stepWeight * step * (pull[i] + 0.5 * model.covariance[i, i] * one.stepWeight * step)
            let isNew = (change.k != 0 ? 1.0 : 0) - (k[i] != 0 ? 1 : 0)
            let moreCost = change.cost - costs[i]
            newLinear += moreCost + one.ticket * isNew + one.drift * step
            short += change.short - gainsShort[i]
            long += change.long - gainsLong[i]
            let value = one.stepValue * step
            let absolute = one.stepValue * (change.k.magnitude - k[i].magnitude)
            for (r, row) in model.rows.enumerated() {
                if !row.value.isEmpty { totals[r] += row.value[i] * value }
                totals[r] += row.cost * moreCost + row.absolute * absolute + row.count * isNew
            }
        }
        add(a)
        if let b {
            add(b)
            newRisk +=
                model.kappa * model.covariance[a.asset, b.asset] * model.assets[a.asset].stepWeight * (a.k - k[a.asset])
                * model.assets[b.asset].stepWeight * (b.k - k[b.asset])
        }
        return constant + newRisk + newLinear + model.tax.price(short, long) + violation(totals, short, long)
    }

    private mutating func apply(_ change: Change) {
        let i = change.asset
        let one = model.assets[i]
        let step = change.k - k[i]
        risk += model.kappa * one.stepWeight * step * (pull[i] + 0.5 * model.covariance[i, i] * one.stepWeight * step)
        Kernels.addColumn(i, of: model.covariance, times: one.stepWeight * step, to: &pull)
        let isNew = (change.k != 0 ? 1.0 : 0) - (k[i] != 0 ? 1 : 0)
        linear += change.cost - costs[i] + one.ticket * isNew + one.drift * step
        totalShort += change.short - gainsShort[i]
        totalLong += change.long - gainsLong[i]
        for (r, row) in model.rows.enumerated() {
            if !row.value.isEmpty { rowTotals[r] += row.value[i] * one.stepValue * step }
            rowTotals[r] +=
                row.cost * (change.cost - costs[i]) + row.absolute * one.stepValue
                * (change.k.magnitude - k[i].magnitude)
            rowTotals[r] += row.count * isNew
        }
        k[i] = change.k
        fromShort[i] = change.fromShort
        gainsShort[i] = change.short
        gainsLong[i] = change.long
        costs[i] = change.cost
    }

    /// Total of objective and penalties.
    var merit: Double { objective + violation }

    // MARK: Descent

    /// Sweeps over single assets and pairs until neither helps.
    mutating func improve(sweeps: Int = 60, pairs: Int) {
        for _ in 0..<sweeps {
            var helped = false
            for _ in 0..<12 where sweepSingles() { helped = true }
            if refineLots() { helped = true }
            if sweepPairs(pairs) { helped = true }
            if !helped { return }
        }
    }

    private func prices(_ i: Int, guided: Bool) -> ChoicePrices {
        var prices = ChoicePrices()
        (prices.short, prices.long) = model.tax.marginal(totalShort, totalLong)
        guard guided else { return prices }
        if let rates { (prices.short, prices.long) = rates }
        for (row, nu) in zip(model.rows, guide) where nu > 0 {
            if !row.value.isEmpty { prices.value += nu * row.value[i] }
            prices.cost += nu * row.cost
            prices.absolute += nu * row.absolute
            prices.ticket += nu * row.count
        }
        return prices
    }

    /// The whole steps that are worth a look for an asset.
    private func proposals(_ i: Int, _ order: LotOrder) -> [Double] {
        let one = model.assets[i]
        let variance = model.covariance[i, i]
        let slope = model.kappa * one.stepWeight * (pull[i] - variance * one.stepWeight * k[i])
        let curvature = model.kappa * variance * one.stepWeight * one.stepWeight
        var found = [0, k[i] - 1, k[i] + 1]
        for guided in [false, true] where !guided || rates != nil || guide.contains(where: { $0 > 0 }) {
            let least = one.least(
                prices(i, guided: guided), order, slope: slope, curvature: curvature, from: one.lowest, to: one.highest)
            if least.value.isFinite { found += [least.k, least.k - 1, least.k + 1] }
        }
        return found.filter { $0 != k[i] && one.allows($0) }
    }

    /// Makes the best of some changes, if it helps at all.
    private mutating func applyBest(of changes: [Change]) -> Bool {
        var best: (change: Change, merit: Double)?
        let now = merit
        for change in changes {
            let value = merit(change)
            if value < (best?.merit ?? now) - grain { best = (change, value) }
        }
        guard let best else { return false }
        apply(best.change)
        return true
    }

    private mutating func sweepSingles() -> Bool {
        var helped = false
        for i in k.indices where model.assets[i].highest > model.assets[i].lowest {
            let (short, long) = model.tax.marginal(totalShort, totalLong)
            let order = model.assets[i].order(short: short, long: long)
            if applyBest(of: proposals(i, order).map { change(i, $0, order) }) { helped = true }
        }
        return helped
    }

    /// Two assets at once: more of one for less of another, and one trade in place of another.
    private mutating func sweepPairs(_ limit: Int) -> Bool {
        guard limit > 1 else { return false }
        let (short, long) = model.tax.marginal(totalShort, totalLong)
        let orders = model.assets.map { $0.order(short: short, long: long) }
        let now = merit
        var ups: [(asset: Int, merit: Double)] = []
        var downs = ups
        for i in k.indices {
            let one = model.assets[i]
            if let up = Self.next(one, k[i], up: true) {
                ups.append((i, (merit(change(i, up, orders[i])) - now) / one.stepValue))
            }
            if let down = Self.next(one, k[i], up: false) {
                downs.append((i, (merit(change(i, down, orders[i])) - now) / one.stepValue))
            }
        }
        ups.sort { $0.merit < $1.merit }
        downs.sort { $0.merit < $1.merit }
        var best: (a: Change, b: Change, merit: Double)?
        func consider(_ a: Change, _ b: Change) {
            let value = merit(a, b)
            if value < (best?.merit ?? now) - grain { best = (a, b, value) }
        }
        for up in ups.prefix(limit) {
            let buy = model.assets[up.asset]
            for down in downs.prefix(limit) where down.asset != up.asset {
                let sell = model.assets[down.asset]
                for size in [1.0, 2, 5, 12, 40, 150] {
                    guard let more = Self.next(buy, k[up.asset], up: true, by: size) else { break }
                    let value = (more - k[up.asset]) * buy.stepValue
                    let exact = value / sell.stepValue
                    for steps in [exact.rounded(.down), exact.rounded(.up)] where steps >= 1 {
                        guard let less = Self.next(sell, k[down.asset], up: false, by: steps) else { continue }
                        consider(change(up.asset, more, orders[up.asset]), change(down.asset, less, orders[down.asset]))
                    }
                }
            }
        }
        // One trade given up for another.
        let traded = k.indices.filter { k[$0] != 0 && model.assets[$0].allows(0) }
        let idle = (ups.prefix(limit) + downs.prefix(limit)).map { $0.asset }.filter { k[$0] == 0 }
        for i in traded.prefix(4 * limit) {
            let drop = change(i, 0, orders[i])
            for j in idle where j != i {
                for next in proposals(j, orders[j]) { consider(drop, change(j, next, orders[j])) }
            }
        }
        guard let best else { return false }
        apply(best.a)
        apply(best.b)
        return true
    }

    /// The nearest allowed step count at least `by` further up or down; nil where the limits end before.
    private static func next(_ one: OneAsset, _ k: Double, up: Bool, by: Double = 1) -> Double? {
        var next = up ? k + by : k - by
        if next != 0, next.magnitude < one.leastTrade {
            let crossed = up ? (next > 0 ? one.leastTrade : 0) : (next < 0 ? -one.leastTrade : 0)
            next = crossed
        }
        return one.allows(next) && next != k ? next : nil
    }

    // MARK: Lots

    /// Another split between short-term and long-term lots where that lowers the year's tax.
    @discardableResult
    mutating func refineLots() -> Bool {
        guard model.tax.mode == .nettedYear else { return false }
        var helped = false
        for i in k.indices where k[i] < 0 {
            let one = model.assets[i]
            let x = -k[i]
            let (least, most) = (max(0, x - one.longSteps), min(x, one.shortSteps))
            guard one.prescribed == nil, most > least else { continue }
            let ends = splits(one, x, least, most, short: totalShort - gainsShort[i], long: totalLong - gainsLong[i])
            let changes = ends.filter { $0 != fromShort[i] }.map { m in
                let gains = one.gains(x, fromShort: m)
                return Change(asset: i, k: k[i], fromShort: m, short: gains.short, long: gains.long, cost: costs[i])
            }
            if applyBest(of: changes) { helped = true }
        }
        return helped
    }

    /// Ends of lots, and the whole steps beside the places where the year passes from one cell of the tax to another.
    private func splits(
        _ one: OneAsset, _ x: Double, _ least: Double, _ most: Double, short: Double, long: Double
    ) -> [Double] {
        var ends: Set<Double> = [least, most]
        var sum = 0.0
        for lot in one.shortLots {
            sum += lot.size
            ends.insert(sum)
        }
        sum = x
        for lot in one.longLots {
            sum -= lot.size
            ends.insert(sum)
        }
        let breaks = ends.filter { $0 >= least && $0 <= most }.sorted()
        var found = breaks
        for (a, b) in zip(breaks, breaks.dropFirst()) {
            let (first, last) = (one.gains(x, fromShort: a), one.gains(x, fromShort: b))
            let s = (model.tax.netShort + short + first.short, model.tax.netShort + short + last.short)
            let l = (model.tax.netLong + long + first.long, model.tax.netLong + long + last.long)
            for (from, to) in [s, l, (s.0 + l.0, s.1 + l.1), (s.0 + l.0 + model.tax.cap, s.1 + l.1 + model.tax.cap)]
            where (from < 0) != (to < 0) {
                let crossing = a + ((b - a) * from / (from - to))
                let whole = a + (crossing - a).rounded(.down)
                found += [whole, whole + 1].filter { $0 >= a && $0 <= b }
            }
        }
        return found
    }

    /// Least tax over every split of whole steps, where there are at most so many of them; false where there are more.
    mutating func enumerateLots(limit: Int) -> Bool {
        guard model.tax.mode == .nettedYear else { return true }
        let open = k.indices.filter { i in
            let one = model.assets[i]
            return k[i] < 0 && one.prescribed == nil && min(-k[i], one.shortSteps) > max(0, -k[i] - one.longSteps)
        }
        var combinations = 1.0
        let choices = open.map { i -> [Double] in
            let one = model.assets[i]
            let (least, most) = (max(0, -k[i] - one.longSteps), min(-k[i], one.shortSteps))
            let all = Array(stride(from: least, through: most, by: 1)) + [most]
            combinations *= Double(all.count)
            return all
        }
        guard combinations <= Double(limit) else { return false }
        var best = (price: model.tax.price(totalShort, totalLong), splits: open.map { fromShort[$0] })
        func visit(_ depth: Int, _ short: Double, _ long: Double, _ splits: [Double]) {
            guard depth < open.count else {
                let price = model.tax.price(short, long)
                let tax = model.tax.tax(short, long)
                if let budget = model.taxBudget, tax > budget + 1e-9 * max(1, budget.magnitude) { return }
                if price < best.price - 1e-12 { best = (price, splits) }
                return
            }
            let i = open[depth]
            for m in choices[depth] {
                let gains = model.assets[i].gains(-k[i], fromShort: m)
                visit(depth + 1, short - gainsShort[i] + gains.short, long - gainsLong[i] + gains.long, splits + [m])
            }
        }
        visit(0, totalShort, totalLong, [])
        for (depth, i) in open.enumerated() where best.splits[depth] != fromShort[i] {
            let gains = model.assets[i].gains(-k[i], fromShort: best.splits[depth])
            apply(
                Change(
                    asset: i, k: k[i], fromShort: best.splits[depth], short: gains.short, long: gains.long,
                    cost: costs[i]))
        }
        return true
    }
}
