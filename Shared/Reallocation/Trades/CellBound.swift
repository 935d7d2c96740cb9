import LinearAlgebra

/// The lower bound of one cell of the tax for many assets: columns of one-asset choices, priced out again and again.
///
/// With Sigma = diag(D) + B B' + R (`RiskSplit`), any exposures z, any deviations e and any prices nu >= 0 of the rows
///
///     bound = constant - nu'limit - |z|^2/2 - kappa/2 e'Re
///             + sum_i min_k [ (sqrt(kappa) B z + kappa R e)_i d_i(k) + kappa D_i d_i(k)^2 / 2 + price_i(k; nu) ]
///
/// is below the objective of every allowed set of trades in the cell: a convex function lies above its tangents, and the minima run over whole
/// steps, minimum trades, tickets and lots. The master program over the choices known so far gives z and nu; the minima give new choices.
/// Where no new choice helps, the bound is that of the convex hulls. Source: Geoffrion (1974), Lagrangean relaxation for integer
/// programming; Moehle, Kochenderfer, Boyd and Ang (2021), section 4.
struct CellBound {
    /// What all cells share.
    struct Setting {
        let model: TradeModel
        let split: RiskSplit
        let loadings: [Double]
        let exposure: [Double]
        let constant: Double

        init(_ model: TradeModel) {
            self.model = model
            split = RiskSplit(model.covariance)
            let root = model.kappa.squareRoot()
            let deviations = model.assets.map { $0.deviation }
            exposure = split.exposures(deviations).map { $0 * root }
            var loadings = split.loadings
            for (i, one) in model.assets.enumerated() {
                for f in 0..<split.factors { loadings[i * split.factors + f] *= root * one.stepWeight }
            }
            self.loadings = loadings
            let risk = 0.5 * model.kappa * Vector.dot(deviations, model.covariance.symmetricMultiplied(by: deviations))
            constant = model.idleObjective - risk
        }
    }

    private let setting: Setting
    private let cell: TaxCell
    private let rows: [TradeModel.Row]
    private let scales: [Double]
    private let penalties: [Double]
    private(set) var value = -Double.infinity
    private(set) var multipliers: [Double]
    /// Mean steps in the relaxation, not whole in general.
    private(set) var means: [Double] = []
    /// The choice of each asset that weighs most in the relaxation.
    private(set) var heaviest: [Double] = []
    /// The choice of each asset at the best prices.
    private(set) var choice: [Double] = []

    private var model: TradeModel { setting.model }

    init(_ setting: Setting, _ cell: TaxCell, multipliers start: [Double]) {
        self.setting = setting
        self.cell = cell
        let model = setting.model
        var rows = model.rows
        for row in cell.rows {
            rows.append(TradeModel.Row(name: "tax", short: row.short, long: row.long, limit: row.limit))
        }
        if let budget = model.taxBudget {
            rows.append(
                TradeModel.Row(name: "tax_budget", short: cell.short, long: cell.long, limit: budget - cell.constant))
        }
        self.rows = rows
        let value = model.assets.map { $0.stepValue * max($0.highest, -$0.lowest) }.max() ?? 1
        scales = rows.map { $0.count > 0 ? 1 : 1 / max(value, 1e-9) }
        let each = max(1, model.idleObjective.magnitude)
        penalties = zip(rows, scales).map { row, scale in (row.count > 0 ? each * 0.2 + 100 : 3) / scale }
        multipliers = rows.indices.map { $0 < start.count ? start[$0] : 0 }
    }

    /// Rounds of pricing until nothing helps, the bound reaches `cutoff`, or so many rounds are done.
    mutating func improve(cutoff: Double, rounds: Int = 6) {
        let n = model.count
        let root = model.kappa.squareRoot()
        var center = [Double](repeating: 0, count: n)
        var tangentAt = model.assets.map { $0.deviation }
        var kept = [[Double]](repeating: [], count: n)
        var prices = multipliers
        for round in 0..<rounds {
            let orders = self.orders(prices)
            let rest = setting.split.rest(model.covariance, tangentAt).map { $0 * model.kappa }
            let restConstant = -0.5 * Vector.dot(rest, tangentAt)
            let columns = makeColumns(orders, center: center, kept: kept, rest: rest, isFirst: round == 0)
            var master = HullMaster(
                columns, loadings: setting.loadings, factors: setting.split.factors, exposure: setting.exposure,
                limits: zip(rows, scales).map { $0.limit * $1 }, penalties: penalties,
                multipliers: zip(prices, scales).map { $0 / $1 }, startWeights: nil)
            let size = max(1, value.isFinite ? value.magnitude : model.idleObjective.magnitude)
            master.solve(tolerance: size * (round == 0 ? 1e-4 : 1e-5))
            prices = zip(master.multipliers, scales).map { $0 * $1 }
            center = master.means
            // The bound at the master's prices, and the choices that would lower them.
            let spread = setting.split.spread(master.y)
            let newOrders = self.orders(prices)
            var bound = setting.constant + cell.constant + restConstant
            for (row, nu) in zip(rows, prices) { bound -= nu * row.limit }
            for z in master.y { bound -= 0.5 * z * z }
            var found = center
            for (i, one) in model.assets.enumerated() {
                let own = model.kappa * setting.split.own[i]
                let tangent = root * spread[i] + rest[i]
                let least = one.least(
                    choicePrices(prices, asset: i), newOrders[i],
                    slope: one.stepWeight * (tangent + own * one.deviation),
                    curvature: own * one.stepWeight * one.stepWeight, from: one.lowest, to: one.highest)
                bound += least.value + tangent * one.deviation + 0.5 * own * one.deviation * one.deviation
                found[i] = least.k
            }
            let relaxed = master.objective + restConstant + setting.constant + cell.constant + ownConstant + restLinear(rest)
            let isBetter = bound > value
            if isBetter {
                value = bound
                multipliers = prices
                choice = found
                means = center
                heaviest = heaviest(columns, master.x)
            }
            if value >= cutoff { return }
            let deviations = zip(model.assets, center).map { $0.deviation + $0.stepWeight * $1 }
            let moved = zip(deviations, tangentAt).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
            if relaxed - bound <= 3e-5 * max(1, value.magnitude), moved < 1e-4 || setting.split.own.isEmpty { return }
            tangentAt = deviations
            kept = support(columns, master.x)
            for i in 0..<n {
                let k = found[i]
                kept[i] += [k, k - 1, k + 1, k - 3, k + 3, k - 9, k + 9].filter { model.assets[i].allows($0) }
            }
        }
    }

