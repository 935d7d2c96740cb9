public import WireFormat

/// Which lots a sale takes. Raw values are the wire's words.
public enum DisposalMethod: String, Sendable, CaseIterable {
    /// First in, first out.
    case fifo
    /// Last in, first out.
    case lifo
    /// Highest basis first.
    case hifo
    /// The order in which the caller names them.
    case specific
    /// Least tax a share at the lot's own rate first.
    case minimumTaxByRate = "min_tax_rate"
    /// Least tax of the whole year after netting.
    case minimumTax = "min_tax"
    /// Every share at the average basis, lots consumed first in, first out.
    case average

    /// Whether the method fixes the order of the lots, whatever the tax.
    public var isPrescribed: Bool { self != .minimumTax && self != .minimumTaxByRate }
}

/// Why shares cannot be taken from lots.
public enum DisposalError: Error, Sendable, Equatable, CustomStringConvertible {
    case tooFewShares(have: FixedDecimal, need: FixedDecimal)
    case noSuchLot(String)
    case lotsNotNamed

    public var description: String {
        switch self {
        case .tooFewShares(let have, let need): "\(need) shares are to be sold and the lots hold \(have)"
        case .noSuchLot(let id): "there is no lot \(id)"
        case .lotsNotNamed: "specific identification needs the lots by name"
        }
    }
}

/// A sale of one asset on one day: what it brings a share, and how gains are taxed.
public struct Disposal: Sendable {
    public var date: CalendarDate
    /// Price less the fees of one share.
    public var netPrice: FixedDecimal
    public var tax: TaxSettings
    /// Shares are taken in whole steps of this; zero takes any amount.
    public var step: FixedDecimal

    public init(date: CalendarDate, netPrice: FixedDecimal, tax: TaxSettings, step: FixedDecimal = 1) {
        self.date = date
        self.netPrice = netPrice
        self.tax = tax
        self.step = step
    }

    public func term(_ lot: TaxLot) -> HoldingTerm { tax.holdingPeriod.term(acquired: lot.acquired, sold: date) }
    public func gainPerShare(_ lot: TaxLot) -> FixedDecimal { netPrice - lot.basisPerShare }

    /// The lots that a sale of `quantity` shares takes, in order. Ties go to the older lot, then to the smaller id.
    public func select(
        _ quantity: FixedDecimal, from lots: [TaxLot], by method: DisposalMethod, named: [String] = []
    ) throws(DisposalError) -> [LotSale] {
        let have = lots.map { $0.quantity }.reduce(.zero, +)
        guard quantity <= have else { throw .tooFewShares(have: have, need: quantity) }
        let byAge = lots.sorted { ($0.acquired, $0.id) < ($1.acquired, $1.id) }
        switch method {
        case .fifo: return take(quantity, in: byAge)
        case .lifo:
            return take(
                quantity, in: lots.sorted { $0.acquired == $1.acquired ? $0.id < $1.id : $0.acquired > $1.acquired })
        case .hifo: return take(quantity, in: Self.stable(byAge) { -$0.basisPerShare })
        case .minimumTaxByRate:
            return take(quantity, in: Self.stable(byAge) { tax.rates.rate(term($0)) * gainPerShare($0) })
        case .minimumTax:
            guard tax.mode == .nettedYear else { return try select(quantity, from: lots, by: .minimumTaxByRate) }
            return minimumTax(quantity, byAge)
        case .average:
            let cost = lots.map { $0.basisPerShare * $0.quantity }.reduce(.zero, +)
            let average = have > 0 ? cost / have : 0
            return take(quantity, in: byAge).map { sale in
                var sale = sale
                sale.gain = (netPrice - average) * sale.quantity
                return sale
            }
        case .specific:
            guard !named.isEmpty else { throw .lotsNotNamed }
            var chosen: [TaxLot] = []
            for id in named {
                guard let lot = lots.first(where: { $0.id == id }) else { throw .noSuchLot(id) }
                chosen.append(lot)
            }
            let offered = chosen.map { $0.quantity }.reduce(.zero, +)
            guard quantity <= offered else { throw .tooFewShares(have: offered, need: quantity) }
            return take(quantity, in: chosen)
        }
    }

