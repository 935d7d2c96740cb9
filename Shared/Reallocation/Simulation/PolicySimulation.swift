public import ConvexSolver
public import LinearAlgebra
public import WireFormat

/// A rule of when and how a portfolio goes back to its target.
public enum RebalancePolicy: Sendable, Equatable {
    /// Whatever is bought stays.
    case never
    /// To the target each so many days, lots by the method of the tax settings.
    case calendar(days: Int)
    /// To the target where half the sum of deviations is above a threshold, looked at each so many days.
    case band(halfL1: FixedDecimal, days: Int)
    /// The trade problem with costs and tax, each so many days: as far as it pays.
    case optimised(days: Int)
}

/// What a policy leaves after tax on a path of prices: each purchase a lot, each sale out of lots, the tax of a year paid on its first day after it,
/// losses carried on, and everything sold and taxed at the end. Trades are booked as executed plans are (`TaxBooking`): a loss that a purchase near it
/// takes away goes to the basis of that purchase. A loss of December that is taken away in January is taken back in January's year.
///
/// Between two policies on one path only the policy differs, so their after-tax values compare what costs and taxes do. Source: Bouchey,
/// Brunel and Li (2012), Structuring tax-efficient equity portfolios, for liquidation at the end. A model with settings, not advice.
public struct PolicySimulation: Sendable {
    public var symbols: [String]
    /// A day after the other, ascending, and the prices of that day in the order of the symbols.
    public var days: [(date: CalendarDate, prices: [FixedDecimal])]
    public var target: [FixedDecimal]
    public var cash: FixedDecimal
    /// Annual.
    public var covariance: Matrix
    public var riskAversion: Double
    public var costs: CostModel
    /// Rates, period and method; realised results and carries are the simulation's own.
    public var tax: TaxSettings
    public var halfSpread: FixedDecimal
    public var lotSize: FixedDecimal = 1
    /// A run that is not over by then throws `.interrupted`.
    public var deadline = SolverDeadline.none

    public init(
        symbols: [String], days: [(date: CalendarDate, prices: [FixedDecimal])], target: [FixedDecimal],
        cash: FixedDecimal, covariance: Matrix, riskAversion: Double, costs: CostModel, tax: TaxSettings,
        halfSpread: FixedDecimal
    ) {
        self.symbols = symbols
        self.days = days
        self.target = target
        self.cash = cash
        self.covariance = covariance
        self.riskAversion = riskAversion
        self.costs = costs
        self.tax = tax
        self.halfSpread = halfSpread
    }

    /// What became of it.
    public struct Outcome: Sendable, Equatable {
        /// Value before and after tax on all that is left, at the end.
        public var value: FixedDecimal
        public var valueAfterTax: FixedDecimal
        public var costs: FixedDecimal
        /// Paid during the path, by year; a saving is negative.
        public var taxes: [(year: Int, tax: FixedDecimal)]
        public var trades: Int
        /// Half the value traded over the value held, a year, the first purchases not counted.
        public var turnover: Double
        /// Root mean square over the days, annual.
        public var trackingError: Double

        public static func == (a: Outcome, b: Outcome) -> Bool {
            a.value == b.value && a.valueAfterTax == b.valueAfterTax && a.costs == b.costs && a.trades == b.trades
                && a.turnover == b.turnover && a.trackingError == b.trackingError
                && a.taxes.elementsEqual(b.taxes) { $0 == $1 }
        }
    }

    private struct Account {
        var cash: FixedDecimal
        var lots: [[TaxLot]]
        var realisedShort: FixedDecimal = 0
        var realisedLong: FixedDecimal = 0
        var carryShort: FixedDecimal = 0
        var carryLong: FixedDecimal = 0
        var costs: FixedDecimal = 0
        var traded: FixedDecimal = 0
        var trades = 0
        var taxes: [(year: Int, tax: FixedDecimal)] = []
        var lotCount = 0
        /// Losses that a later purchase may still take away, and lots that have taken one over.
        var losses: [TaxBooking.Realised] = []
        var replaced: Set<String> = []
    }

