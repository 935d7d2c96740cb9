extension RebalanceRequest {
    private static let amounts: ClosedRange<FixedDecimal> = -1_000_000_000_000_000...1_000_000_000_000_000
    private static let quantities: ClosedRange<FixedDecimal> = 0...1_000_000_000_000
    private static let pricesRange: ClosedRange<FixedDecimal> = 0...1_000_000_000
    private static let weights: ClosedRange<FixedDecimal> = 0...1

    /// The stateless form: everything inline.
    public init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        asOf = reader.date("as_of", required: true) ?? .earliest
        currency = Self.currency(reader)
        cash = reader.fixed("cash", in: Self.amounts) ?? 0
        holdings = Self.holdings(reader)
        target = []
        prices = [:]
        covariance = nil
        expectedReturns = [:]
        settings = RebalanceSettings()
        readRest(reader, isInline: true)
        try reader.finishAndThrow()
        try check()
    }

    /// The stored form: holdings and target are the portfolio's; prices, covariance and target may be given to replace what is stored.
    public init(
        stored json: JSONValue, asOf today: CalendarDate, currency: String, cash: FixedDecimal, holdings: [Holding],
        target: [(asset: String, weight: FixedDecimal)], prices: [String: Quote], covariance: Covariance?
    ) throws(Problem) {
        let reader = MemberReader(json)
        asOf = reader.date("as_of") ?? today
        self.currency = currency
        self.cash = cash
        self.holdings = holdings
        self.target = target
        self.prices = prices
        self.covariance = covariance
        expectedReturns = [:]
        settings = RebalanceSettings()
        readRest(reader, isInline: false)
        try reader.finishAndThrow()
        try check()
    }

    private mutating func readRest(_ reader: MemberReader, isInline: Bool) {
        if let inner = reader.object("target", required: isInline) {
            target = []
            for member in inner.object.members {
                if let weight = reader.fixed(member.value, at: inner.pointer.appending(member.key), in: Self.weights) {
                    target.append((member.key, weight))
                }
            }
        }
        if let inner = reader.object("prices", required: isInline) {
            for member in inner.object.members {
                let place = inner.pointer.appending(member.key)
                guard case .object(let object) = member.value else {
                    if let price = reader.fixed(member.value, at: place, in: Self.pricesRange, isAbove: 0) {
                        prices[member.key] = Quote(price: price)
                    }
                    continue
                }
                let quote = MemberReader(object, at: place, faults: reader.faults)
                let price = quote.fixed("price", required: true, in: Self.pricesRange, isAbove: 0)
                let spread = quote.fixed("half_spread", in: Self.pricesRange) ?? 0
                let adv = quote.fixed("adv", in: 0...1_000_000_000_000_000)
                let volatility = quote.double("volatility", in: Interval(lower: 0, upper: 100))
                quote.finish()
                if let price, spread >= price {
                    quote.fault(
                        "half_spread", .outOfRange, "Half a spread of \(spread) is not below the price \(price).")
                }
                if let price {
                    prices[member.key] = Quote(price: price, halfSpread: spread, adv: adv, volatility: volatility)
                }
            }
        }
        if let inner = reader.object("covariance") {
            let names = inner.strings("assets", required: true, count: 1...Self.mostAssets) ?? []
            var values: [[Double]] = []
            for (place, row) in inner.elements("values", required: true, count: names.count...max(names.count, 1)) ?? []
            {
                guard let row = row.arrayValue, row.count == names.count else {
                    reader.faults.record(Violation(place, .wrongType, "Expected \(names.count) numbers in a row."))
                    continue
                }
                values.append(row.enumerated().map { reader.double($0.element, at: place.appending($0.offset)) ?? 0 })
            }
            inner.finish()
            if Set(names).count != names.count { inner.fault("assets", .duplicate, "An asset occurs twice.") }
            covariance = Covariance(assets: names, values: values)
        }
        for (asset, value) in reader.numbers("expected_returns", in: Interval(lower: -10, upper: 10)) ?? [] {
            expectedReturns[asset] = value
        }
        if let inner = reader.object("settings") { settings = RebalanceSettings(inner) }
        stores = reader.bool("store") ?? true
    }

    private static func currency(_ reader: MemberReader) -> String {
        guard let text = reader.string("currency") else { return "USD" }
        let isCode = text.utf8.count == 3 && text.utf8.allSatisfy { (0x41...0x5a).contains($0) }
        if !isCode { reader.fault("currency", .badFormat, "A currency has three capital letters, as in USD.") }
        return text
    }

    private static func holdings(_ reader: MemberReader) -> [Holding] {
        var seen: Set<String> = []
        var lotIDs: Set<String> = []
        var result: [Holding] = []
        for (place, value) in reader.elements("holdings", required: true, count: 0...mostAssets) ?? [] {
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            let asset = inner.string("asset", required: true, maximumLength: 64) ?? ""
            if asset == cashName { inner.fault("asset", .contradiction, "Cash is the member cash, not a holding.") }
            if !seen.insert(asset).inserted {
                inner.fault("asset", .duplicate, "\(Problem.echo(asset)) has two positions.")
            }
            let quantity = inner.fixed("quantity", in: quantities)
            var lots: [Lot] = []
            for (place, value) in inner.elements("lots", count: 0...1000) ?? [] {
                let lot = MemberReader(value, at: place, faults: reader.faults)
                guard value.objectValue != nil else { continue }
                let id = lot.string("id", required: true, maximumLength: 64) ?? ""
                if lot.has("id"), !lotIDs.insert(id).inserted {
                    lot.fault("id", .duplicate, "Two lots have the id \(Problem.echo(id)).")
                }
                let acquired = lot.date("acquired", required: true)
                let shares = lot.fixed("quantity", required: true, in: quantities, isAbove: 0)
                let basis = lot.fixed("basis_per_share", required: true, in: pricesRange)
                lot.finish()
                if let acquired, let shares, let basis {
                    lots.append(Lot(id: id, acquired: acquired, quantity: shares, basisPerShare: basis))
                }
            }
            if quantity == nil, !inner.has("lots") {
                inner.fault("quantity", .missing, "A position needs quantity or lots.")
            }
            let sum = lots.map { $0.quantity }.reduce(.zero, +)
            if let quantity, !lots.isEmpty, sum != quantity {
                inner.fault("quantity", .contradiction, "The lots add up to \(sum), not to \(quantity).")
            }
            inner.finish()
            result.append(Holding(asset: asset, quantity: quantity, lots: lots))
        }
        return result
    }

    /// What no single member shows: weights that add up, prices for everything, dates that fit.
    private func check() throws(Problem) {
        var violations: [Violation] = []
        let named = Set(target.map { $0.asset })
        let sum = target.map { $0.weight }.reduce(.zero, +)
        let tolerance = FixedDecimal(1) / 1_000_000_000
        if named.contains(Self.cashName) ? (sum - 1).magnitude > tolerance : sum > 1 + tolerance {
            violations.append(
                Violation(
                    JSONPointer(["target"]), .contradiction, "The weights add up to \(sum), not to 1.", limit: 1,
                    value: sum.double))
        }
        for asset in traded where prices[asset] == nil {
            violations.append(
                Violation(JSONPointer(["prices", asset]), .missing, "\(Problem.echo(asset)) has no price."))
        }
        if traded.count > Self.mostAssets {
            throw Problem(.tooLargeProblem, "\(traded.count) assets; a plan takes at most \(Self.mostAssets).")
        }
        if let covariance {
            let known = Set(covariance.assets)
            for asset in traded where !known.contains(asset) {
                violations.append(
                    Violation(
                        JSONPointer(["covariance", "assets"]), .missing, "\(Problem.echo(asset)) has no covariance."))
            }
            for i in covariance.values.indices {
                for j in 0..<i
                where (covariance.values[i][j] - covariance.values[j][i]).magnitude
                    > 1e-9 * max(covariance.values[i][i].magnitude, covariance.values[j][j].magnitude)
                {
                    violations.append(
                        Violation(
                            JSONPointer(["covariance", "values"]), .contradiction,
                            "Row \(i) and column \(j) are not symmetric."))
                }
            }
        }
        for (h, holding) in holdings.enumerated() {
            for (l, lot) in holding.lots.enumerated() where lot.acquired > asOf {
                violations.append(
                    Violation(
                        JSONPointer(["holdings", String(h), "lots", String(l), "acquired"]), .contradiction,
                        "The lot was bought on \(lot.acquired), after \(asOf)."))
            }
        }
        let lots = Set(holdings.flatMap { $0.lots.map { $0.id } })
        for (index, id) in settings.constraints.lockedLots.enumerated() where !lots.contains(id) {
            violations.append(
                Violation(
                    JSONPointer(["settings", "constraints", "locked_lots", String(index)]), .unknownValue,
                    "There is no lot \(Problem.echo(id))."))
        }
        if let problem = Problem(violations: violations) { throw problem }
    }

    /// Every asset held or wanted, in the order of the target, then of the holdings; cash is none.
    public var traded: [String] {
        var seen: Set<String> = [Self.cashName]
        return (target.map { $0.asset } + holdings.map { $0.asset }).filter { seen.insert($0).inserted }
    }

    /// The target weight of cash: what was given, or what the others leave.
    public var cashTarget: FixedDecimal {
        target.first { $0.asset == Self.cashName }?.weight ?? (1 - target.map { $0.weight }.reduce(.zero, +))
    }
}
