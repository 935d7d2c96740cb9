import LinearAlgebra

/// Whole trades that are improved one asset and two assets at a time, each change priced by the exact objective.
///
/// A broken limit costs a penalty far above its price, so that a start that breaks one is led back first.
struct LocalSearch {
    let model: TradeModel
    private(set) var k: [Double]
    /// Steps of each sale that come from short-term lots.
    private(set) var fromShort: [Double]
    /// Steps of each lot, in the order of `WashedLots`, of the sales beside recent purchases; empty for all others.
    private(set) var taken: [[Double]]
    private(set) var gainsShort: [Double]
    private(set) var gainsLong: [Double]
    private(set) var costs: [Double]
    private(set) var totalShort = 0.0
    private(set) var totalLong = 0.0
    private var rowTotals: [Double]
    private var penalties: [Double]
    /// What is added to a row by currency of signed value, of asset after asset; by cost; by absolute value; by trade.
    private let rowValues: [Double]
    private let rowCosts: [Double]
    private let rowAbsolutes: [Double]
    private let rowCounts: [Double]
    /// Limits with the slack that rounding needs.
    private let rowLimits: [Double]
    private let m: Int
    private let variances: [Double]
    /// The lots of each asset at the rates that the search is at.
    private var orders: [LotOrder] = []
    private var orderRates: (short: Double, long: Double)?
    private var pull: [Double]
    private var risk: Double
    private var linear: Double
    private let constant: Double
    private let guide: [Double]
    /// Rates at which the guided proposals take a gain; those at the margin where nil.
    private let rates: (short: Double, long: Double)?
    /// An improvement smaller than this is none.
    private let grain: Double
    private let isLarge: Bool

