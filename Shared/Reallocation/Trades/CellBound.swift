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
        var model: TradeModel
        private(set) var split: RiskSplit
        private(set) var loadings: [Double]
        private(set) var exposure: [Double]
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

        /// Moves what a factor explains out of the rest.
        mutating func add(_ factor: [Double]) {
            let root = model.kappa.squareRoot()
            exposure.append(root * Vector.dot(factor, model.assets.map { $0.deviation }))
            loadings = RiskSplit.widened(loadings, zip(factor, model.assets).map { root * $1.stepWeight * $0 })
            split.add(factor)
        }
    }

    var setting: Setting
    let cell: TaxCell
    let rows: [TradeModel.Row]
    let scales: [Double]
    private(set) var penalties: [Double]
    /// The greatest bound that exposures and prices of its own have made, and one that holds for a larger set of trades.
    var made = -Double.infinity
    var inherited = -Double.infinity
    var value: Double { max(made, inherited) }
    private(set) var multipliers: [Double]
    /// Mean steps in the relaxation, not whole in general.
    private(set) var means: [Double] = []
    /// Whole steps near the relaxation: where a search begins.
    private(set) var start: [Double] = []
    /// Whether another round would hardly raise the bound.
    var isDone = false
    /// What each asset's relaxed choice costs less than one trade of its mean steps, as far as it is not one.
    private(set) var slack: [Double] = []
    var rounds = 0
    /// Prices of the rows at which the next choices are made.
    var prices: [Double]
    var center: [Double]
    var tangentAt: [Double]
    var kept: [[Choice]]
    var near: [[Double]]
    /// Exposures, deviations and effective rates of the tax that made the best bound.
    private(set) var bestExposures: [Double] = []
    private(set) var bestTangentAt: [Double] = []
    private var bestRates = (short: 0.0, long: 0.0)

    var model: TradeModel { setting.model }

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
        let constant = constant(rest)
        var master = master(over: columns, barrier: (isFirst ? 1 : 0.05) * size)
        master.solve(tolerance: rounds == 1 ? 3e-3 : 3e-5, size: size, constant: constant)
        for q in penalties.indices where master.multipliers[q] > 0.9 * penalties[q] { penalties[q] *= 8 }
        prices = zip(master.multipliers, scales).map { $0 * $1 }
        center = master.means
        let (bound, found) = price(master.y, rest)
        let relaxed = master.objective + constant
        let before = value
        if bound > made {
            made = bound
            multipliers = prices
            means = center
            bestExposures = master.y
            bestTangentAt = tangentAt
            bestRates = rates(prices)
            start = rounded(columns, master.x, center)
        }
        let deviations = zip(model.assets, center).map { $0.deviation + $0.stepWeight * $1 }
        let moved = zip(deviations, tangentAt).map { $0 - $1 }
        let bent = setting.split.rest(model.covariance, moved)
        let bend = 0.5 * model.kappa * Vector.dot(moved, bent)
        isDone =
            relaxed + bend - value <= 1e-4 * max(1, value.magnitude)
            || (rounds > 2 && value - before < 5e-5 * max(1, value.magnitude)
                && relaxed + bend - value < 5e-4 * value.magnitude)
        slack = slack(master, rest)
        tangentAt = deviations
        if bend > 1e-4 * max(1, value.magnitude) { self.bend(along: moved, bent) }
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

    /// Makes a factor of the risk that the rest has along a move. A tangent does not know how the risk bends, so that the next round would move back,
    /// and the one after that again; with the factor it is exact on the line between both. What it leaves is semidefinite as before (a Schur
    /// complement), and the best bound so far stays what it is.
    private mutating func bend(along moved: [Double], _ bent: [Double]) {
        let length = Vector.dot(moved, bent).squareRoot()
        setting.add(bent.map { $0 / length })
        if !bestExposures.isEmpty {
            bestExposures.append(model.kappa.squareRoot() * Vector.dot(bent, bestTangentAt) / length)
        }
    }

    /// The master program over some choices, begun at the present prices and steps.
    /// - Parameter barrier: of all choices together.
    func master(over columns: HullMaster.Columns, barrier: Double) -> HullMaster {
        HullMaster(
            columns, loadings: setting.loadings, factors: setting.split.factors, exposure: setting.exposure,
            limits: zip(rows, scales).map { $0.limit * $1 }, penalties: penalties,
            multipliers: zip(prices, scales).map { $0 / $1 }, center: center,
            barrier: barrier / Double(max(1, columns.k.count)))
    }

    /// What the objective has beside the master program's.
    func constant(_ rest: [Double]) -> Double { setting.constant + cell.constant + ownConstant + restConstant(rest) }

    /// The bound at exposures and the present prices, with the choice of each asset that makes it.
    func price(_ y: [Double], _ rest: [Double]) -> (bound: Double, choices: [Double]) {
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

    /// A choice with the gains of the lots that it was made with.
    struct Choice: Hashable {
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

    /// What a gain costs at the margin under prices of the rows.
    func rates(_ prices: [Double]) -> (short: Double, long: Double) {
        var (short, long) = (cell.short, cell.long)
        for (row, nu) in zip(rows, prices) {
            short += nu * row.short
            long += nu * row.long
        }
        return (short, long)
    }

    /// What a gain costs at the margin of the relaxation: on a border of the cell less than within it. A little of the cell's own rates says
    /// which lots go first where the rest is nothing but rounding.
    var marginalRates: (short: Double, long: Double) {
        let (short, long) = rates(multipliers)
        return (short + 1e-4 * cell.short, long + 1e-4 * cell.long)
    }

    func orders(_ prices: [Double]) -> [LotOrder] {
        let (short, long) = rates(prices)
        return model.assets.map { $0.boundOrder(short: short, long: long) }
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
        // Where no prices of these rows make the other's rates, the rows are free: a weaker bound, and a beginning.
        var trial = self
        trial.setting = other.setting
        trial.prices = rows.indices.map { $0 < model.rows.count ? other.multipliers[$0] : 0 }
        for (place, nu) in found ?? [] { trial.prices[place] = nu }
        trial.tangentAt = other.bestTangentAt
        trial.center = other.means
        let rest = setting.split.rest(model.covariance, trial.tangentAt).map { $0 * model.kappa }
        let bound = trial.price(other.bestExposures, rest).bound
        guard bound > value else { return }
        trial.made = bound
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

    func choicePrices(_ multipliers: [Double], asset: Int) -> ChoicePrices {
        ChoicePrices(multipliers, of: rows, in: cell, asset: asset)
    }
}
