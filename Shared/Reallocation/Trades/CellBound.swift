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
            split = RiskSplit(model.covariance, factor: model.factor)
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
    private var penalties: [Double]
    private(set) var value = -Double.infinity
    private(set) var multipliers: [Double]
    /// Mean steps in the relaxation, not whole in general.
    private(set) var means: [Double] = []
    /// Whole steps near the relaxation: where a search begins.
    private(set) var start: [Double] = []
    /// Whether another round would hardly raise the bound.
    private(set) var isDone = false
    private(set) var rounds = 0
    /// Prices of the rows at which the next choices are made.
    private var prices: [Double]
    private var center: [Double]
    private var tangentAt: [Double]
    private var kept: [[Choice]]
    private var near: [[Double]]
    /// Exposures, deviations and effective rates of the tax that made the best bound.
    private var bestExposures: [Double] = []
    private var bestTangentAt: [Double] = []
    private var bestRates = (short: 0.0, long: 0.0)

    private var model: TradeModel { setting.model }

    init(_ setting: Setting, _ cell: TaxCell, multipliers warm: [Double]) {
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
        // Well above what a unit of a row is worth at the margin; raised where that turns out to be too little.
        let each = max(1, model.idleObjective.magnitude)
        penalties = zip(rows, scales).map { row, scale in (row.count > 0 ? each * 0.05 + 10 : 0.6) / scale }
        multipliers = rows.indices.map { $0 < warm.count ? warm[$0] : 0 }
        prices = multipliers
        center = [Double](repeating: 0, count: model.count)
        tangentAt = model.assets.map { $0.deviation }
        kept = [[Choice]](repeating: [], count: model.count)
        near = [[Double]](repeating: [], count: model.count)
    }

    /// One round: the master program over the choices known so far, the bound at its prices, and the choices that it lacks.
    mutating func improve() {
        let n = model.count
        let isFirst = kept.allSatisfy { $0.isEmpty }
        rounds += 1
        let rest = setting.split.rest(model.covariance, tangentAt).map { $0 * model.kappa }
        let columns = makeColumns(orders(prices), rest: rest, isFirst: isFirst)
        let size = max(1, max(value.isFinite ? value.magnitude : 0, model.idleObjective.magnitude))
        var master = HullMaster(
            columns, loadings: setting.loadings, factors: setting.split.factors, exposure: setting.exposure,
            limits: zip(rows, scales).map { $0.limit * $1 }, penalties: penalties,
            multipliers: zip(prices, scales).map { $0 / $1 }, center: center,
            barrier: (isFirst ? 1 : 0.05) * size / Double(max(1, columns.k.count)))
        master.solve(tolerance: size * (isFirst ? 3e-3 : 3e-5))
        for q in penalties.indices where master.multipliers[q] > 0.9 * penalties[q] { penalties[q] *= 8 }
        prices = zip(master.multipliers, scales).map { $0 * $1 }
        center = master.means
        let (bound, found) = price(master.y, rest)
        let relaxed = master.objective + setting.constant + cell.constant + ownConstant + restConstant(rest)
        let before = value
        if bound > value {
            value = bound
            multipliers = prices
            means = center
            bestExposures = master.y
            bestTangentAt = tangentAt
            bestRates = rates(prices)
            start = rounded(columns, master.x, center)
        }
        let deviations = zip(model.assets, center).map { $0.deviation + $0.stepWeight * $1 }
        let moved = zip(deviations, tangentAt).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
        isDone =
            (relaxed - bound <= 1e-4 * max(1, value.magnitude) && moved < 1e-4)
            || (rounds > 2 && value - before < 5e-5 * max(1, value.magnitude)
                && relaxed - value < 5e-4 * value.magnitude)
        tangentAt = deviations
        kept = cheapest(columns, master)
        for i in 0..<n {
            let k = found[i]
            let size = max(k.magnitude, 8)
            var around = [k]
            for share in [1 / size, 1.0 / 256, 1.0 / 64, 1.0 / 16, 1.0 / 4] {
                around += [(k - share * size).rounded(), (k + share * size).rounded()]
            }
            near[i] = around.filter { model.assets[i].allows($0) }
        }
    }

    /// The bound at exposures and the present prices, with the choice of each asset that makes it.
    private func price(_ y: [Double], _ rest: [Double]) -> (bound: Double, choices: [Double]) {
        let spread = setting.split.spread(y)
        let root = model.kappa.squareRoot()
        let orders = orders(prices)
        var bound = setting.constant + cell.constant - 0.5 * Vector.dot(rest, tangentAt)
        for (row, nu) in zip(rows, prices) { bound -= nu * row.limit }
        for z in y { bound -= 0.5 * z * z }
        var found = center
        for (i, one) in model.assets.enumerated() {
            let own = model.kappa * setting.split.own[i]
            let tangent = root * spread[i] + rest[i]
            let least = one.least(
                choicePrices(prices, asset: i), orders[i], slope: one.stepWeight * (tangent + own * one.deviation),
                curvature: own * one.stepWeight * one.stepWeight, from: one.lowest, to: one.highest)
            bound += least.value + tangent * one.deviation + 0.5 * own * one.deviation * one.deviation
            found[i] = least.k
        }
        return (bound, found)
    }

    /// Whole steps from relaxations in which ever more assets may trade on one side only, or not at all: those first whose choices
    /// agree most on a side.
    func dive() -> [Double] {
        let n = model.count
        var fixed = self
        var sides = [Double?](repeating: nil, count: n)
        let rest = setting.split.rest(model.covariance, tangentAt).map { $0 * model.kappa }
        let size = max(1, value.magnitude)
        var master: HullMaster?
        for threshold in [0.75, 0, 0] {
            for i in 0..<n {
                guard let side = sides[i] else { continue }
                fixed.kept[i].removeAll { $0.k * side < 0 || ($0.k == 0) != (side == 0) }
                fixed.near[i].removeAll { $0 * side < 0 || ($0 == 0) != (side == 0) }
                let mean = fixed.center[i]
                if side != 0, mean * side > 0 {
                    let width = max(mean.magnitude, 8)
                    let around = [0, 1 / width, -1 / width, 0.03, -0.03, 0.2, -0.2].map {
                        (mean + $0 * width).rounded()
                    }
                    fixed.near[i] += around.filter { $0 * side > 0 && model.assets[i].allows($0) }
                }
                if fixed.kept[i].isEmpty, fixed.near[i].isEmpty {
                    let least = side * max(1, model.assets[i].leastTrade)
                    fixed.near[i] = [model.assets[i].allows(least) ? least : start[i]]
                }
            }
            let columns = fixed.makeColumns(orders(fixed.prices), rest: rest, isFirst: false, sides: sides)
            var solved = HullMaster(
                columns, loadings: setting.loadings, factors: setting.split.factors, exposure: setting.exposure,
                limits: zip(rows, scales).map { $0.limit * $1 }, penalties: penalties,
                multipliers: zip(fixed.prices, scales).map { $0 / $1 }, center: fixed.center,
                barrier: 0.05 * size / Double(max(1, columns.k.count)))
            solved.solve(tolerance: size * 3e-4)
            fixed.center = solved.means
            fixed.prices = zip(solved.multipliers, scales).map { $0 * $1 }
            for i in 0..<n where sides[i] == nil {
                var weights = (sold: 0.0, none: 0.0, bought: 0.0)
                for j in columns.starts[i]..<columns.starts[i + 1] {
                    let k = columns.k[j]
                    if k < 0 {
                        weights.sold += solved.x[j]
                    } else if k > 0 {
                        weights.bought += solved.x[j]
                    } else {
                        weights.none += solved.x[j]
                    }
                }
                let most = max(weights.sold, weights.none, weights.bought)
                guard most > threshold else { continue }
                sides[i] = most == weights.none ? 0 : (most == weights.sold ? -1 : 1)
            }
            master = solved
        }
        guard let master else { return start }
        return zip(master.means, model.assets).map { mean, one in
            let whole = mean.rounded()
            return one.allows(whole) ? whole : (mean > 0 ? one.leastTrade : -one.leastTrade)
        }
    }

    /// A choice with the gains of the lots that it was made with.
    private struct Choice: Hashable {
        var k: Double
        var short: Double
        var long: Double
    }

    /// Terms of the objective that no choice changes: the own risk before trades.
    private var ownConstant: Double {
        var sum = 0.0
        for (i, one) in model.assets.enumerated() {
            sum += 0.5 * model.kappa * setting.split.own[i] * one.deviation * one.deviation
        }
        return sum
    }

    /// The linear part below the rest's risk, before trades.
    private func restConstant(_ rest: [Double]) -> Double {
        var sum = -0.5 * Vector.dot(rest, tangentAt)
        for (i, one) in model.assets.enumerated() { sum += rest[i] * one.deviation }
        return sum
    }

    /// Steps within which the first choices lie; pricing finds those beyond.
    private func window(_ one: OneAsset) -> Double {
        let width = 2 * (one.deviation.magnitude / one.stepWeight + max(0, -one.lowest)) + 2 * one.leastTrade + 24
        return width.isFinite ? width.rounded() : one.highest
    }

    /// What a gain costs at the margin under prices of the rows.
    private func rates(_ prices: [Double]) -> (short: Double, long: Double) {
        var (short, long) = (cell.short, cell.long)
        for (row, nu) in zip(rows, prices) {
            short += nu * row.short
            long += nu * row.long
        }
        return (short, long)
    }

    private func orders(_ prices: [Double]) -> [LotOrder] {
        let (short, long) = rates(prices)
        return model.assets.map { $0.order(short: short, long: long) }
    }

    /// Takes over what another cell has found: where prices of this cell's rows can make the same rates, the other's exposures give a
    /// bound at once. Cells whose optimum lies on their common border need no work of their own then.
    mutating func adopt(_ other: CellBound) {
        guard !other.bestExposures.isEmpty else { return }
        let places = rows.indices.filter { rows[$0].name == "tax" }
        let wanted = (short: other.bestRates.short - cell.short, long: other.bestRates.long - cell.long)
        var found: [(place: Int, nu: Double)]?
        if wanted.short.magnitude + wanted.long.magnitude < 1e-12 { found = [] }
        for (index, p) in places.enumerated() where found == nil {
            for q in [p] + places.dropFirst(index + 1) where found == nil {
                let (a, b) = (rows[p], p == q ? TradeModel.Row(name: "", limit: 0) : rows[q])
                let determinant = a.short * b.long - a.long * b.short
                if p == q {
                    // One row alone has to reach both rates.
                    let nu = a.short != 0 ? wanted.short / a.short : wanted.long / a.long
                    let misses = (nu * a.short - wanted.short).magnitude + (nu * a.long - wanted.long).magnitude
                    if nu >= 0, misses < 1e-9 { found = [(p, nu)] }
                } else if determinant != 0 {
                    let first = (wanted.short * b.long - wanted.long * b.short) / determinant
                    let second = (a.short * wanted.long - a.long * wanted.short) / determinant
                    if first >= 0, second >= 0 { found = [(p, first), (q, second)] }
                }
            }
        }
        guard let found else { return }
        var trial = self
        trial.prices = rows.indices.map { $0 < model.rows.count ? other.multipliers[$0] : 0 }
        for (place, nu) in found { trial.prices[place] = nu }
        trial.tangentAt = other.bestTangentAt
        trial.center = other.means
        let rest = setting.split.rest(model.covariance, trial.tangentAt).map { $0 * model.kappa }
        let bound = trial.price(other.bestExposures, rest).bound
        guard bound > value else { return }
        trial.value = bound
        trial.multipliers = trial.prices
        trial.means = other.means
        trial.start = other.start
        trial.kept = other.kept
        trial.near = other.near
        trial.bestExposures = other.bestExposures
        trial.bestTangentAt = other.bestTangentAt
        trial.bestRates = other.bestRates
        self = trial
    }

    private func choicePrices(_ multipliers: [Double], asset: Int) -> ChoicePrices {
        ChoicePrices(multipliers, of: rows, in: cell, asset: asset)
    }

    private func makeColumns(
        _ orders: [LotOrder], rest: [Double], isFirst: Bool, sides: [Double?] = []
    ) -> HullMaster.Columns {
        var columns = HullMaster.Columns()
        var plain = ChoicePrices()
        plain.short = cell.short
        plain.long = cell.long
        var samples: [Double] = []
        for (i, one) in model.assets.enumerated() {
            samples.removeAll(keepingCapacity: true)
            if isFirst {
                let reach = window(one)
                Relaxation.sample(
                    one, orders[i], low: max(one.lowest, -reach), high: min(one.highest, reach), around: center[i],
                    &samples)
            } else {
                samples += near[i]
                let middle = center[i].rounded()
                for k in [0, one.leastTrade, -one.leastTrade, middle, middle - 1, middle + 1]
                where (sides.isEmpty || sides[i] == nil) && one.allows(k) {
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
            var seen = Set(kept[i])
            var choices = kept[i]
            for k in samples {
                let gains = k < 0 ? orders[i].gains(-k) : (0, 0)
                let choice = Choice(k: k, short: gains.0, long: gains.1)
                if seen.insert(choice).inserted { choices.append(choice) }
            }
            for choice in choices {
                let k = choice.k
                let gains = (choice.short, choice.long)
                let cost = one.cost(k)
                columns.k.append(k)
                columns.short.append(choice.short)
                columns.long.append(choice.long)
                columns.cost.append(
                    cost + (k == 0 ? 0 : one.ticket) + plain.short * choice.short + plain.long * choice.long
                        + k * (one.drift + slope + 0.5 * curvature * k))
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

    /// The choices of each asset that cost least at the prices of a solved master.
    private func cheapest(_ columns: HullMaster.Columns, _ master: HullMaster) -> [[Choice]] {
        let costs = master.reducedCosts
        return (0..<model.count).map { i in
            (columns.starts[i]..<columns.starts[i + 1]).sorted { costs[$0] < costs[$1] }
                .prefix(10).map { Choice(k: columns.k[$0], short: columns.short[$0], long: columns.long[$0]) }
        }
    }

    /// Whole steps near the relaxation: the mean of each asset's choices where all are trades of one side, else the heaviest.
    private func rounded(_ columns: HullMaster.Columns, _ x: [Double], _ means: [Double]) -> [Double] {
        (0..<model.count).map { i in
            let range = columns.starts[i]..<columns.starts[i + 1]
            let held = range.filter { x[$0] > 1e-3 }.map { columns.k[$0] }
            let mean = means[i].rounded()
            if held.allSatisfy({ $0 > 0 }) || held.allSatisfy({ $0 < 0 }), model.assets[i].allows(mean) { return mean }
            return range.max { x[$0] < x[$1] }.map { columns.k[$0] } ?? 0
        }
    }
}
