public import WireFormat

/// What the fills of a plan do to tax lots and to the results of the year: lots consumed in the order of the plan, purchases as new lots
/// with their commissions, gains by term, and wash sales matched share by share, with the losses of earlier plans as well.
///
/// Made from all fills so far, a day after the other: the same fills give the same booking, and what a later fill of the day changes
/// (a recent lot that is sold after all replaces nothing) comes out right. A model with settings, not tax advice.
/// Source: US IRC 1001, 1012, 1091, 1223(3); Treas. Reg. 1.1012-1(c), 1.1091-1.
public struct TaxBooking: Sendable, Equatable {
    /// A venue's fill as it is booked.
    public struct Fill: Sendable, Equatable {
        public var id: String
        /// The plan's leg, from zero.
        public var leg: Int
        public var date: CalendarDate
        public var quantity: FixedDecimal
        public var price: FixedDecimal
        /// What this fill adds to its order's commission.
        public var commission: FixedDecimal
        /// The lot that a purchase makes or adds to; empty for a sale.
        public var lot: String

        public init(
            id: String, leg: Int, date: CalendarDate, quantity: FixedDecimal, price: FixedDecimal,
            commission: FixedDecimal, lot: String
        ) {
            self.id = id
            self.leg = leg
            self.date = date
            self.quantity = quantity
            self.price = price
            self.commission = commission
            self.lot = lot
        }
    }

    /// Shares of a lot that a fill sold.
    public struct Realised: Sendable, Equatable {
        public var fill: String
        public var lot: String
        public var asset: String
        public var sold: CalendarDate
        /// The day from which the holding period counted.
        public var acquired: CalendarDate
        public var quantity: FixedDecimal
        /// After commission.
        public var proceeds: FixedDecimal
        public var basis: FixedDecimal
        public var term: HoldingTerm

        public init(
            fill: String, lot: String, asset: String, sold: CalendarDate, acquired: CalendarDate,
            quantity: FixedDecimal, proceeds: FixedDecimal, basis: FixedDecimal, term: HoldingTerm
        ) {
            self.fill = fill
            self.lot = lot
            self.asset = asset
            self.sold = sold
            self.acquired = acquired
            self.quantity = quantity
            self.proceeds = proceeds
            self.basis = basis
            self.term = term
        }

        public var gain: FixedDecimal { proceeds - basis }
    }

    /// A loss that a purchase takes away: it goes to the basis of the replacement, with the days held.
    public struct Adjustment: Sendable, Equatable {
        /// Fill and lot of the loss.
        public var fill: String
        public var lot: String
        /// What was sold.
        public var asset: String
        /// The lot that took it over.
        public var replacement: String
        public var quantity: FixedDecimal
        public var disallowed: FixedDecimal
        public var daysCarried: Int
        public var sold: CalendarDate
        public var term: HoldingTerm
    }

    /// How results are taxed, as far as booking has to know.
    public struct Rules: Sendable, Equatable {
        public var holdingPeriod: HoldingPeriod
        /// Nil where the law knows none.
        public var washSale: WashSaleRule?
        /// Whether every share is sold at the average basis of the asset.
        public var isAveraging: Bool
        /// Sets of assets that replace each other in the eyes of the law.
        public var identical: [Set<String>]

        public init(
            holdingPeriod: HoldingPeriod = .years(1), washSale: WashSaleRule? = nil, isAveraging: Bool = false,
            identical: [Set<String>] = []
        ) {
            self.holdingPeriod = holdingPeriod
            self.washSale = washSale
            self.isAveraging = isAveraging
            self.identical = identical
        }

        /// The asset itself, and those that count as the same.
        public func family(of asset: String) -> Set<String> {
            identical.filter { $0.contains(asset) }.reduce(into: [asset]) { $0.formUnion($1) }
        }
    }

    /// Lots of each asset after the fills.
    public private(set) var lots: [String: [TaxLot]]
    public private(set) var realised: [Realised] = []
    /// Those that these fills brought about, of losses of earlier plans too.
    public private(set) var adjustments: [Adjustment] = []

    private let rules: Rules
    private var losses: [OpenLoss]
    /// Days of purchase of lots whose holding period began earlier, and of all others that can replace.
    private var purchased: [String: CalendarDate] = [:]
    /// Ids of lots that have taken over a loss: they replace nothing again.
    public private(set) var replaced: Set<String>
    /// The lot that each piece was split from.
    private var origin: [String: String] = [:]

    private struct OpenLoss: Sendable, Equatable {
        var realised: Realised
        var left: FixedDecimal
    }