    /// Terms of the objective that no choice changes: the own risk before trades.
    private var ownConstant: Double {
        var sum = 0.0
        for (i, one) in model.assets.enumerated() {
            sum += 0.5 * model.kappa * setting.split.own[i] * one.deviation * one.deviation
        }
        return sum
    }

    private func restLinear(_ rest: [Double]) -> Double {
        var sum = 0.0
        for (i, one) in model.assets.enumerated() { sum += rest[i] * one.deviation }
        return sum
    }

    private func orders(_ prices: [Double]) -> [LotOrder] {
        var (short, long) = (cell.short, cell.long)
        for (row, nu) in zip(rows, prices) {
            short += nu * row.short
            long += nu * row.long
        }
        return model.assets.map { $0.order(short: short, long: long) }
    }

    private func choicePrices(_ multipliers: [Double], asset: Int) -> ChoicePrices {
        var prices = ChoicePrices()
        prices.short = cell.short
        prices.long = cell.long
        for (row, nu) in zip(rows, multipliers) where nu > 0 {
            if !row.value.isEmpty { prices.value += nu * row.value[asset] }
            prices.cost += nu * row.cost
            prices.absolute += nu * row.absolute
            prices.short += nu * row.short
            prices.long += nu * row.long
            prices.ticket += nu * row.count
        }
        return prices
    }

    private func makeColumns(
        _ orders: [LotOrder], center: [Double], kept: [[Double]], rest: [Double], isFirst: Bool
    ) -> HullMaster.Columns {
        var columns = HullMaster.Columns()
        var plain = ChoicePrices()
        plain.short = cell.short
        plain.long = cell.long
        var samples: [Double] = []
        for (i, one) in model.assets.enumerated() {
            samples.removeAll(keepingCapacity: true)
            if isFirst {
                Relaxation.sample(one, orders[i], low: one.lowest, high: one.highest, around: center[i], &samples)
            } else {
                samples += kept[i]
                let middle = center[i].rounded()
                for k in [0, one.leastTrade, -one.leastTrade, middle, middle - 1, middle + 1] where one.allows(k) {
                    samples.append(k)
                }
                samples.sort()
                var last = -Double.infinity
                samples.removeAll { k in
                    defer { last = k }
                    return k == last
                }
            }
            let own = model.kappa * setting.split.own[i]
            let slope = one.stepWeight * (own * one.deviation + rest[i])
            let curvature = own * one.stepWeight * one.stepWeight
            for k in samples {
                columns.k.append(k)
                columns.cost.append(one.price(k, plain, orders[i]) + k * (slope + 0.5 * curvature * k))
                let cost = one.cost(k)
                let gains = k < 0 ? orders[i].gains(-k) : (0, 0)
                for (row, scale) in zip(rows, scales) {
                    var part =
                        row.cost * cost + row.absolute * one.stepValue * k.magnitude + row.short * gains.0
                        + row.long * gains.1 + (k == 0 ? 0 : row.count)
                    if !row.value.isEmpty { part += row.value[i] * one.stepValue * k }
                    columns.rows.append(part * scale)
                }
            }
            columns.starts.append(columns.k.count)
        }
        return columns
    }

    private func support(_ columns: HullMaster.Columns, _ x: [Double]) -> [[Double]] {
        (0..<model.count).map { i in
            (columns.starts[i]..<columns.starts[i + 1]).filter { x[$0] > 1e-5 }.map { columns.k[$0] }
        }
    }

    private func heaviest(_ columns: HullMaster.Columns, _ x: [Double]) -> [Double] {
        (0..<model.count).map { i in
            let range = columns.starts[i]..<columns.starts[i + 1]
            return range.max { x[$0] < x[$1] }.map { columns.k[$0] } ?? 0
        }
    }
}
