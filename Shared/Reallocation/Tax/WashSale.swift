public import WireFormat

/// A window around a sale at a loss in which a purchase takes the loss away.
public struct WashSaleRule: Sendable, Equatable {
    public var daysBefore: Int
    public var daysAfter: Int
    /// Whether the replacement also takes over the days that the sold share was held.
    public var carriesHoldingPeriod: Bool

    public init(daysBefore: Int, daysAfter: Int, carriesHoldingPeriod: Bool) {
        self.daysBefore = daysBefore
        self.daysAfter = daysAfter
        self.carriesHoldingPeriod = carriesHoldingPeriod
    }

    /// US IRC section 1091: thirty days before to thirty days after, both included.
    public static let unitedStates = WashSaleRule(daysBefore: 30, daysAfter: 30, carriesHoldingPeriod: true)
    /// CA ITA section 54, superficial loss.
    public static let canada = WashSaleRule(daysBefore: 30, daysAfter: 30, carriesHoldingPeriod: false)
    /// GB TCGA section 106A: purchases within thirty days after the sale are matched first.
    public static let unitedKingdom = WashSaleRule(daysBefore: 0, daysAfter: 30, carriesHoldingPeriod: false)

    public func covers(purchase: CalendarDate, of sale: CalendarDate) -> Bool {
        let distance = purchase.daysSinceEpoch - sale.daysSinceEpoch
        return distance >= -daysBefore && distance <= daysAfter
    }

    /// The first day on which a purchase no longer touches a loss of that day.
    public func firstFreeDay(after sale: CalendarDate) -> CalendarDate? { sale.adding(days: daysAfter + 1) }
}

/// What a sale at a loss loses to purchases near it, share by share.
///
/// Shares sold at a loss are matched in the order they were acquired, replacement shares in the order they were bought, one for
/// one. A matched share's loss is not deductible now: it is added to the basis of its replacement, whose holding period starts
/// earlier by the days that the sold share was held. Source: US IRC 1091(a), (d), 1223(3); Treas. Reg. 1.1091-1(c), (d).
public struct WashSale: Sendable, Equatable {
    /// Shares sold from one lot on the day of the sale.
    public struct Sold: Sendable, Equatable {
        /// Empty where all shares are of one asset.
        public var asset: String
        public var lot: TaxLot
        public var quantity: FixedDecimal
        /// Proceeds less basis of one share, negative for a loss.
        public var gainPerShare: FixedDecimal

        public init(asset: String = "", lot: TaxLot, quantity: FixedDecimal, gainPerShare: FixedDecimal) {
            self.asset = asset
            self.lot = lot
            self.quantity = quantity
            self.gainPerShare = gainPerShare
        }
    }

    /// A purchase that may replace sold shares; its quantity is what is left of it for matching.
    public struct Purchase: Sendable, Equatable {
        public var asset: String
        public var id: String
        public var date: CalendarDate
        public var quantity: FixedDecimal
        public var costPerShare: FixedDecimal

        public init(
            asset: String = "", id: String, date: CalendarDate, quantity: FixedDecimal, costPerShare: FixedDecimal
        ) {
            self.asset = asset
            self.id = id
            self.date = date
            self.quantity = quantity
            self.costPerShare = costPerShare
        }
    }

    /// Shares of a purchase that took over a loss.
    public struct Replacement: Sendable, Equatable {
        /// The asset that was sold.
        public var asset: String
        public var purchase: String
        public var sold: String
        public var quantity: FixedDecimal
        public var lossPerShare: FixedDecimal
        public var basisPerShare: FixedDecimal
        public var daysCarried: Int
        public var acquired: CalendarDate
    }

    public var economicLoss: FixedDecimal
    public var disallowedLoss: FixedDecimal
    /// By term of the sold shares.
    public var allowedShort: FixedDecimal
    public var allowedLong: FixedDecimal
    public var replacements: [Replacement]

    public var allowedLoss: FixedDecimal { allowedShort + allowedLong }

    /// Matches the loss shares of a sale with purchases of the same or a substantially identical asset. What is kept of the purchase that made a
    /// sold lot does not replace it, but may replace other lots. Source: Rev. Rul. 56-602 for the sale of a part of one purchase.
    ///
    /// - Parameter identical: sets of assets that replace each other in the eyes of the law.
    public init(
        sold: [Sold], on day: CalendarDate, purchases: [Purchase], rule: WashSaleRule,
        holdingPeriod: HoldingPeriod = .years(1), identical: [Set<String>] = []
    ) {
        func replaces(_ purchase: Purchase, _ loss: Sold) -> Bool {
            if purchase.asset == loss.asset { return purchase.id != loss.lot.id }
            return identical.contains { $0.contains(purchase.asset) && $0.contains(loss.asset) }
        }
        economicLoss = 0
        disallowedLoss = 0
        allowedShort = 0
        allowedLong = 0
        replacements = []
        var open = purchases.filter { rule.covers(purchase: $0.date, of: day) }
            .sorted { ($0.date, $0.id) < ($1.date, $1.id) }
        let losses = sold.filter { $0.gainPerShare < 0 && $0.quantity > 0 }
            .sorted { ($0.lot.acquired, $0.lot.id) < ($1.lot.acquired, $1.lot.id) }
        for loss in losses {
            let perShare = -loss.gainPerShare
            var rest = loss.quantity
            economicLoss += perShare * rest
            let held = day.daysSinceEpoch - loss.lot.acquired.daysSinceEpoch
            for index in open.indices
            where rest > 0 && open[index].quantity > 0 && replaces(open[index], loss) {
                let matched = min(rest, open[index].quantity)
                open[index].quantity -= matched
                rest -= matched
                disallowedLoss += perShare * matched
                let carried = rule.carriesHoldingPeriod ? held : 0
                replacements.append(
                    Replacement(
                        asset: loss.asset, purchase: open[index].id, sold: loss.lot.id, quantity: matched,
                        lossPerShare: perShare,
                        basisPerShare: open[index].costPerShare + perShare, daysCarried: carried,
                        acquired: open[index].date.adding(days: -carried) ?? .earliest))
            }
            switch holdingPeriod.term(acquired: loss.lot.acquired, sold: day) {
            case .short: allowedShort += perShare * rest
            case .long: allowedLong += perShare * rest
            }
        }
    }

    /// The lots after the sale: each replacement split into the shares that took over a loss and those that did not.
    public func applied(to lots: [TaxLot]) -> [TaxLot] {
        lots.flatMap { lot -> [TaxLot] in
            let own = replacements.filter { $0.purchase == lot.id }
            guard !own.isEmpty else { return [lot] }
            var rest = lot
            var result: [TaxLot] = []
            for (number, replacement) in own.enumerated() {
                rest.quantity -= replacement.quantity
                result.append(
                    TaxLot(
                        id: "\(lot.id).w\(number + 1)", acquired: replacement.acquired, quantity: replacement.quantity,
                        basisPerShare: replacement.basisPerShare))
            }
            if rest.quantity > 0 { result.append(rest) }
            return result
        }
    }
}
