import LinearAlgebra
import WireFormat

/// A set of trades counted in decimals from the definitions: what the plan reports, and what the search is checked against.
struct PlanCosting: Sendable {
    struct Trade: Sendable {
        var asset: Int
        /// Bought positive, sold negative.
        var shares: FixedDecimal
        var lots: [LotSale]
        var cost: OrderCost
        /// What leaving this trade out would change in the year's tax.
        var tax: FixedDecimal
    }
    var trades: [Trade]
    var cashAfter: FixedDecimal
    /// Weights after the trades by asset, of the value before.
    var weights: [FixedDecimal]
    var gainShort: FixedDecimal
    var gainLong: FixedDecimal
    var tax: FixedDecimal
    var carryValue: FixedDecimal
    var costs: OrderCost
    /// Utility lost by deviating, with what expected returns bring taken off.
    var risk: Double
    var trackingError: Double

    /// The objective of `TradeProblem`.
    var objective: Double { risk + costs.total.double + (tax - carryValue).double }
    var turnover: FixedDecimal { costs.value / 2 }

    init(_ problem: TradeProblem, _ solution: TradeSolution) {
        self.init(problem, shares: solution.shares, fromShort: solution.fromShortLots, named: solution.namedLots)
    }

    /// - Parameters:
    ///   - fromShort: shares of each sale that come from short-term lots, where the tax chooses them.
    ///   - named: shares of each sale by lot, where it is beside a recent purchase; empty dictionaries elsewhere.
    init(
        _ problem: TradeProblem, shares: [FixedDecimal], fromShort: [FixedDecimal],
        named: [[String: FixedDecimal]] = []
    ) {
        trades = []
        cashAfter = problem.cash
        var short = FixedDecimal.zero
        var long = FixedDecimal.zero
        costs = .zero
        var sales: [Int: [LotSale]] = [:]
        for (index, asset) in problem.assets.enumerated() where shares[index] < 0 {
            let named = named.indices.contains(index) ? named[index] : [:]
            sales[index] = Self.lots(problem, asset, -shares[index], fromShort[index], named)
        }
        sales = problem.washed(sales)
        for (index, asset) in problem.assets.enumerated() where shares[index] != 0 {
            let cost = problem.costs.cost(of: shares[index], asset.quote)
            let lots = sales[index] ?? []
            for sale in lots { if sale.term == .short { short += sale.realised } else { long += sale.realised } }
            cashAfter -= asset.quote.price * shares[index] + cost.paid
            costs += cost
            trades.append(Trade(asset: index, shares: shares[index], lots: lots, cost: cost, tax: 0))
        }
        gainShort = short
        gainLong = long
        tax = problem.tax.tax(ofShort: short, long: long)
        carryValue = problem.tax.carryValue(ofShort: short, long: long)
        for at in trades.indices where !trades[at].lots.isEmpty {
            let own = trades[at].lots
            let ownShort = own.filter { $0.term == .short }.map { $0.realised }.reduce(.zero, +)
            let ownLong = own.filter { $0.term == .long }.map { $0.realised }.reduce(.zero, +)
            trades[at].tax = tax - problem.tax.tax(ofShort: short - ownShort, long: long - ownLong)
        }
        let total = problem.value
        weights = zip(problem.assets, shares).map { $0.quote.price * ($0.held + $1) / total }
        let deviations = zip(problem.assets, weights).map { ($1 - $0.target).double }
        let variance = max(0, Vector.dot(deviations, problem.covariance.symmetricMultiplied(by: deviations)))
        trackingError = variance.squareRoot()
        let scale = problem.horizonYears * total.double
        risk = 0.5 * problem.riskAversion * scale * variance
        for (asset, weight) in zip(problem.assets, weights) { risk -= scale * asset.expectedReturn * weight.double }
    }

