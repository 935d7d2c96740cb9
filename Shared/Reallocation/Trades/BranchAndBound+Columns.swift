/// Many assets: bounds over the hulls of all choices instead of boxes relaxed one by one.
extension BranchAndBound {
    private static let mostRounds = 12
    /// A plan this near to its bound, relative to the objective, is worth no nodes.
    private static let contentGap = 5e-3

    /// The bound of each cell of the tax over the hulls of all choices, the search from where it led, and branches where that leaves a gap.
    ///
    /// The cell with the least bound is always the next to be worked on: it is the one that holds the bound of the whole down.
    mutating func runLarge() {
        // Doing nothing always competes.
        offer(model.assets.map { _ in 0 }, guide: [], pairs: 0, enumerates: false, fixed: true)
        let setting = CellBound.Setting(model)
        let idle = model.tax.marginal(0, 0)
        var bounds = relaxations.map { CellBound(setting, $0.cell, multipliers: []) }
        let first = relaxations.firstIndex { $0.cell.short == idle.short && $0.cell.long == idle.long } ?? 0
        guard bounds.indices.contains(first) else { return }
        bounds[first].improve()
        var hasSearched = false
        while !isOverTime {
            for at in bounds.indices where bounds[at].rounds == 0 {
                for other in bounds.indices where bounds[other].rounds > 0 { bounds[at].adopt(bounds[other]) }
            }
            let open = bounds.indices.filter { !bounds[$0].isDone && bounds[$0].rounds < Self.mostRounds }
            guard let at = open.min(by: { bounds[$0].value < bounds[$1].value }),
                bounds[at].value < cutoff - 1e-4 * (incumbent?.objective.magnitude ?? 0),
                bounds[at].value <= (bounds.map { $0.value }.min() ?? 0)
            else { break }
            // Cells that meet where their optimum lies lead each other on.
            for other in bounds.indices where bounds[other].rounds > 0 && bounds[other].value > bounds[at].value {
                bounds[at].adopt(bounds[other])
            }
            bounds[at].improve()
            guard bounds[at].isDone || bounds[at].rounds == Self.mostRounds else { continue }
            if !hasSearched || distance(to: bounds[at].value) > 1e-3 { search(bounds[at]) }
            hasSearched = true
        }
        if !hasSearched, let at = bounds.indices.min(by: { bounds[$0].value < bounds[$1].value }) { search(bounds[at]) }
        lowerBound = bounds.map { $0.value }.min() ?? -.infinity
        branch(bounds)
    }

    /// Looks for trades from where a cell's relaxation ended: which assets trade on which side from its dives, their sizes all at once, and exchanges.
    private mutating func search(_ bound: CellBound) {
        func isContent() -> Bool { distance(to: bound.value) <= 1e-4 }
        propose(bound.start, by: bound)
        if !isContent() { propose(bound.dive(), by: bound) }
        for _ in 0..<3 {
            guard let known = incumbent, !isContent() else { break }
            let before = distance(to: bound.value)
            propose(bound.dive(near: known.k), by: bound)
            if distance(to: bound.value) > 0.8 * before { break }
        }
        guard let found = incumbent, !isContent() else { return }
        propose(bound.fitted(to: found.k), by: bound, pairs: 16)
        // Exchanges among many more assets pay only from where everything else is in place.
        if let fitted = incumbent, !isContent() { propose(fitted.k, by: bound, pairs: 80) }
    }

    /// Improves trades one by one, and by exchanges among so many assets: among a few in any case where some limit is still broken.
    private mutating func propose(_ k: [Double], by bound: CellBound, pairs: Int = 0) {
        let guide = Array(bound.multipliers.prefix(model.rows.count))
        let rates = bound.marginalRates
        let search = offer(k, guide: guide, rates: rates, pairs: pairs, enumerates: false).search
        if pairs == 0, !search.isFeasible { offer(search.k, guide: guide, rates: rates, pairs: 16, enumerates: false) }
    }

    /// How far the best plan is above a bound, relative to its objective; infinite where there is none.
    private func distance(to bound: Double) -> Double {
        guard let incumbent else { return .infinity }
        return (incumbent.objective - bound) / max(incumbent.objective.magnitude, 1e-9)
    }

    /// Splits the cells, best bound first, at the asset whose relaxed choice is the furthest from one trade: with few trades allowed the relaxation
    /// makes parts of many.
    private mutating func branch(_ cells: [CellBound]) {
        let limit = effort.columnNodes(assets: model.count)
        var open = cells
        /// The bound of what can be split no further.
        var done = Double.infinity
        while nodes < limit, !isOverTime, let incumbent,
            let at = open.indices.min(by: { open[$0].value < open[$1].value }),
            incumbent.objective - min(done, open[at].value) > Self.contentGap * incumbent.objective.magnitude
        {
            nodes += 1
            var parent = open.remove(at: at)
            if parent.slack.isEmpty {
                // It has another cell's bound, and no relaxation of its own yet.
                parent.improve()
                open.append(parent)
                continue
            }
            guard let (asset, cut) = parent.division(worth: 1e-6 * incumbent.objective.magnitude) else {
                done = min(done, parent.value)
                continue
            }
            let one = parent.model.assets[asset]
            for (low, high) in [(one.lowest, cut), (cut + 1, one.highest)] {
                guard var child = parent.limited(asset, low, high) else { continue }
                // One round each: more parts raise the bound more than more rounds of one.
                if child.value < cutoff { child.improve() }
                if child.value >= cutoff { continue }
                if nodes % 4 == 1 {
                    let before = incumbent.objective
                    propose(child.start, by: child)
                    if let better = self.incumbent, better.objective < before {
                        propose(better.k, by: child, pairs: 16)
                    }
                }
                open.append(child)
            }
        }
        // Where nothing is left, no plan is better than the one found.
        lowerBound = min(done, open.map { $0.value }.min() ?? cutoff)
    }
}
