/// Whole steps out of a cell's relaxation.
extension CellBound {
    /// Whole steps from relaxations in which ever more assets may trade on one side only, or not at all: those first whose choices
    /// agree most on a side.
    ///
    /// - Parameter known: trades that are good already; where they do as most of an asset's choices do, its side is fixed at once, and the rest is
    ///   open again. Source: Danna, Rothberg and Le Pape (2005), Exploring relaxation induced neighborhoods to improve MIP solutions.
    func dive(near known: [Double]? = nil) -> [Double] {
        var fixed = self
        var sides = [Double?](repeating: nil, count: model.count)
        var means = start
        if let known {
            let leanings = Self.leanings(fixed.relaxed(sides))
            for (i, leaning) in leanings.enumerated() where leaning.weight > 0.5 && leaning.side == Self.side(known[i])
            {
                sides[i] = leaning.side
            }
        }
        for threshold in [0.75, 0, 0] {
            let master = fixed.relaxed(sides)
            for (i, leaning) in Self.leanings(master).enumerated() where sides[i] == nil && leaning.weight > threshold {
                sides[i] = leaning.side
            }
            means = master.means
        }
        return whole(means)
    }

    private static func side(_ k: Double) -> Double { k == 0 ? 0 : (k < 0 ? -1 : 1) }

    /// Where most of the weight of each asset's choices lies.
    private static func leanings(_ master: HullMaster) -> [(side: Double, weight: Double)] {
        (0..<master.assets).map { i in
            var (sold, none, bought) = (0.0, 0.0, 0.0)
            for j in master.columns.starts[i]..<master.columns.starts[i + 1] {
                switch side(master.columns.k[j]) {
                case ..<0: sold += master.x[j]
                case 0: none += master.x[j]
                default: bought += master.x[j]
                }
            }
            let most = max(sold, none, bought)
            return (most == none ? 0 : (most == sold ? -1 : 1), most)
        }
    }

    /// Whole steps near the relaxation in which each asset trades on the side that it does, or not at all: what many exchanges of a few steps would
    /// come to.
    func fitted(to k: [Double]) -> [Double] {
        var fixed = self
        fixed.center = k
        let sides = k.map { Self.side($0) }
        for _ in 0..<2 { fixed.center = fixed.relaxed(sides).means }
        return whole(fixed.center)
    }

    /// The relaxation with the sides on which some assets may trade; zero for not at all, nil where that is open.
    private mutating func relaxed(_ sides: [Double?]) -> HullMaster {
        for (i, one) in model.assets.enumerated() {
            guard let side = sides[i] else { continue }
            kept[i].removeAll { $0.k * side < 0 || ($0.k == 0) != (side == 0) }
            near[i].removeAll { $0 * side < 0 || ($0 == 0) != (side == 0) }
            let mean = center[i]
            if side != 0, mean * side > 0 {
                let width = max(mean.magnitude, 8)
                let around = [0, 1 / width, -1 / width, 0.03, -0.03, 0.2, -0.2].map { (mean + $0 * width).rounded() }
                near[i] += around.filter { $0 * side > 0 && one.allows($0) }
            }
            if kept[i].isEmpty, near[i].isEmpty {
                let least = side * max(1, one.leastTrade)
                near[i] = [one.allows(least) ? least : start[i]]
            }
        }
        let size = max(1, value.magnitude)
        let rest = setting.split.rest(model.covariance, tangentAt).map { $0 * model.kappa }
        let columns = makeColumns(orders(prices), rest: rest, isFirst: false, sides: sides)
        var master = master(over: columns, barrier: 0.05 * size)
        master.solve(tolerance: 3e-4, size: size, constant: constant(rest))
        center = master.means
        prices = zip(master.multipliers, scales).map { $0 * $1 }
        return master
    }

    private func whole(_ means: [Double]) -> [Double] {
        zip(means, model.assets).map { mean, one in
            let whole = mean.rounded()
            return one.allows(whole) ? whole : (mean > 0 ? one.leastTrade : -one.leastTrade)
        }
    }
}
