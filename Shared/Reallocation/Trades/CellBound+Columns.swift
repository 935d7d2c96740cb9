/// The choices of each asset that a cell's master program is made of.
extension CellBound {
    /// Steps within which the first choices lie; pricing finds those beyond.
    private func window(_ one: OneAsset) -> Double {
        let width = 2 * (one.deviation.magnitude / one.stepWeight + max(0, -one.lowest)) + 2 * one.leastTrade + 24
        return width.isFinite ? width.rounded() : one.highest
    }

    /// The choices that the master program knows: those kept, and those near the relaxation; at first a sample of all that may be worth it.
    func makeColumns(
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
    func cheapest(_ columns: HullMaster.Columns, _ master: HullMaster) -> [[Choice]] {
        let costs = master.reducedCosts
        // A part of few assets has one round: what more choices would bring comes from more parts in the same time.
        let most = model.count <= TradeSolver.mostInParts ? 6 : 10
        return (0..<model.count).map { i in
            (columns.starts[i]..<columns.starts[i + 1]).sorted { costs[$0] < costs[$1] }
                .prefix(most).map { Choice(k: columns.k[$0], short: columns.short[$0], long: columns.long[$0]) }
        }
    }

    /// Whole steps near the relaxation: the mean of each asset's choices where all are trades of one side, else the heaviest.
    func rounded(_ columns: HullMaster.Columns, _ x: [Double], _ means: [Double]) -> [Double] {
        (0..<model.count).map { i in
            let range = columns.starts[i]..<columns.starts[i + 1]
            let held = range.filter { x[$0] > 1e-3 }.map { columns.k[$0] }
            let mean = means[i].rounded()
            if held.allSatisfy({ $0 > 0 }) || held.allSatisfy({ $0 < 0 }), model.assets[i].allows(mean) { return mean }
            return range.max { x[$0] < x[$1] }.map { columns.k[$0] } ?? 0
        }
    }
}
