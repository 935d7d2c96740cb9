import LinearAlgebra
import WireFormat

/// A request as the mathematics wants it: the trade problem, the drift, and what had to be assumed.
struct PlanInputs: Sendable {
    var request: RebalanceRequest
    var problem: TradeProblem
    var drift: WeightDrift
    var warnings: [PortfolioWarning]
    /// Assets that may not be bought, with the first day on which they may again.
    var washBlocks: [(asset: String, until: CalendarDate)] = []
    /// Weights of the periods that were looked ahead; nil without.
    var lookAhead: [[(asset: String, weight: Double)]]?

    private static let pools = JSONPointer(["settings", "costs", "pools"])

    init(_ request: RebalanceRequest) throws(Problem) {
        self.request = request
        warnings = []
        let settings = request.settings
        let names = request.traded
        guard !names.isEmpty else {
            throw Problem(
                JSONPointer(["target"]), .missing, "There is nothing to hold: no holdings, and no target but cash.")
        }
        let tax = try TaxSettings(settings.tax, on: request.asOf)
        let constraints = settings.constraints
        var assets: [TradeAsset] = []
        let held = Dictionary(uniqueKeysWithValues: request.holdings.map { ($0.asset, $0) })
        let weights = Dictionary(request.target.map { ($0.asset, $0.weight) }, uniquingKeysWith: { first, _ in first })
        let identical = settings.identical
        let restricted = Set(constraints.restricted)
        let (noBuy, noSell) = (Set(constraints.noBuy), Set(constraints.noSell))
        let locked = Set(constraints.lockedLots)
        // What orders at the venue have cost, beside what the quotes say.
        let spreadFactor = settings.costs.calibration?.spreadFactor ?? 1
        for name in names {
            guard let quote = request.prices[name] else { continue }
            let holding = held[name]
            var lots = (holding?.lots ?? []).map {
                TaxLot(id: $0.id, acquired: $0.acquired, quantity: $0.quantity, basisPerShare: $0.basisPerShare)
            }
            if lots.isEmpty, let quantity = holding?.quantity, quantity > 0 {
                // Nothing is known of it but how much there is: sold without gain, and told so.
                lots = [TaxLot(id: name, acquired: .earliest, quantity: quantity, basisPerShare: quote.price)]
                if tax.mode != .none {
                    warnings.append(
                        PortfolioWarning(
                            code: "lots_missing", pointer: JSONPointer(["holdings"]),
                            detail: "\(Problem.echo(name)) has no lots: it is taken to be sold without gain or loss."))
                }
            }
            var asset = TradeAsset(
                symbol: name,
                quote: MarketQuote(
                    price: quote.price, halfSpread: quote.halfSpread * spreadFactor, dailyVolume: quote.adv,
                    dailyVolatility: quote.volatility.map { $0 / SquareRootImpact.daysPerYear.squareRoot() }),
                lots: lots, target: weights[name] ?? 0)
            if let pools = settings.costs.pools[name] {
                asset.quote.pools = try LiquidityCurve(pools, price: quote.price, at: Self.pools.appending(name))
            }
            asset.lockedLots = Set(lots.map { $0.id }.filter { locked.contains($0) })
            if let days = constraints.minHoldingDays {
                for lot in lots where request.asOf.daysSinceEpoch - lot.acquired.daysSinceEpoch < days {
                    asset.lockedLots.insert(lot.id)
                }
            }
            asset.canBuy = !restricted.contains(name) && !noBuy.contains(name)
            asset.canSell = !restricted.contains(name) && !noSell.contains(name)
            if let rule = tax.washSale {
                for sale in settings.tax?.recentLossSales ?? []
                where sale.date <= request.asOf
                    && (sale.asset == name || identical.contains { $0.contains(name) && $0.contains(sale.asset) })
                {
                    guard let free = rule.firstFreeDay(after: sale.date), free > request.asOf else { continue }
                    asset.canBuy = false
                    washBlocks.append((name, free))
                }
            }
            asset.lowestWeight = constraints.lowerBound?[name]
            asset.highestWeight = constraints.upperBound?[name]
            asset.expectedReturn = request.expectedReturns[name] ?? 0
            assets.append(asset)
        }
        var values = [RebalanceRequest.cashName: request.cash]
        for asset in assets { values[asset.symbol] = asset.quote.price * asset.held }
        var target = weights
        target[RebalanceRequest.cashName] = request.cashTarget
        drift = WeightDrift(values: values, target: target)
        guard !drift.total.isOverflow, drift.total < 1_000_000_000_000_000 else {
            throw Problem(.invalidValue, "The portfolio is worth more than can be computed with.")
        }
        guard drift.total > 0 else {
            throw Problem(
                JSONPointer(["holdings"]), .outOfRange, "The portfolio is worth nothing, so it has no weights.")
        }
        var limits = TradeLimits()
        limits.lotSize = constraints.lotSize
        limits.minimumTrade = constraints.minTrade
        limits.maximumTrades = constraints.maxTrades
        limits.cashFloor = max(constraints.cashFloor, constraints.cashFloorWeight * drift.total)
        limits.participation = constraints.participation
        limits.participationDays = constraints.participationDays
        limits.turnover = constraints.turnover
        limits.taxBudget = tax.mode == .none ? nil : constraints.taxBudget
        let index = Dictionary(uniqueKeysWithValues: assets.enumerated().map { ($0.element.symbol, $0.offset) })
        for group in constraints.groups where group.min != nil || group.max != nil {
            // A member that is named twice is one.
            let members = Set(group.members.compactMap { index[$0] }).sorted()
            guard !members.isEmpty else {
                warnings.append(
                    PortfolioWarning(
                        code: "group_not_applied",
                        pointer: JSONPointer(["settings", "constraints", "groups", group.name]),
                        detail:
                            "No member of the group \(Problem.echo(group.name)) is held or wanted; it is not applied."))
                continue
            }
            limits.groups.append(TradeGroup(name: group.name, members: members, lowest: group.min, highest: group.max))
        }
        let covariance = Self.covariance(request, names, &warnings)
        problem = TradeProblem(
            date: request.asOf, cash: request.cash, assets: assets, covariance: covariance,
            riskAversion: settings.riskAversion, horizonYears: settings.horizonYears,
            costs: try CostModel(settings.costs, solPrice: request.prices["SOL"]?.price), tax: tax, limits: limits)
        problem.identical = identical.map { set in Set(set.compactMap { index[$0] }).sorted() }.filter { $0.count > 1 }
        try lookAhead(names)
        for name in settings.costs.pools.keys.sorted() where index[name] == nil {
            warnings.append(
                PortfolioWarning(
                    code: "pool_not_applied", pointer: Self.pools.appending(name),
                    detail: "\(Problem.echo(name)) is neither held nor wanted; its pools are not used."))
        }
        if constraints.participation != nil {
            for asset in assets where asset.quote.dailyVolume == nil {
                warnings.append(
                    PortfolioWarning(
                        code: "volume_missing", pointer: JSONPointer(["prices", asset.symbol, "adv"]),
                        detail:
                            "\(Problem.echo(asset.symbol)) has no daily volume: neither participation nor impact applies to it."
                    ))
            }
        }
    }