    /// Runs a policy; nil where sizes do not fit together or there is no day.
    public func run(_ policy: RebalancePolicy) throws(TradeProblemError) -> Outcome? {
        let n = symbols.count
        guard n > 0, target.count == n, covariance.rows == n, let first = days.first, let last = days.last,
            days.allSatisfy({ $0.prices.count == n && $0.prices.allSatisfy { $0 > 0 } })
        else { return nil }
        var account = Account(cash: cash, lots: Array(repeating: [], count: n))
        try trade(&account, first, optimised: false)
        account.traded = 0
        var lastTrade = first.date
        var year = first.date.year
        var squares = 0.0
        for day in days.dropFirst() {
            guard deadline.interruption == nil else { throw .interrupted }
            if day.date.year != year {
                close(&account, year)
                year = day.date.year
            }
            let problem = problem(account, day)
            let deviations = problem.assets.map {
                ($0.quote.price * $0.held).double / max(problem.value.double, 1e-9) - $0.target.double
            }
            squares += max(0, Vector.dot(deviations, covariance.symmetricMultiplied(by: deviations)))
            let age = day.date.daysSinceEpoch - lastTrade.daysSinceEpoch
            switch policy {
            case .never: continue
            case .calendar(let days) where age >= days: try trade(&account, day, optimised: false)
            case .band(let halfL1, let days) where age >= days:
                var values: [String: FixedDecimal] = ["": account.cash]
                var wanted: [String: FixedDecimal] = ["": 1 - target.reduce(0, +)]
                for (asset, weight) in zip(problem.assets, target) {
                    values[asset.symbol] = asset.quote.price * asset.held
                    wanted[asset.symbol] = weight
                }
                guard WeightDrift(values: values, target: wanted).exceeds(halfL1: halfL1) else { continue }
                try trade(&account, day, optimised: false)
            case .optimised(let days) where age >= days: try trade(&account, day, optimised: true)
            default: continue
            }
            lastTrade = day.date
        }
        return outcome(account, last, year: year, squares: squares)
    }

    private func problem(_ account: Account, _ day: (date: CalendarDate, prices: [FixedDecimal])) -> TradeProblem {
        var settings = tax
        settings.realisedShort = account.realisedShort
        settings.realisedLong = account.realisedLong
        settings.carryShort = account.carryShort
        settings.carryLong = account.carryLong
        var limits = TradeLimits()
        limits.lotSize = lotSize
        limits.cashFloor = min(account.cash, costs.network * FixedDecimal(symbols.count))
        return TradeProblem(
            date: day.date, cash: account.cash,
            assets: symbols.indices.map { index in
                var asset = TradeAsset(
                    symbol: symbols[index],
                    quote: MarketQuote(price: day.prices[index], halfSpread: halfSpread * day.prices[index]),
                    lots: account.lots[index], target: target[index])
                asset.canBuy = !account.losses.contains { loss in
                    loss.asset == symbols[index] && tax.washSale?.covers(purchase: day.date, of: loss.sold) == true
                }
                return asset
            }, covariance: covariance, riskAversion: riskAversion, horizonYears: 1, costs: costs, tax: settings,
            limits: limits)
    }

    private func trade(
        _ account: inout Account, _ day: (date: CalendarDate, prices: [FixedDecimal]), optimised: Bool
    ) throws(TradeProblemError) {
        let problem = problem(account, day)
        guard problem.value > 0 else { return }
        let costing: PlanCosting
        if optimised {
            guard
                let solution = try TradeSolver.solve(problem, effort: TradeSolver.Effort(nodes: 40, deadline: deadline))
            else { return }
            costing = PlanCosting(problem, solution)
        } else {
            // A little less than everything, for the costs.
            let total = problem.value * (1 - FixedDecimal(1) / 200)
            var plain = problem
            if plain.tax.method == .minimumTax || plain.tax.method == .minimumTaxByRate { plain.tax.method = .hifo }
            let shares = problem.assets.map { asset -> FixedDecimal in
                let wanted = (asset.target * total / asset.quote.price).roundedDown(to: lotSize)
                let sellable = problem.sellableLots(asset).map { $0.quantity }.reduce(.zero, +)
                return max(wanted - asset.held, -sellable)
            }
            costing = PlanCosting(plain, shares: shares, fromShort: shares.map { _ in 0 })
            guard costing.cashAfter >= costing.costs.network else { return }
        }
        book(costing, problem, &account)
        // Whoever simulates has one purse: the network's fees come out of it too.
        account.cash = costing.cashAfter - costing.costs.network
        account.costs += costing.costs.spent
        account.traded += costing.costs.value
        account.trades += costing.trades.count
    }

