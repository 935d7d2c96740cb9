public import WireFormat

/// Rates and limits of a tax year, as settings: fractions of one, state and surcharges added in.
public struct TaxRates: Sendable, Equatable {
    public var short: FixedDecimal
    public var long: FixedDecimal
    public var ordinary: FixedDecimal
    /// Most of a net loss that reduces ordinary income.
    public var ordinaryCap: FixedDecimal

    public init(short: FixedDecimal, long: FixedDecimal, ordinary: FixedDecimal, ordinaryCap: FixedDecimal) {
        self.short = short
        self.long = long
        self.ordinary = ordinary
        self.ordinaryCap = ordinaryCap
    }

    public func rate(_ term: HoldingTerm) -> FixedDecimal { term == .short ? short : long }
}

/// The tax of a whole year: each side nets with its carry, the sides net against each other, a net gain is taxed at the rate of
/// the side on which it remains, a net loss reduces ordinary income up to the cap, short-term first, and the rest is carried.
///
///     s = S - carryShort, l = L - carryLong, n = s + l
///     s >= 0, l >= 0        short s + long l
///     s >= 0 > l, n >= 0    short n
///     s < 0 <= l, n >= 0    long n
///     n < 0                 - ordinary min(cap, -n), the rest is carried by side
///
/// A saving is a negative tax. Source: US Internal Revenue Code sections 1211, 1212 and 1222; Schedule D of Form 1040.
/// A model with settings, not tax advice.
public struct TaxYear: Sendable, Equatable {
    public var netShort: FixedDecimal
    public var netLong: FixedDecimal
    public var taxedShort: FixedDecimal
    public var taxedLong: FixedDecimal
    public var ordinaryDeduction: FixedDecimal
    public var carryOutShort: FixedDecimal
    public var carryOutLong: FixedDecimal
    /// Not rounded.
    public var tax: FixedDecimal

    /// The year's realised results, each side signed, and the carries, which are not negative.
    public init(
        realisedShort: FixedDecimal, realisedLong: FixedDecimal, carryShort: FixedDecimal, carryLong: FixedDecimal,
        rates: TaxRates
    ) {
        let s = realisedShort - carryShort
        let l = realisedLong - carryLong
        let n = s + l
        netShort = s
        netLong = l
        taxedShort = 0
        taxedLong = 0
        ordinaryDeduction = 0
        carryOutShort = 0
        carryOutLong = 0
        if n >= 0 {
            taxedShort = s >= 0 ? (l >= 0 ? s : n) : 0
            taxedLong = l >= 0 ? (s >= 0 ? l : n) : 0
            tax = rates.short * taxedShort + rates.long * taxedLong
        } else {
            ordinaryDeduction = min(rates.ordinaryCap, -n)
            // The losing side keeps what the other did not absorb; if both lose, the deduction eats the short side first.
            let lostShort = s < 0 ? (l > 0 ? -n : -s) : 0
            let lostLong = l < 0 ? (s > 0 ? -n : -l) : 0
            let fromShort = min(lostShort, ordinaryDeduction)
            carryOutShort = lostShort - fromShort
            carryOutLong = lostLong - (ordinaryDeduction - fromShort)
            tax = -(rates.ordinary * ordinaryDeduction)
        }
    }
}
