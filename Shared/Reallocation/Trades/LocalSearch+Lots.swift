/// Which lots the sales of a search take, where the tax lets them choose.
extension LocalSearch {
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
        let ranges = open.map { i -> (least: Double, most: Double) in
            (max(0, -k[i] - model.assets[i].longSteps), min(-k[i], model.assets[i].shortSteps))
        }
        // Counted before they are listed: of fine steps there may be any number.
        guard ranges.reduce(1.0, { $0 * ($1.most - $1.least + 2) }) <= Double(limit) else { return false }
        let choices = ranges.map { Array(stride(from: $0.least, through: $0.most, by: 1)) + [$0.most] }
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
