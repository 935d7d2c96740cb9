/// Whole steps out of a cell's relaxation.
extension CellBound {
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
            var solved = fixed.master(over: columns, barrier: 0.05 * size)
            solved.solve(tolerance: 3e-4, size: size, constant: constant(rest))
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
}
