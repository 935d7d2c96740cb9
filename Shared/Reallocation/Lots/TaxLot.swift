public import WireFormat

/// Shares of one asset that were bought together.
public struct TaxLot: Sendable, Equatable {
    public var id: String
    /// The day from which the holding period counts; earlier than the purchase where a wash sale carried days over.
    public var acquired: CalendarDate
    public var quantity: FixedDecimal
    /// Purchase costs and disallowed losses included.
    public var basisPerShare: FixedDecimal

    public init(id: String, acquired: CalendarDate, quantity: FixedDecimal, basisPerShare: FixedDecimal) {
        self.id = id
        self.acquired = acquired
        self.quantity = quantity
        self.basisPerShare = basisPerShare
    }
}

/// Which rate a gain falls under.
public enum HoldingTerm: String, Sendable, CaseIterable {
    case short, long
}

/// How long a lot has to be held before its gain is long-term.
public enum HoldingPeriod: Sendable, Equatable {
    /// Sold after, not on, the anniversary of so many years; 29 February falls on the 28th.
    case years(Int)
    /// Sold after so many days.
    case days(Int)
    /// The law knows no long term.
    case none

    /// The last day on which a sale is still short-term; nil where none is ever long-term.
    public func lastShortDay(acquired: CalendarDate) -> CalendarDate? {
        switch self {
        case .years(let years):
            let year = acquired.year + years
            if let day = CalendarDate(year: year, month: acquired.month, day: acquired.day) { return day }
            return CalendarDate(year: year, month: acquired.month, day: acquired.day - 1)
        case .days(let days): return acquired.adding(days: days)
        case .none: return nil
        }
    }

    /// The term of a lot sold on a day.
    public func term(acquired: CalendarDate, sold: CalendarDate) -> HoldingTerm {
        guard let last = lastShortDay(acquired: acquired) else { return .short }
        return sold > last ? .long : .short
    }
}

/// Shares taken from a lot, with what they bring.
public struct LotSale: Sendable, Equatable {
    public var lot: TaxLot
    public var quantity: FixedDecimal
    public var term: HoldingTerm
    /// Proceeds net of fees, less basis.
    public var gain: FixedDecimal
    /// Of a loss, what a purchase near it takes away: not negative, and not deductible now.
    public var disallowed: FixedDecimal

    public init(
        lot: TaxLot, quantity: FixedDecimal, term: HoldingTerm, gain: FixedDecimal, disallowed: FixedDecimal = 0
    ) {
        self.lot = lot
        self.quantity = quantity
        self.term = term
        self.gain = gain
        self.disallowed = disallowed
    }

    /// What counts in the year.
    public var realised: FixedDecimal { gain + disallowed }
}
