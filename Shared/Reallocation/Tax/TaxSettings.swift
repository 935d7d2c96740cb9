public import WireFormat

/// How a plan looks at tax.
public struct TaxSettings: Sendable, Equatable {
    /// Raw values are the wire's words.
    public enum Mode: String, Sendable, CaseIterable {
        /// Tax plays no part.
        case none
        /// The year is known: results net with each other and with the carries.
        case nettedYear = "netted_year"
        /// Gains elsewhere are taken for granted: each lot at its own rate, losses save at once.
        case lotRates = "lot_rates"
    }

    public var mode: Mode
    public var rates: TaxRates
    public var realisedShort: FixedDecimal
    public var realisedLong: FixedDecimal
    public var carryShort: FixedDecimal
    public var carryLong: FixedDecimal
    /// What a unit of loss carried out is worth now, by side.
    public var carryValueShort: FixedDecimal
    public var carryValueLong: FixedDecimal
    public var method: DisposalMethod
    public var holdingPeriod: HoldingPeriod
    /// Nil where the law knows none.
    public var washSale: WashSaleRule?

    public init(
        mode: Mode, rates: TaxRates, realisedShort: FixedDecimal = 0, realisedLong: FixedDecimal = 0,
        carryShort: FixedDecimal = 0, carryLong: FixedDecimal = 0, carryValueShort: FixedDecimal = 0,
        carryValueLong: FixedDecimal = 0, method: DisposalMethod = .minimumTax,
        holdingPeriod: HoldingPeriod = .years(1),
        washSale: WashSaleRule? = .unitedStates
    ) {
        self.mode = mode
        self.rates = rates
        self.realisedShort = realisedShort
        self.realisedLong = realisedLong
        self.carryShort = carryShort
        self.carryLong = carryLong
        self.carryValueShort = carryValueShort
        self.carryValueLong = carryValueLong
        self.method = method
        self.holdingPeriod = holdingPeriod
        self.washSale = washSale
    }

    /// No tax at all.
    public static let none = TaxSettings(
        mode: .none, rates: TaxRates(short: 0, long: 0, ordinary: 0, ordinaryCap: 0), washSale: nil)

    /// The year with so much more realised.
    public func year(addingShort short: FixedDecimal, long: FixedDecimal) -> TaxYear {
        TaxYear(
            realisedShort: realisedShort + short, realisedLong: realisedLong + long, carryShort: carryShort,
            carryLong: carryLong, rates: rates)
    }

    /// What realising so much adds to the tax of the year.
    public func tax(ofShort short: FixedDecimal, long: FixedDecimal) -> FixedDecimal {
        switch mode {
        case .none: 0
        case .lotRates: rates.short * short + rates.long * long
        case .nettedYear: year(addingShort: short, long: long).tax - year(addingShort: 0, long: 0).tax
        }
    }

    /// What the change of the loss carried out is worth, zero unless the year is netted and a carry has a value.
    public func carryValue(ofShort short: FixedDecimal, long: FixedDecimal) -> FixedDecimal {
        guard mode == .nettedYear, carryValueShort != 0 || carryValueLong != 0 else { return 0 }
        let before = year(addingShort: 0, long: 0)
        let after = year(addingShort: short, long: long)
        return carryValueShort * (after.carryOutShort - before.carryOutShort)
            + carryValueLong * (after.carryOutLong - before.carryOutLong)
    }
}