    private static func covariance(
        _ request: RebalanceRequest, _ names: [String], _ warnings: inout [PortfolioWarning]
    ) -> Matrix {
        let n = names.count
        var sigma = Matrix(rows: n, columns: n)
        if let given = request.covariance {
            let at = Dictionary(
                given.assets.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { a, _ in a })
            let places = names.map { at[$0] ?? 0 }
            for i in 0..<n {
                for j in 0..<n {
                    sigma[i, j] = (given.values[places[i]][places[j]] + given.values[places[j]][places[i]]) / 2
                }
            }
            return sigma
        }
        let isKnown = names.allSatisfy { request.prices[$0]?.volatility != nil }
        for (i, name) in names.enumerated() {
            let volatility = request.prices[name]?.volatility ?? 0.2
            sigma[i, i] = volatility * volatility
        }
        warnings.append(
            PortfolioWarning(
                code: "covariance_missing", pointer: JSONPointer(["covariance"]),
                detail: isKnown
                    ? "Without a covariance the assets are taken to move independently, with the volatilities given."
                    : "Without covariance and volatility every asset is taken to move independently with 20 % a year."))
        return sigma
    }

    /// Assets times periods that are looked ahead at most: the program grows with their square.
    private static let mostAhead = 600

    /// Puts the weights after the first period in the target's place.
    private mutating func lookAhead(_ names: [String]) throws(Problem) {
        guard let settings = request.settings.lookAhead else { return }
        let place = JSONPointer(["settings", "look_ahead"])
        guard names.count * settings.periods <= Self.mostAhead else {
            throw Problem(
                .tooLargeProblem,
                "\(names.count) assets over \(settings.periods) periods; at most \(Self.mostAhead) of both together.")
        }
        let known = Set(names)
        for (index, period) in settings.forecasts.enumerated() {
            for name in period.keys.sorted() where !known.contains(name) {
                throw Problem(
                    place.appending("forecasts").appending(index).appending(name), .unknownValue,
                    "\(Problem.echo(name)) is neither held nor wanted.")
            }
        }
        let total = problem.value.double
        let start = problem.assets.map { ($0.quote.price * $0.held).double / total }
        let target = problem.assets.map { $0.target.double }
        let ahead = LookAhead(
            start: start, target: target, covariance: problem.covariance, riskAversion: problem.riskAversion,
            period: problem.horizonYears / Double(settings.periods),
            forecasts: settings.forecasts.isEmpty
                ? [problem.assets.map { $0.expectedReturn }]
                : settings.forecasts.map { period in names.map { period[$0] ?? 0 } },
            costs: proportionalCosts,
            lowest: problem.assets.map {
                $0.canSell ? $0.lowestWeight?.double ?? 0 : ($0.quote.price * $0.held).double / total
            },
            highest: zip(problem.assets, start).map { $0.canBuy ? $0.highestWeight?.double ?? 1 : $1 },
            cashFloor: problem.limits.cashFloor.double / total)
        guard let weights = ahead.weights(periods: settings.periods), let first = weights.first else {
            throw Problem(
                .notConverged,
                "The periods ahead could not be planned: limits, costs and forecasts leave no way that can be computed."
            )
        }
        lookAhead = weights.map { period in zip(names, period).map { (asset: $0, weight: $1) } }
        for index in problem.assets.indices {
            problem.assets[index].target = FixedDecimal(max(0, first[index]), places: 10)
            // The forecasts are in the weights: they count once.
            problem.assets[index].expectedReturn = 0
        }
    }

    /// One-way cost of a unit of value by asset: half the spread, what commissions take by value and by share, and a pool's fee.
    private var proportionalCosts: [Double] {
        problem.assets.map { asset in
            let commission = problem.costs.commission
            return ((asset.quote.halfSpread + commission.perShare) / asset.quote.price + commission.rate).double
                + (asset.quote.pools?.edges(at: asset.quote.price.double).mean ?? 0)
        }
    }

    /// Whether the portfolio has left the region in which no trade pays.
    var leavesRegion: Bool {
        let total = problem.value.double
        return NoTradeRegion.isLeft(
            deviations: problem.assets.map { ($0.quote.price * $0.held).double / total - $0.target.double },
            covariance: problem.covariance, riskAversion: problem.riskAversion, horizonYears: problem.horizonYears,
            expectedReturns: problem.assets.map { $0.expectedReturn }, costs: proportionalCosts)
    }

    var trigger: RebalanceTrigger { RebalanceTrigger(request.settings.thresholds ?? .init()) }
}
