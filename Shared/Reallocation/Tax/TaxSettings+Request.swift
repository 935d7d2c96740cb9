public import WireFormat

extension TaxBooking.Rules {
    /// How fills of a plan with these settings are booked: by the regime, also where tax played no part in the plan, since the law does not
    /// ask what a plan was made for.
    ///
    /// Throws `Problem` where the regime has no entry in force on that day.
    public init(_ settings: RebalanceSettings, on day: CalendarDate) throws(Problem) {
        var tax = settings.tax ?? RebalanceSettings.Tax()
        if tax.mode == TaxSettings.Mode.none.rawValue { tax.mode = TaxSettings.Mode.nettedYear.rawValue }
        let known = try TaxSettings(tax, on: day)
        self.init(
            holdingPeriod: known.holdingPeriod, washSale: known.washSale, isAveraging: known.method == .average,
            identical: settings.identical.map { Set($0) })
    }
}

extension TaxSettings {
    /// A request's settings with the regime that is in force on a day; no tax where the request says none.
    ///
    /// Throws `Problem` where the regime has no entry in force on that day.
    public init(_ tax: RebalanceSettings.Tax?, on day: CalendarDate) throws(Problem) {
        guard let tax, let mode = Mode(rawValue: tax.mode), mode != .none else {
            self = .none
            return
        }
        guard let regime = TaxRegime.inForce(tax.regime, on: day) else {
            throw Problem(
                JSONPointer(["settings", "tax", "regime"]), .unknownValue,
                "The regime \(Problem.echo(tax.regime)) has no entry in force on \(day).")
        }
        let short = tax.rateShort * regime.shortInclusion
        let long = (regime.holdingPeriod == .none ? tax.rateShort : tax.rateLong) * regime.longInclusion
        let rates = TaxRates(
            short: short, long: long, ordinary: tax.rateOrdinary ?? tax.rateShort,
            ordinaryCap: tax.ordinaryCap ?? regime.ordinaryCap)
        let method = tax.lotMethod.flatMap { DisposalMethod(rawValue: $0) } ?? regime.prescribedMethod ?? .minimumTax
        let washSale = tax.washSale.map { $0 ? (regime.washSale ?? .unitedStates) : nil } ?? regime.washSale
        self.init(
            mode: mode, rates: rates, realisedShort: tax.realisedShort, realisedLong: tax.realisedLong,
            carryShort: tax.carryShort, carryLong: tax.carryLong, carryValueShort: tax.carryValueShort,
            carryValueLong: tax.carryValueLong, method: method, holdingPeriod: regime.holdingPeriod, washSale: washSale)
    }
}