    /// Starts at whole steps within the assets' limits; `guide` holds prices of the model's rows, which steer the proposals.
    init(_ model: TradeModel, k start: [Double], guide: [Double], rates: (short: Double, long: Double)? = nil) {
        self.model = model
        let n = model.count
        k = [Double](repeating: 0, count: n)
        fromShort = k
        taken = k.map { _ in [] }
        gainsShort = k
        gainsLong = k
        costs = k
        rowTotals = model.rows.map { _ in 0 }
        m = model.rows.count
        var values = [Double](repeating: 0, count: n * model.rows.count)
        for (r, row) in model.rows.enumerated() where !row.value.isEmpty {
            for i in 0..<n { values[i * model.rows.count + r] = row.value[i] }
        }
        rowValues = values
        rowCosts = model.rows.map { $0.cost }
        rowAbsolutes = model.rows.map { $0.absolute }
        rowCounts = model.rows.map { $0.count }
        rowLimits = model.rows.map { $0.limit + 1e-9 * max(1, $0.limit.magnitude) }
        variances = (0..<n).map { model.covariance[$0, $0] }
        isLarge = n > TradeSolver.mostExact
        grain = (isLarge ? 1e-6 : 1e-10) * max(1, model.idleObjective.magnitude)
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
            let order = one.order(short: rates?.short ?? short, long: rates?.long ?? long)
            let to = one.allows(start[i]) ? start[i] : (one.highest < 0 ? one.highest : one.lowest)
            apply(change(i, to, order), keepsPull: false)
        }
        pull = model.covariance.symmetricMultiplied(by: zip(model.assets, k).map { $0.deviation + $0.stepWeight * $1 })
        risk = 0.5 * model.kappa * Vector.dot(zip(model.assets, k).map { $0.deviation + $0.stepWeight * $1 }, pull)
    }

    /// Risk, costs, tickets, expected return and tax, in currency.
    var objective: Double { constant + risk + linear + model.tax.price(totalShort, totalLong) }

    /// How far limits are broken, weighed by their penalties.
    var violation: Double { violation(rowTotals, totalShort, totalLong) }
    var isFeasible: Bool { violation == 0 && zip(model.assets, k).allSatisfy { $0.allows($1) } }

    private func violation(_ totals: [Double], _ short: Double, _ long: Double) -> Double {
        var sum = taxViolation(short, long)
        for r in 0..<m where totals[r] > rowLimits[r] { sum += penalties[r] * (totals[r] - model.rows[r].limit) }
        return sum
    }

    private func taxViolation(_ short: Double, _ long: Double) -> Double {
        guard let budget = model.taxBudget else { return 0 }
        let excess = model.tax.tax(short, long) - budget
        return excess > 1e-9 * max(1, budget.magnitude) ? 10 * excess : 0
    }

    // MARK: One change

    struct Change {
        var asset: Int
        var k: Double
        var fromShort: Double
        var fromRecent = 0.0
        /// Steps of each lot beside recent purchases; empty for the best lots of so many short-term and recent steps.
        var taken: [Double] = []
        var short: Double
        var long: Double
        var cost: Double
    }

    private func change(_ i: Int, _ k: Double, _ order: LotOrder) -> Change {
        let one = model.assets[i]
        guard k < 0 else { return Change(asset: i, k: k, fromShort: 0, short: 0, long: 0, cost: one.cost(k)) }
        let gains = order.gains(-k)
        return Change(
            asset: i, k: k, fromShort: order.shortSteps(-k), fromRecent: one.washed == nil ? 0 : order.recentSteps(-k),
            short: gains.short, long: gains.long, cost: one.cost(k))
    }

    /// A sale beside recent purchases.
    func change(
        _ i: Int, _ k: Double, fromShort: Double, taken: [Double], _ results: WashedLots.Results, cost: Double
    ) -> Change {
        Change(
            asset: i, k: k, fromShort: fromShort, taken: taken, short: results.short, long: results.long, cost: cost)
    }

    /// What one or two changes make of objective and penalties.
    private func merit(_ a: Change, _ b: Change? = nil) -> Double {
        let first = effect(a)
        var short = totalShort + a.short - gainsShort[a.asset]
        var long = totalLong + a.long - gainsLong[a.asset]
        var value = constant + risk + linear + first.objective
        var second = Effect()
        if let b {
            second = effect(b)
            short += b.short - gainsShort[b.asset]
            long += b.long - gainsLong[b.asset]
            value +=
                second.objective + model.kappa * model.covariance[a.asset, b.asset] * first.weight * second.weight
        }
        for r in 0..<m {
            var total =
                rowTotals[r] + rowValues[a.asset * m + r] * first.value + rowCosts[r] * (first.cost + second.cost)
                + rowAbsolutes[r] * (first.absolute + second.absolute) + rowCounts[r] * (first.count + second.count)
            if let b { total += rowValues[b.asset * m + r] * second.value }
            if total > rowLimits[r] { value += penalties[r] * (total - model.rows[r].limit) }
        }
        return value + model.tax.price(short, long) + taxViolation(short, long)
    }

    /// What a change does: to the objective without tax, and to what the rows count.
    private struct Effect {
        var objective = 0.0
        var weight = 0.0
        var value = 0.0
        var cost = 0.0
        var absolute = 0.0
        var count = 0.0
    }

    private func effect(_ change: Change) -> Effect {
        let i = change.asset
        let one = model.assets[i]
        let step = change.k - k[i]
        let weight = one.stepWeight * step
        let isNew = (change.k != 0 ? 1.0 : 0) - (k[i] != 0 ? 1 : 0)
        let cost = change.cost - costs[i]
        return Effect(
            objective: model.kappa * weight * (pull[i] + 0.5 * variances[i] * weight) + cost + one.ticket * isNew
                + one.drift * step,
            weight: weight, value: one.stepValue * step, cost: cost,
            absolute: one.stepValue * (change.k.magnitude - k[i].magnitude), count: isNew)
    }

    mutating func apply(_ proposal: Change, keepsPull: Bool = true) {
        var change = proposal
        let i = change.asset
        if change.k < 0, change.taken.isEmpty, let washed = model.assets[i].washed {
            change.taken = washed.taken(-change.k, fromShort: change.fromShort, fromRecent: change.fromRecent)
            let results = washed.results(change.taken)
            (change.short, change.long) = (results.short, results.long)
        }
        let made = effect(change)
        let one = model.assets[i]
        linear += made.cost + one.ticket * made.count + one.drift * (change.k - k[i])
        if keepsPull {
            risk += model.kappa * made.weight * (pull[i] + 0.5 * variances[i] * made.weight)
            Kernels.addColumn(i, of: model.covariance, times: made.weight, to: &pull)
        }
        totalShort += change.short - gainsShort[i]
        totalLong += change.long - gainsLong[i]
        for r in 0..<m {
            rowTotals[r] +=
                rowValues[i * m + r] * made.value + rowCosts[r] * made.cost + rowAbsolutes[r] * made.absolute
                + rowCounts[r] * made.count
        }
        k[i] = change.k
        fromShort[i] = change.fromShort
        taken[i] = change.taken
        gainsShort[i] = change.short
        gainsLong[i] = change.long
        costs[i] = change.cost
    }

    /// Total of objective and penalties.
    var merit: Double { objective + violation }

    // MARK: Descent

    /// Sweeps over single assets and pairs until neither helps; for many assets until a sweep is hardly worth its time.
    mutating func improve(sweeps: Int = 60, pairs: Int) {
        func isEnough(_ before: Double) -> Bool { isLarge && before - merit < 1e-5 * max(1, merit.magnitude) }
        for _ in 0..<sweeps {
            let start = merit
            var helped = false
            for _ in 0..<12 {
                let before = merit
                guard sweepSingles() else { break }
                helped = true
                if isEnough(before) { break }
            }
            if refineLots() { helped = true }
            if sweepPairs(pairs) { helped = true }
            if !helped || isEnough(start) { return }
        }
    }

    /// The lots at the rates of the margin.
    private mutating func refreshOrders() {
        let (short, long) = model.tax.marginal(totalShort, totalLong)
        if let orderRates, orderRates.short == short, orderRates.long == long { return }
        orders = model.assets.map { $0.order(short: short, long: long) }
        orderRates = (short, long)
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
        let variance = variances[i]
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
    mutating func applyBest(of changes: [Change]) -> Bool {
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
            refreshOrders()
            let order = orders[i]
            if applyBest(of: proposals(i, order).map { change(i, $0, order) }) { helped = true }
        }
        return helped
    }

    /// Steps that are worth exchanging: of tiny ones as many as make a millionth of the portfolio.
    private func unit(_ one: OneAsset) -> Double { max(1, 1e-6 / one.stepWeight) }

    /// Two assets at once: more of one for less of another, and one trade in place of another.
    private mutating func sweepPairs(_ limit: Int) -> Bool {
        guard limit > 1 else { return false }
        refreshOrders()
        let orders = orders
        var now = merit
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
        var helped = false
        var best: (a: Change, b: Change, merit: Double)?
        func consider(_ a: Change, _ b: Change) {
            let value = merit(a, b)
            if value < (best?.merit ?? now) - grain { best = (a, b, value) }
        }
        for up in ups.prefix(limit) {
            let buy = model.assets[up.asset]
            var purchases: [(change: Change, value: Double)] = []
            for size in [1.0, 2, 5, 12, 40, 150] {
                guard let more = Self.next(buy, k[up.asset], up: true, by: (size * unit(buy)).rounded(.up)) else {
                    break
                }
                purchases.append((change(up.asset, more, orders[up.asset]), (more - k[up.asset]) * buy.stepValue))
            }
            for down in downs.prefix(limit) where down.asset != up.asset {
                let (sell, order) = (model.assets[down.asset], orders[down.asset])
                for (purchase, value) in purchases {
                    let exact = value / sell.stepValue
                    for steps in [exact.rounded(.down), exact.rounded(.up)] where steps >= 1 {
                        guard let less = Self.next(sell, k[down.asset], up: false, by: steps) else { continue }
                        consider(purchase, change(down.asset, less, order))
                    }
                }
            }
            // With many assets each partner's best exchange is made at once; with few the best of all.
            if isLarge, let found = best {
                apply(found.a)
                apply(found.b)
                (helped, best, now) = (true, nil, merit)
            }
        }
        // One trade given up for another.
        let traded = k.indices.filter { k[$0] != 0 && model.assets[$0].allows(0) }
        let idle = Set((ups.prefix(limit) + downs.prefix(limit)).map { $0.asset }.filter { k[$0] == 0 }).sorted()
        let openings = idle.map { j in proposals(j, orders[j]).map { change(j, $0, orders[j]) } }
        for i in traded.prefix(isLarge ? 8 * limit : 4 * limit) {
            let drop = change(i, 0, orders[i])
            for (j, changes) in zip(idle, openings) where j != i && k[j] == 0 {
                for opening in changes { consider(drop, opening) }
            }
            if isLarge, let found = best {
                apply(found.a)
                apply(found.b)
                (helped, best, now) = (true, nil, merit)
            }
        }
        guard let best else { return helped }
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
}
