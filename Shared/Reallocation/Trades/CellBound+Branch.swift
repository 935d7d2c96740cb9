/// Parts of a cell, in which one asset may do less.
extension CellBound {
    /// What each asset's relaxed choice costs less than one trade of its mean steps, times how far it is from one choice: the ticket of half a trade
    /// is half paid, and near-equal choices side by side are as good as one.
    func slack(_ master: HullMaster, _ rest: [Double]) -> [Double] {
        let orders = orders(prices)
        let means = master.means
        return model.assets.indices.map { i in
            let one = model.assets[i]
            let k = means[i]
            let own = model.kappa * setting.split.own[i]
            let slope = one.stepWeight * (own * one.deviation + rest[i]) + master.slope(i)
            let curvature = own * one.stepWeight * one.stepWeight
            let price = one.price(k, choicePrices(prices, asset: i), orders[i]) + k * (slope + 0.5 * curvature * k)
            let heaviest = master.x[master.columns.starts[i]..<master.columns.starts[i + 1]].max() ?? 1
            return max(0, price - master.best[i]) * max(0, 1 - heaviest)
        }
    }

    /// The asset to split at, and the last steps of its lower part; nil where no asset's slack is worth so much.
    func division(worth least: Double) -> (asset: Int, cut: Double)? {
        guard let asset = slack.indices.max(by: { slack[$0] < slack[$1] }), slack[asset] > least else { return nil }
        let one = model.assets[asset]
        guard one.highest > one.lowest else { return nil }
        // Between trading on the mean's side and not, as long as both are open.
        let mean = means[asset]
        var cut = mean.rounded(.down)
        if mean >= 0, one.lowest <= 0 { cut = 0 }
        if mean < 0, one.highest >= 0 { cut = -1 }
        return (asset, min(max(cut, one.lowest), one.highest - 1))
    }

    /// The bound of the trades whose steps of one asset lie within a range; nil where there are none. At the exposures and prices that made this
    /// bound all other assets cost what they did, so that it begins as far above as that asset's least price rises.
    func limited(_ asset: Int, _ low: Double, _ high: Double) -> CellBound? {
        let one = model.assets[asset]
        guard let (low, high) = one.tradable(low, high) else { return nil }
        var part = self
        part.setting.model.assets[asset] = one.within(low, high)
        part.inherited = value
        if !bestExposures.isEmpty {
            var at = part
            at.prices = multipliers
            at.tangentAt = bestTangentAt
            let rest = setting.split.rest(model.covariance, bestTangentAt).map { $0 * model.kappa }
            part.inherited = max(value, at.price(bestExposures, rest).bound)
        }
        part.made = -.infinity
        part.kept[asset].removeAll { $0.k < low || $0.k > high }
        let first = min(max(center[asset].rounded(), low), high)
        part.near[asset] = [first, low, high].filter { part.model.assets[asset].allows($0) }
        part.isDone = false
        part.rounds = 1
        return part
    }
}
