/// Which lots the sales of a search take, where the tax lets them choose.
extension LocalSearch {
    /// Whether a sale may take its steps from other lots than it does, at other tax.
    private func isOpen(_ i: Int) -> Bool {
        let one = model.assets[i]
        guard k[i] < 0, one.prescribed == nil else { return false }
        if one.washed != nil { return true }
        return model.tax.mode == .nettedYear && min(-k[i], one.shortSteps) > max(0, -k[i] - one.longSteps)
    }

    /// Another choice of lots where that lowers the year's tax.
    @discardableResult
    mutating func refineLots() -> Bool {
        var helped = false
        for i in k.indices where isOpen(i) {
            let one = model.assets[i]
            let x = -k[i]
            var changes: [Change] = []
            if let washed = one.washed {
                for recent in washed.recentEnds(x) {
                    changes += splits(i, washed.shortEnds(x, fromRecent: recent)) { m in
                        sale(i, fromShort: m, taken: washed.taken(x, fromShort: m, fromRecent: recent))
                    }
                }
            } else {
                changes = splits(i, ends(one, x)) { sale(i, fromShort: $0) }
            }
            if applyBest(of: changes) { helped = true }
        }
        return helped
    }

    /// The sale that there is, from other lots.
    private func sale(_ i: Int, fromShort: Double, taken: [Double] = []) -> Change {
        if let washed = model.assets[i].washed {
            return change(i, k[i], fromShort: fromShort, taken: taken, washed.results(taken), cost: costs[i])
        }
        let gains = model.assets[i].gains(-k[i], fromShort: fromShort)
        return Change(asset: i, k: k[i], fromShort: fromShort, short: gains.short, long: gains.long, cost: costs[i])
    }

    /// Steps from short-term lots for a sale of x steps: ends of lots, from the least to the most that is possible.
    private func ends(_ one: OneAsset, _ x: Double) -> [Double] {
        let (least, most) = (max(0, x - one.longSteps), min(x, one.shortSteps))
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
        return ends.filter { $0 >= least && $0 <= most }.sorted()
    }

    /// The sale with so many steps from short-term lots: at each end, and at the whole steps beside the places where the year passes from one cell
    /// of the tax to another.
    private func splits(_ i: Int, _ ends: [Double], _ sale: (Double) -> Change) -> [Change] {
        let sales = ends.map(sale)
        var found = sales
        let (short, long) = (totalShort - gainsShort[i], totalLong - gainsLong[i])
        if model.tax.mode == .nettedYear {
            for ((a, first), (b, last)) in zip(zip(ends, sales), zip(ends, sales).dropFirst()) {
                let s = (model.tax.netShort + short + first.short, model.tax.netShort + short + last.short)
                let l = (model.tax.netLong + long + first.long, model.tax.netLong + long + last.long)
                for (from, to) in [
                    s, l, (s.0 + l.0, s.1 + l.1), (s.0 + l.0 + model.tax.cap, s.1 + l.1 + model.tax.cap),
                ] where (from < 0) != (to < 0) {
                    let crossing = a + ((b - a) * from / (from - to))
                    let whole = a + (crossing - a).rounded(.down)
                    found += [whole, whole + 1].filter { $0 >= a && $0 <= b }.map(sale)
                }
            }
        }
        return found.filter { $0.fromShort != fromShort[i] || $0.taken != taken[i] }
    }

    /// Least tax over every choice of lots in whole steps, where there are at most so many of them; false where there are more.
    mutating func enumerateLots(limit: Int) -> Bool {
        let open = k.indices.filter { isOpen($0) }
        var choices: [[Change]] = []
        var count = 1.0
        for i in open {
            let one = model.assets[i]
            let most = (Double(limit) / count).rounded(.down)
            if let washed = one.washed {
                guard let own = Self.sales(of: washed, -k[i], limit: most) else { return false }
                choices.append(own.map { sale(i, fromShort: washed.shortSteps($0), taken: $0) })
            } else {
                guard let own = Self.steps(ends(one, -k[i]), limit: most) else { return false }
                choices.append(own.map { sale(i, fromShort: $0) })
            }
            count *= Double(choices.last?.count ?? 0)
        }
        var best = (price: model.tax.price(totalShort, totalLong), changes: [Change]())
        func visit(_ depth: Int, _ short: Double, _ long: Double, _ changes: [Change]) {
            guard depth < open.count else {
                let price = model.tax.price(short, long)
                let tax = model.tax.tax(short, long)
                if let budget = model.taxBudget, tax > budget + 1e-9 * max(1, budget.magnitude) { return }
                if price < best.price - 1e-12 { best = (price, changes) }
                return
            }
            let i = open[depth]
            for choice in choices[depth] {
                visit(
                    depth + 1, short - gainsShort[i] + choice.short, long - gainsLong[i] + choice.long,
                    changes + [choice])
            }
        }
        visit(0, totalShort, totalLong, [])
        for choice in best.changes { apply(choice) }
        return true
    }

    /// From the first of some ends on in whole steps, and the last; nil where there are more than the limit.
    private static func steps(_ ends: [Double], limit: Double) -> [Double]? {
        guard let least = ends.first, let most = ends.last, most - least + 2 <= limit else { return nil }
        return Array(stride(from: least, to: most, by: 1)) + [most]
    }

    /// Every choice of whole steps from each lot, or all of it, for a sale of x steps; nil where there are more than the limit.
    private static func sales(of washed: WashedLots, _ x: Double, limit: Double) -> [[Double]]? {
        var found: [[Double]] = []
        func visit(_ taken: [Double], _ rest: Double, _ left: Double) -> Bool {
            guard taken.count < washed.lots.count else {
                found.append(taken)
                return Double(found.count) <= limit
            }
            let size = washed.lots[taken.count].size
            // The lots after this one have to hold what it leaves.
            let (least, most) = (max(0, rest - (left - size)), min(rest, size))
            guard least <= most else { return true }
            for steps in stride(from: least, to: most, by: 1) where !visit(taken + [steps], rest - steps, left - size) {
                return false
            }
            return visit(taken + [most], rest - most, left - size)
        }
        return visit([], x, washed.lots.reduce(0) { $0 + $1.size }) ? found : nil
    }
}
