extension RebalanceSettings {
    private static let share: ClosedRange<FixedDecimal> = 0...1
    private static let money: ClosedRange<FixedDecimal> = 0...1_000_000_000_000

    /// Words of `tax.mode` and `tax.lot_method`; the planner's own enumerations are compared with them by a test.
    public static let taxModes = ["none", "netted_year", "lot_rates"]
    public static let lotMethods = ["fifo", "lifo", "hifo", "specific", "min_tax_rate", "min_tax", "average"]
    public static let taxRegimes = ["us", "us-token", "de-token", "ca", "gb"]

    /// The settings by themselves, as the member `settings` of a request.
    public init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        self.init(reader)
        try reader.finishAndThrow()
    }

    init(_ reader: MemberReader) {
        self.init()
        if let inner = reader.object("thresholds") { thresholds = Thresholds(inner) }
        riskAversion =
            reader.double("risk_aversion", in: Interval(lower: 0, upper: 1e6, lowerOpen: true)) ?? riskAversion
        horizonYears =
            reader.double("horizon_years", in: Interval(lower: 0, upper: 100, lowerOpen: true)) ?? horizonYears
        if let inner = reader.object("costs") { costs = Costs(inner) }
        if let inner = reader.object("tax") { tax = Tax(inner) }
        if let inner = reader.object("constraints") { constraints = Constraints(inner) }
        if let inner = reader.object("cost_gate") {
            var gate = CostGate()
            gate.maxCostBPS = inner.fixed("max_cost_bps", in: 0...10_000)
            gate.maxCost = inner.fixed("max_cost", in: Self.money)
            gate.benefitFraction = inner.fixed("benefit_fraction", in: 0...1000)
            inner.finish()
            costGate = gate
        }
        if let inner = reader.object("harvest") { harvest = Harvest(inner) }
        if let inner = reader.object("look_ahead") { lookAhead = LookAhead(inner) }
        if let inner = reader.object("schedule") { schedule = Schedule(inner) }
        relaxes = reader.bool("relax") ?? true
        alternatives = reader.bool("alternatives")
        expiresSeconds = reader.int("expires_seconds", in: 1...86_400) ?? expiresSeconds
        priceTolerance = reader.fixed("price_tolerance", in: Self.share) ?? priceTolerance
        reader.finish()
    }

}

extension RebalanceSettings.Thresholds {
    fileprivate init(_ reader: MemberReader) {
        halfL1 = reader.fixed("half_l1", in: 0...1)
        maxAbsolute = reader.fixed("max_absolute", in: 0...1)
        maxRelative = reader.fixed("max_relative", in: 0...1000)
        trackingError = reader.double("tracking_error", in: .nonnegative)
        calendarDays = reader.int("calendar_days", in: 1...36_500)
        cashFlow = reader.fixed("cash_flow", in: 0...1)
        cooldownDays = reader.int("cooldown_days", in: 0...36_500)
        lastRebalanced = reader.date("last_rebalanced")
        targetChanged = reader.bool("target_changed") ?? false
        noTradeRegion = reader.bool("no_trade_region") ?? false
        reader.finish()
    }
}

extension RebalanceSettings.Harvest {
    fileprivate init(_ reader: MemberReader) {
        floor = reader.fixed("floor", in: 0...1_000_000_000) ?? 0
        discountRate = reader.double("discount_rate", in: Interval(lower: 0, upper: 1)) ?? discountRate
        deferralYears = reader.double("deferral_years", in: Interval(lower: 0, upper: 100)) ?? deferralYears
        days = reader.int("days", in: 1...366) ?? days
        identical = reader.sets("identical")
        substitutes = reader.strings("substitutes", count: 0...RebalanceRequest.mostAssets)
        reader.finish()
    }
}

extension MemberReader {
    /// Lists of names.
    fileprivate func sets(_ name: String) -> [[String]] {
        var sets: [[String]] = []
        for (place, value) in elements(name, count: 0...1000) ?? [] {
            guard let names = value.arrayValue?.compactMap({ $0.stringValue }), names.count == value.arrayValue?.count
            else {
                faults.record(Violation(place, .wrongType, "Expected a list of names."))
                continue
            }
            sets.append(names)
        }
        return sets
    }
}