    /// The lots of a sale: those that the search named, else by gain within each term where the tax chose the split, else in the method's own order.
    private static func lots(
        _ problem: TradeProblem, _ asset: TradeAsset, _ quantity: FixedDecimal, _ fromShort: FixedDecimal,
        _ named: [String: FixedDecimal]
    ) -> [LotSale] {
        let sale = Disposal(
            date: problem.date, netPrice: problem.netPrice(asset.quote), tax: problem.tax, step: problem.limits.lotSize)
        let lots = problem.sellableLots(asset)
        guard named.isEmpty else {
            let chosen = lots.compactMap { lot in
                named[lot.id].map {
                    TaxLot(id: lot.id, acquired: lot.acquired, quantity: $0, basisPerShare: lot.basisPerShare)
                }
            }
            // Each lot as it is held, whatever is taken of it.
            return sale.take(quantity, in: chosen.sorted { ($0.acquired, $0.id) < ($1.acquired, $1.id) }).map { part in
                var part = part
                part.lot = lots.first { $0.id == part.lot.id } ?? part.lot
                return part
            }
        }
        guard problem.tax.mode != .none else { return (try? sale.select(quantity, from: lots, by: .fifo)) ?? [] }
        switch problem.tax.method {
        case .minimumTax, .minimumTaxByRate:
            func part(_ term: HoldingTerm, _ shares: FixedDecimal) -> [LotSale] {
                guard shares > 0 else { return [] }
                return (try? sale.select(shares, from: lots.filter { sale.term($0) == term }, by: .hifo)) ?? []
            }
            return part(.short, fromShort) + part(.long, quantity - fromShort)
        default:
            return (try? sale.select(quantity, from: lots, by: problem.tax.method, named: lots.map { $0.id })) ?? []
        }
    }

    /// The limits that these trades break, in words; empty for a sound plan. Shares nothing with the search.
    func violations(_ problem: TradeProblem) -> [String] {
        let limits = problem.limits
        let total = problem.value
        let tolerance = FixedDecimal(1) / 10_000_000
        var broken: [String] = []
        if cashAfter < limits.cashFloor - tolerance {
            broken.append("cash_floor: \(cashAfter.cents) left, \(limits.cashFloor) to be kept")
        }
        if let most = limits.maximumTrades, trades.count > most {
            broken.append("max_trades: \(trades.count) of at most \(most)")
        }
        if let most = limits.turnover, turnover > most * total + tolerance {
            broken.append("turnover: \((turnover / total).rounded(places: 6)) of at most \(most)")
        }
        if let most = limits.taxBudget, tax > most + tolerance {
            broken.append("tax_budget: \(tax.cents) of at most \(most)")
        }
        for trade in trades {
            let asset = problem.assets[trade.asset]
            let size = trade.shares.magnitude
            if !size.isMultiple(of: limits.lotSize) { broken.append("lot_size of \(asset.symbol)") }
            if trade.cost.value < limits.minimumTrade { broken.append("min_trade of \(asset.symbol)") }
            if let rate = limits.participation, let volume = asset.quote.dailyVolume,
                size > rate * volume * limits.participationDays
            {
                broken.append("participation of \(asset.symbol)")
            }
            if !asset.quote.covers(trade.shares) { broken.append("liquidity of the pools of \(asset.symbol)") }
            if trade.shares > 0 ? !asset.canBuy : !asset.canSell { broken.append("restricted: \(asset.symbol)") }
            guard trade.shares < 0 else { continue }
            if trade.lots.map({ $0.quantity }).reduce(.zero, +) != size { broken.append("lots of \(asset.symbol)") }
            for sale in trade.lots {
                let lot = asset.lots.first { $0.id == sale.lot.id }
                if asset.lockedLots.contains(sale.lot.id) || sale.quantity > lot?.quantity ?? 0 {
                    broken.append("lot \(sale.lot.id)")
                }
            }
        }
        for family in problem.clashes(self) {
            let names = family.map { problem.assets[$0].symbol }.joined(separator: ", ")
            broken.append("wash_sale: a loss and a purchase among \(names)")
        }
        for (asset, weight) in zip(problem.assets, weights) {
            if let highest = asset.highestWeight, weight > highest + tolerance {
                broken.append("upper_bound of \(asset.symbol): \(weight.rounded(places: 6)) of at most \(highest)")
            }
            if let lowest = asset.lowestWeight, weight < lowest - tolerance {
                broken.append("lower_bound of \(asset.symbol): \(weight.rounded(places: 6)) of at least \(lowest)")
            }
        }
        for group in limits.groups {
            let sum = group.members.map { weights[$0] }.reduce(.zero, +)
            if let highest = group.highest, sum > highest + tolerance {
                broken.append("group \(group.name): \(sum.rounded(places: 6)) of at most \(highest)")
            }
            if let lowest = group.lowest, sum < lowest - tolerance {
                broken.append("group \(group.name): \(sum.rounded(places: 6)) of at least \(lowest)")
            }
        }
        return broken
    }
}