    /// Books fills over the lots from before the plan.
    ///
    /// - Parameters:
    ///   - lots: by asset; an asset that is absent has positions without lots, of which nothing is booked.
    ///   - earlier: losses of earlier plans with the shares that nothing has replaced yet.
    ///   - replaced: ids of lots that have taken over a loss already.
    public init(
        _ fills: [Fill], legs: [ExecutionLeg], lots: [String: [TaxLot]], earlier: [Realised] = [],
        replaced: Set<String> = [], rules: Rules
    ) {
        self.lots = lots
        self.rules = rules
        self.replaced = replaced
        losses = earlier.filter { $0.gain < 0 && $0.quantity > 0 }.map { OpenLoss(realised: $0, left: $0.quantity) }
        for lot in lots.values.joined() { purchased[lot.id] = lot.acquired }
        var left = legs.map { $0.lots }
        for day in Set(fills.map { $0.date }).sorted() {
            for fill in fills where fill.date == day && legs.indices.contains(fill.leg) {
                let leg = legs[fill.leg]
                guard self.lots[leg.asset] != nil else { continue }
                if leg.isSale {
                    sell(fill, leg.asset, &left[fill.leg])
                } else {
                    buy(fill, leg.asset)
                }
            }
            match()
        }
    }

    // MARK: Fills

    private mutating func buy(_ fill: Fill, _ asset: String) {
        let cost = fill.price * fill.quantity + fill.commission
        var held = lots[asset] ?? []
        if let at = held.firstIndex(where: { $0.id == fill.lot }) {
            let value = held[at].basisPerShare * held[at].quantity + cost
            held[at].quantity += fill.quantity
            held[at].basisPerShare = value / held[at].quantity
        } else {
            held.append(
                TaxLot(
                    id: fill.lot, acquired: fill.date, quantity: fill.quantity, basisPerShare: cost / fill.quantity))
            purchased[fill.lot] = fill.date
        }
        lots[asset] = held
    }

    private mutating func sell(
        _ fill: Fill, _ asset: String, _ queue: inout [(id: String, quantity: FixedDecimal)]
    ) {
        if rules.isAveraging { average(asset) }
        let proceeds = fill.price * fill.quantity - fill.commission
        var paid = FixedDecimal.zero
        var rest = fill.quantity
        func share(_ taken: FixedDecimal) -> FixedDecimal {
            // The last part takes what is left, so that the parts add up.
            taken == rest ? proceeds - paid : proceeds * taken / fill.quantity
        }
        for place in queue.indices where rest > 0 {
            while rest > 0, queue[place].quantity > 0 {
                let id = queue[place].id
                guard
                    let at = lots[asset]?.firstIndex(where: { ($0.id == id || origin[$0.id] == id) && $0.quantity > 0 })
                else { break }
                let taken = min(rest, queue[place].quantity, lots[asset]?[at].quantity ?? 0)
                let part = share(taken)
                take(taken, at, fill, asset, part)
                paid += part
                rest -= taken
                queue[place].quantity -= taken
            }
        }
        // Lots that the plan did not name: the oldest, so that lots and position stay the same number.
        while rest > 0, let oldest = lots[asset]?.filter({ $0.quantity > 0 }).min(by: { $0.acquired < $1.acquired }),
            let at = lots[asset]?.firstIndex(where: { $0.id == oldest.id })
        {
            let taken = min(rest, oldest.quantity)
            let part = share(taken)
            take(taken, at, fill, asset, part)
            paid += part
            rest -= taken
        }
        lots[asset]?.removeAll { $0.quantity == 0 }
    }

    private mutating func take(
        _ taken: FixedDecimal, _ at: Int, _ fill: Fill, _ asset: String, _ proceeds: FixedDecimal
    ) {
        guard let lot = lots[asset]?[at] else { return }
        lots[asset]?[at].quantity -= taken
        let basis = lot.basisPerShare * taken
        let term = rules.holdingPeriod.term(acquired: lot.acquired, sold: fill.date)
        if let same = realised.firstIndex(where: { $0.fill == fill.id && $0.lot == lot.id }) {
            realised[same].quantity += taken
            realised[same].proceeds += proceeds
            realised[same].basis += basis
        } else {
            realised.append(
                Realised(
                    fill: fill.id, lot: lot.id, asset: asset, sold: fill.date, acquired: lot.acquired, quantity: taken,
                    proceeds: proceeds, basis: basis, term: term))
        }
    }

    /// One basis for all shares of an asset: what they cost together stays.
    private mutating func average(_ asset: String) {
        guard let held = lots[asset] else { return }
        let shares = held.map { $0.quantity }.reduce(.zero, +)
        guard shares > 0 else { return }
        let basis = held.map { $0.basisPerShare * $0.quantity }.reduce(.zero, +) / shares
        for at in held.indices { lots[asset]?[at].basisPerShare = basis }
    }

    // MARK: Wash sales