extension RebalanceSettings.LookAhead {
    fileprivate init(_ reader: MemberReader) {
        periods = reader.int("periods", in: 1...24) ?? periods
        for (place, value) in reader.elements("forecasts", count: 0...24) ?? [] {
            guard let members = value.objectValue?.members else {
                reader.faults.record(Violation(place, .wrongType, "Expected returns by asset."))
                continue
            }
            var period: [String: Double] = [:]
            for (name, value) in members {
                period[name] = reader.double(
                    value, at: place.appending(name), in: Interval(lower: -10, upper: 10))
            }
            forecasts.append(period)
        }
        reader.finish()
    }
}

extension RebalanceSettings.Schedule {
    fileprivate init(_ reader: MemberReader) {
        days = reader.double("days", in: Interval(lower: 0, upper: 60, lowerOpen: true)) ?? days
        intervals = reader.int("intervals", in: 1...500) ?? intervals
        riskAversion = reader.double("risk_aversion", in: Interval(lower: 0, upper: 1e6)) ?? riskAversion
        let part = Interval(lower: 0, upper: 1000, lowerOpen: true)
        temporaryVolume = reader.double("temporary_volume", in: part) ?? temporaryVolume
        permanentVolume = reader.double("permanent_volume", in: part) ?? permanentVolume
        reader.finish()
    }
}

extension RebalanceSettings.Costs {
    fileprivate init(_ reader: MemberReader) {
        if let inner = reader.object("commission") {
            perOrder = inner.fixed("per_order", in: 0...1_000_000) ?? 0
            perShare = inner.fixed("per_share", in: 0...1_000_000) ?? 0
            rate = inner.fixed("rate", in: 0...1) ?? 0
            minimum = inner.fixed("minimum", in: 0...1_000_000) ?? 0
            maximumRate = inner.fixed("maximum_rate", in: 0...1)
            inner.finish()
        }
        if let inner = reader.object("sale_fees") {
            saleRate = inner.fixed("rate", in: 0...1) ?? 0
            salePerShare = inner.fixed("per_share", in: 0...1_000_000) ?? 0
            salePerShareCap = inner.fixed("per_share_cap", in: 0...1_000_000) ?? 0
            inner.finish()
        }
        impactCoefficient = reader.double("impact_coefficient", in: Interval(lower: 0, upper: 1000)) ?? 1
        ticket = reader.fixed("ticket", in: 0...1_000_000) ?? 0
        if let inner = reader.object("pools") {
            for asset in inner.object.keys {
                for (place, value) in inner.elements(asset, count: 1...RebalanceSettings.mostPools) ?? [] {
                    let pool = MemberReader(value, at: place, faults: reader.faults)
                    guard value.objectValue != nil else { continue }
                    pools[asset, default: []].append(RebalanceSettings.Pool(pool))
                }
            }
        }
        if let inner = reader.object("network") { network = RebalanceSettings.Network(inner) }
        calibrates = reader.bool("calibrate") ?? true
        venue = reader.string("venue", maximumLength: 32)
        if let inner = reader.object("calibration") {
            var known = RebalanceSettings.Calibration()
            known.venue = inner.string("venue", maximumLength: 32)
            known.orders = inner.int("orders", in: 0...1_000_000_000) ?? 0
            known.spreadFactor = inner.fixed("spread_factor", in: 0...100) ?? 1
            known.impactFactor = inner.fixed("impact_factor", in: 0...100) ?? 1
            inner.finish()
            calibration = calibrates ? known : nil
        }
        reader.finish()
    }
}