    private static func stable(_ lots: [TaxLot], by key: (TaxLot) -> FixedDecimal) -> [TaxLot] {
        lots.map { (key($0), $0) }.enumerated()
            .sorted { $0.element.0 == $1.element.0 ? $0.offset < $1.offset : $0.element.0 < $1.element.0 }
            .map { $0.element.1 }
    }

    /// Shares from the front of a queue of lots.
    func take(_ quantity: FixedDecimal, in queue: [TaxLot]) -> [LotSale] {
        var rest = quantity
        var sales: [LotSale] = []
        for lot in queue where rest > 0 {
            let taken = min(rest, lot.quantity)
            guard taken > 0 else { continue }
            rest -= taken
            sales.append(LotSale(lot: lot, quantity: taken, term: term(lot), gain: gainPerShare(lot) * taken))
        }
        return sales
    }

    /// Least tax of the netted year, exactly.
    ///
    /// Tax never falls when a gain grows, so within each term the lots go by gain, smallest first, and only the number k of
    /// short-term shares is open. The tax is piecewise linear in k: its least value lies at the end of a lot, at the ends of the
    /// range, or beside a place where a side or the net changes sign or the net reaches the cap.
    private func minimumTax(_ quantity: FixedDecimal, _ byAge: [TaxLot]) -> [LotSale] {
        let ordered = Self.stable(byAge) { gainPerShare($0) }
        let shorts = ordered.filter { term($0) == .short }
        let longs = ordered.filter { term($0) == .long }
        let shortHeld = shorts.map { $0.quantity }.reduce(.zero, +)
        let longHeld = longs.map { $0.quantity }.reduce(.zero, +)
        let least = max(0, quantity - longHeld)
        let most = min(quantity, shortHeld)
        func result(_ k: FixedDecimal) -> (short: FixedDecimal, long: FixedDecimal) {
            let short = take(k, in: shorts).map { $0.gain }.reduce(.zero, +)
            let long = take(quantity - k, in: longs).map { $0.gain }.reduce(.zero, +)
            return (short, long)
        }
        func price(_ k: FixedDecimal) -> FixedDecimal {
            let (short, long) = result(k)
            return tax.tax(ofShort: short, long: long) - tax.carryValue(ofShort: short, long: long)
        }
        var ends: Set<FixedDecimal> = [least, most]
        var sum = FixedDecimal.zero
        for lot in shorts {
            sum += lot.quantity
            ends.insert(sum)
        }
        sum = quantity
        for lot in longs {
            sum -= lot.quantity
            ends.insert(sum)
        }
        let breaks = ends.filter { $0 >= least && $0 <= most }.sorted()
        var candidates = breaks
        let year = tax.year(addingShort: 0, long: 0)
        for (a, b) in zip(breaks, breaks.dropFirst()) where b > a {
            let (first, last) = (result(a), result(b))
            let levels = [
                (year.netShort + first.short, year.netShort + last.short),
                (year.netLong + first.long, year.netLong + last.long),
                (
                    year.netShort + year.netLong + first.short + first.long,
                    year.netShort + year.netLong + last.short + last.long
                ),
            ]
            let cap = tax.rates.ordinaryCap
            for (x, y) in levels + [(levels[2].0 + cap, levels[2].1 + cap)] where x.isNegative != y.isNegative && x != y
            {
                let crossing = a + (b - a) * (x / (x - y))
                guard step > 0 else {
                    candidates.append(min(max(crossing, a), b))
                    continue
                }
                // Steps count from the lot's end: a lot may hold a fraction.
                let below = a + (crossing - a).roundedDown(to: step)
                candidates += [below, below + step].filter { $0 >= a && $0 <= b }
            }
        }
        var best = (k: least, price: price(least))
        for k in candidates.sorted() {
            let value = price(k)
            if value < best.price { best = (k, value) }
        }
        return take(best.k, in: shorts) + take(quantity - best.k, in: longs)
    }
}