    /// Matches losses, oldest sale and then oldest share first, with purchases in their order, one share for one.
    private mutating func match() {
        guard let rule = rules.washSale else { return }
        let known = Set(losses.map { $0.realised.fill + "/" + $0.realised.lot })
        for sale in realised where sale.gain < 0 && !known.contains(sale.fill + "/" + sale.lot) {
            losses.append(OpenLoss(realised: sale, left: sale.quantity))
        }
        losses.sort {
            ($0.realised.sold, $0.realised.acquired, $0.realised.lot, $0.realised.fill)
                < ($1.realised.sold, $1.realised.acquired, $1.realised.lot, $1.realised.fill)
        }
        for at in losses.indices where losses[at].left > 0 {
            let loss = losses[at].realised
            let perShare = -loss.gain / loss.quantity
            for (asset, lot) in candidates(loss, rule) where losses[at].left > 0 {
                let matched = min(losses[at].left, lot.quantity)
                // A loss that is matched whole is taken over to the last digit.
                let disallowed = matched == loss.quantity ? -loss.gain : perShare * matched
                let days = rule.carriesHoldingPeriod ? loss.sold.daysSinceEpoch - loss.acquired.daysSinceEpoch : 0
                let id = split(lot, of: asset, matched, disallowed: disallowed, days: days)
                adjustments.append(
                    Adjustment(
                        fill: loss.fill, lot: loss.lot, asset: loss.asset, replacement: id, quantity: matched,
                        disallowed: disallowed, daysCarried: days, sold: loss.sold, term: loss.term))
                losses[at].left -= matched
            }
        }
    }

    /// Lots that may replace shares sold at a loss, in the order in which they were bought.
    private func candidates(_ loss: Realised, _ rule: WashSaleRule) -> [(asset: String, lot: TaxLot)] {
        let own = origin[loss.lot] ?? loss.lot
        var found: [(asset: String, lot: TaxLot, bought: CalendarDate)] = []
        for asset in rules.family(of: loss.asset).sorted() {
            for lot in lots[asset] ?? [] where lot.quantity > 0 && !replaced.contains(lot.id) && lot.id != own {
                let bought = purchased[lot.id] ?? lot.acquired
                if rule.covers(purchase: bought, of: loss.sold) { found.append((asset, lot, bought)) }
            }
        }
        found.sort { ($0.bought, $0.lot.id) < ($1.bought, $1.lot.id) }
        return found.map { ($0.asset, $0.lot) }
    }

    /// Takes shares that carry a loss out of a lot; the id of the new one.
    private mutating func split(
        _ lot: TaxLot, of asset: String, _ quantity: FixedDecimal, disallowed: FixedDecimal, days: Int
    ) -> String {
        let taken = Set(lots.values.joined().map { $0.id })
        var number = 1
        while taken.contains("\(lot.id).w\(number)") { number += 1 }
        let id = "\(lot.id).w\(number)"
        let bought = purchased[lot.id] ?? lot.acquired
        let piece = TaxLot(
            id: id, acquired: bought.adding(days: -days) ?? .earliest, quantity: quantity,
            basisPerShare: lot.basisPerShare + disallowed / quantity)
        if let at = lots[asset]?.firstIndex(where: { $0.id == lot.id }) {
            lots[asset]?[at].quantity -= quantity
            lots[asset]?.insert(piece, at: at)
            lots[asset]?.removeAll { $0.quantity == 0 }
        }
        purchased[id] = bought
        origin[id] = origin[lot.id] ?? lot.id
        replaced.insert(id)
        return id
    }

    // MARK: Results

    /// Losses with the shares that nothing has replaced yet, those of earlier plans too.
    public var openLosses: [Realised] {
        losses.filter { $0.left > 0 }.map { loss in
            var open = loss.realised
            open.quantity = loss.left
            open.proceeds = loss.realised.proceeds * loss.left / loss.realised.quantity
            open.basis = loss.realised.basis * loss.left / loss.realised.quantity
            return open
        }
    }

    /// Results of the plan's own sales before wash sales, by term.
    public func gain(_ term: HoldingTerm) -> FixedDecimal {
        realised.filter { $0.term == term }.map { $0.gain }.reduce(.zero, +)
    }

    /// Losses, of this plan and of earlier ones, that these fills took away, by term.
    public func disallowed(_ term: HoldingTerm) -> FixedDecimal {
        adjustments.filter { $0.term == term }.map { $0.disallowed }.reduce(.zero, +)
    }
}

extension TaxYear {
    /// Losses carried into a year from the results of the years before it, none before the first.
    ///
    /// - Parameters:
    ///   - results: realised results after wash sales, by year.
    ///   - cap: most of a net loss that reduces ordinary income, in each of the years.
    public static func carry(
        into year: Int, from results: [Int: (short: FixedDecimal, long: FixedDecimal)], cap: FixedDecimal
    ) -> (short: FixedDecimal, long: FixedDecimal) {
        guard let first = results.keys.min(), first < year else { return (0, 0) }
        var carry: (short: FixedDecimal, long: FixedDecimal) = (0, 0)
        for past in first..<year {
            let result = results[past] ?? (0, 0)
            let ended = TaxYear(
                realisedShort: result.short, realisedLong: result.long, carryShort: carry.short, carryLong: carry.long,
                rates: TaxRates(short: 0, long: 0, ordinary: 0, ordinaryCap: cap))
            carry = (ended.carryOutShort, ended.carryOutLong)
        }
        return carry
    }
}