    /// Lots, results and wash sales of a day's trades.
    private func book(_ costing: PlanCosting, _ problem: TradeProblem, _ account: inout Account) {
        var fills: [TaxBooking.Fill] = []
        for (leg, trade) in costing.trades.enumerated() {
            let quote = problem.assets[trade.asset].quote
            let isSale = trade.shares < 0
            account.lotCount += 1
            fills.append(
                TaxBooking.Fill(
                    id: "f\(account.lotCount)", leg: leg, date: problem.date, quantity: trade.shares.magnitude,
                    price: quote.price,
                    commission: isSale
                        ? (quote.price - problem.netPrice(quote)) * trade.shares.magnitude : trade.cost.paid,
                    lot: isSale ? "" : "s\(account.lotCount)"))
        }
        let booking = TaxBooking(
            fills,
            legs: costing.trades.map { trade in
                ExecutionLeg(
                    asset: symbols[trade.asset], isSale: trade.shares < 0, quantity: trade.shares.magnitude,
                    limitPrice: problem.assets[trade.asset].quote.price,
                    lots: trade.lots.map { ($0.lot.id, $0.quantity) })
            },
            lots: Dictionary(zip(symbols, account.lots), uniquingKeysWith: { first, _ in first }),
            earlier: account.losses, replaced: account.replaced,
            rules: TaxBooking.Rules(
                holdingPeriod: tax.holdingPeriod, washSale: tax.mode == .none ? nil : tax.washSale,
                isAveraging: tax.method == .average))
        account.lots = symbols.map { booking.lots[$0] ?? [] }
        account.realisedShort += booking.gain(.short) + booking.disallowed(.short)
        account.realisedLong += booking.gain(.long) + booking.disallowed(.long)
        account.losses = booking.openLosses.filter { tax.washSale?.covers(purchase: problem.date, of: $0.sold) == true }
        account.replaced = booking.replaced.intersection(account.lots.joined().map { $0.id })
    }

    /// Pays the tax of a year and carries what is left of its losses.
    private func close(_ account: inout Account, _ year: Int) {
        let (tax, short, long) = due(account, short: 0, long: 0)
        account.taxes.append((year, tax))
        account.cash -= tax
        (account.carryShort, account.carryLong) = (short, long)
        (account.realisedShort, account.realisedLong) = (0, 0)
    }

    private func due(
        _ account: Account, short: FixedDecimal, long: FixedDecimal
    ) -> (tax: FixedDecimal, carryShort: FixedDecimal, carryLong: FixedDecimal) {
        switch tax.mode {
        case .none: return (0, 0, 0)
        case .lotRates:
            return (
                tax.rates.short * (account.realisedShort + short) + tax.rates.long * (account.realisedLong + long), 0, 0
            )
        case .nettedYear:
            let year = TaxYear(
                realisedShort: account.realisedShort + short, realisedLong: account.realisedLong + long,
                carryShort: account.carryShort, carryLong: account.carryLong, rates: tax.rates)
            return (year.tax, year.carryOutShort, year.carryOutLong)
        }
    }

    private func outcome(
        _ account: Account, _ last: (date: CalendarDate, prices: [FixedDecimal]), year: Int, squares: Double
    ) -> Outcome {
        var (short, long) = (FixedDecimal.zero, FixedDecimal.zero)
        var value = account.cash
        for (lots, price) in zip(account.lots, last.prices) {
            for lot in lots {
                value += price * lot.quantity
                let gain = (price - lot.basisPerShare) * lot.quantity
                switch tax.holdingPeriod.term(acquired: lot.acquired, sold: last.date) {
                case .short: short += gain
                case .long: long += gain
                }
            }
        }
        let final = due(account, short: short, long: long).tax
        let years = Double(last.date.daysSinceEpoch - (days.first?.date.daysSinceEpoch ?? 0)) / 365.25
        let held = (cash.double + value.double) / 2
        return Outcome(
            value: value, valueAfterTax: value - final, costs: account.costs, taxes: account.taxes,
            trades: account.trades,
            turnover: years > 0 && held > 0 ? account.traded.double / 2 / held / years : 0,
            trackingError: days.count > 1 ? (squares / Double(days.count - 1)).squareRoot() : 0)
    }
}

/// Growth as a rate a year.
public func annualised(_ growth: Double, years: Double) -> Double {
    exponential(naturalLogarithm(growth) / years) - 1
}