extension RebalanceSettings.Tax {
    fileprivate init(_ reader: MemberReader) {
        let rates: ClosedRange<FixedDecimal> = 0...1
        let money: ClosedRange<FixedDecimal> = 0...1_000_000_000_000
        let signed: ClosedRange<FixedDecimal> = -1_000_000_000_000...1_000_000_000_000
        mode = Self.word(reader, "mode", RebalanceSettings.taxModes) ?? "netted_year"
        regime = Self.word(reader, "regime", RebalanceSettings.taxRegimes) ?? "us"
        rateShort = reader.fixed("rate_short", in: rates) ?? 0
        rateLong = reader.fixed("rate_long", in: rates) ?? 0
        rateOrdinary = reader.fixed("rate_ordinary", in: rates)
        ordinaryCap = reader.fixed("ordinary_cap", in: money)
        realisedShort = reader.fixed("realised_short", in: signed) ?? 0
        realisedLong = reader.fixed("realised_long", in: signed) ?? 0
        carryShort = reader.fixed("carry_short", in: money) ?? 0
        carryLong = reader.fixed("carry_long", in: money) ?? 0
        carryValueShort = reader.fixed("carry_value_short", in: rates) ?? 0
        carryValueLong = reader.fixed("carry_value_long", in: rates) ?? 0
        lotMethod = Self.word(reader, "lot_method", RebalanceSettings.lotMethods)
        washSale = reader.bool("wash_sale")
        for (place, value) in reader.elements("recent_loss_sales", count: 0...10_000) ?? [] {
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            let asset = inner.string("asset", required: true, maximumLength: 64)
            let date = inner.date("date", required: true)
            inner.finish()
            if let asset, let date { recentLossSales.append(.init(asset: asset, date: date)) }
        }
        identical = reader.sets("identical")
        reader.finish()
    }

    private static func word(_ reader: MemberReader, _ name: String, _ words: [String]) -> String? {
        guard let text = reader.string(name) else { return nil }
        if words.contains(text) { return text }
        let nearest = NearestName.of(text, among: words).map { " Did you mean \($0)?" } ?? ""
        reader.fault(
            name, .unknownValue, "\"\(Problem.echo(text))\" is none of \(words.joined(separator: ", ")).\(nearest)")
        return nil
    }
}

extension RebalanceSettings.Constraints {
    fileprivate init(_ reader: MemberReader) {
        let share: ClosedRange<FixedDecimal> = 0...1
        let money: ClosedRange<FixedDecimal> = 0...1_000_000_000_000
        lotSize = reader.fixed("lot_size", in: 0...1_000_000, isAbove: 0) ?? 1
        minTrade = reader.fixed("min_trade", in: money) ?? 0
        maxTrades = reader.int("max_trades", in: 0...100_000)
        cashFloor = reader.fixed("cash_floor", in: money) ?? 0
        cashFloorWeight = reader.fixed("cash_floor_weight", in: share) ?? 0
        participation = reader.fixed("participation", in: share)
        participationDays = reader.fixed("participation_days", in: 0...1000, isAbove: 0) ?? 1
        turnover = reader.fixed("turnover", in: 0...2)
        taxBudget = reader.fixed("tax_budget", in: -1_000_000_000_000...1_000_000_000_000)
        lockedLots = reader.strings("locked_lots", count: 0...100_000) ?? []
        restricted = reader.strings("restricted", count: 0...10_000) ?? []
        noBuy = reader.strings("no_buy", count: 0...10_000) ?? []
        noSell = reader.strings("no_sell", count: 0...10_000) ?? []
        lowerBound = Self.perAsset(reader, "lower_bound")
        upperBound = Self.perAsset(reader, "upper_bound")
        minHoldingDays = reader.int("min_holding_days", in: 0...36_500)
        var limits: [String: (min: FixedDecimal?, max: FixedDecimal?)] = [:]
        if let inner = reader.object("group_constraints") {
            for member in inner.object.members {
                guard let limit = inner.object(member.key) else { continue }
                limits[member.key] = (limit.fixed("min", in: share), limit.fixed("max", in: share))
                limit.finish()
            }
        }
        if let inner = reader.object("groups") {
            for name in inner.object.keys {
                guard let members = inner.strings(name, count: 0...100_000) else { continue }
                groups.append(.init(name: name, members: members, min: limits[name]?.min, max: limits[name]?.max))
            }
        }
        for name in limits.keys.sorted() where !groups.contains(where: { $0.name == name }) {
            reader.fault("group_constraints", .unknownValue, "There is no group \(Problem.echo(name)).")
        }
        reader.finish()
    }

    private static func perAsset(_ reader: MemberReader, _ name: String) -> PerAsset? {
        guard let value = reader.value(name) else { return nil }
        let place = reader.pointer.appending(name)
        guard let object = value.objectValue else {
            return reader.fixed(value, at: place, in: 0...1).map { PerAsset(standard: $0) }
        }
        var table = PerAsset()
        for member in object.members {
            table.byAsset[member.key] = reader.fixed(member.value, at: place.appending(member.key), in: 0...1)
        }
        return table
    }
}
