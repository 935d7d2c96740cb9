extension OptimizeRequest {
    /// Decodes the body of a request.
    /// - Throws: a 422 of class `request` that names every fault by pointer.
    public init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        if let problem = Problem(violations: reader.faults.violations) { throw problem }  // not an object at all
        self.init(reading: reader)
        try reader.finishAndThrow()
    }

    /// Reads the members; everything wrong goes to the reader's list of faults.
    init(reading reader: MemberReader) {
        self.init(assets: [])
        readPanel(reader)
        readAssets(reader)
        readWindow(reader)
        readModel(reader)
        readParameters(reader)
        if let inner = reader.object("constraints") { constraints = ConstraintRequest(inner, assets: assets) }
        readModelParameters(reader)
        frontier = Self.frontier(reader)
        readStorage(reader)
        checkConsistency(reader)
    }

    mutating func readPanel(_ reader: MemberReader) {
        let returns = InlinePanel.read(.returns, from: reader)
        let prices = InlinePanel.read(.prices, from: reader)
        if reader.has("returns"), reader.has("prices") {
            reader.fault("prices", .contradiction, "A request has returns or prices, not both.")
        }
        panel = returns ?? prices
    }

    mutating func readAssets(_ reader: MemberReader) {
        let isInline = reader.has("returns") || reader.has("prices")
        guard let names = reader.strings("assets", required: !isInline, count: 1...Self.mostAssets) else {
            assets = panel?.assets ?? []
            return
        }
        let place = reader.pointer.appending("assets")
        var seen: Set<String> = []
        for (index, name) in names.enumerated() {
            AssetSymbol.check(name, at: place.appending(index), reader.faults)
            if !seen.insert(name).inserted {
                let detail = "\"\(Problem.echo(name))\" occurs twice."
                reader.faults.record(Violation(place.appending(index), .duplicate, detail))
            }
        }
        if let panel {
            let known = Set(panel.assets)
            for (index, name) in names.enumerated() where !known.contains(name) {
                let detail = "\"\(Problem.echo(name))\" is not a column of the inline panel."
                reader.faults.record(Violation(place.appending(index), .contradiction, detail))
            }
        }
        assets = names
    }

    mutating func readWindow(_ reader: MemberReader) {
        startDate = reader.date("start_date")
        endDate = reader.date("end_date")
        if let startDate, let endDate, startDate > endDate {
            reader.fault("start_date", .contradiction, "The start \(startDate) is after the end \(endDate).")
        }
        periodsPerYear = reader.double("periods_per_year", in: Interval(lower: 0, upper: 1e7, lowerOpen: true))
        calendar = reader.choice("calendar", of: TradingCalendar.self)
        missing = reader.choice("missing", of: MissingPolicy.self) ?? .drop
        if missing == .forwardFill, reader.has("returns") {
            reader.fault("missing", .contradiction, "Prices can be carried over a gap, returns cannot.")
        }
    }

    private mutating func readModel(_ reader: MemberReader) {
        var implied: RiskMeasureCode?
        if let text = reader.string("model") {
            if let (named, measure) = ModelName.named(text) {
                model = named
                implied = measure
            } else {
                let known = ModelName.allCases.map { $0.rawValue }
                reader.fault("model", .unknownValue, MemberReader.unknownValue(text, known: known))
            }
        }
        readMeasure(reader, implied)
        hasUnusedObjective = reader.has("objective") && !model.hasObjective
        objective = reader.choice("objective", of: ObjectiveName.self) ?? .sharpe
        kelly = reader.choice("kelly", of: KellyMode.self) ?? .none
        convention = reader.choice("convention", of: Convention.self) ?? .riskfolio
    }

    /// The measure, or one of the two risks that only hierarchical models know.
    private mutating func readMeasure(_ reader: MemberReader, _ implied: RiskMeasureCode?) {
        riskMeasure = implied ?? .mv
        guard let text = reader.string("risk_measure") else { return }
        if let code = RiskMeasureCode(rawValue: text) {
            riskMeasure = code
        } else if let risk = HierarchicalRisk(rawValue: text), model.isHierarchical, model != .nestedClusters {
            hierarchicalRisk = risk
        } else {
            let known = RiskMeasureCode.allCases.map { $0.rawValue }
            reader.fault("risk_measure", .unknownValue, MemberReader.unknownValue(text, known: known))
        }
    }

    mutating func readParameters(_ reader: MemberReader) {
        riskFreeRate = reader.double("risk_free_rate", in: Interval(lower: -1000, upper: 1000)) ?? 0
        riskAversion = reader.double("risk_aversion", in: Interval(lower: 0, upper: 1e9)) ?? 2
        alpha = reader.double("alpha", in: .openUnit) ?? 0.05
        beta = reader.double("beta", in: .openUnit)
        levels = reader.int("a_sim", in: 2...10_000) ?? 100
        gainLevels = reader.int("b_sim", in: 2...10_000)
        let deformation = Interval(lower: 1e-4, upper: 0.9999)
        kappa = reader.double("kappa", in: deformation) ?? 0.3
        kappaGain = reader.double("kappa_gain", in: deformation)
        power = reader.double("power", in: Interval(lower: 1, upper: 50)) ?? 2
        target = reader.double("target", in: Interval(lower: -1000, upper: 1000))
    }

    private static func frontier(_ reader: MemberReader) -> Frontier? {
        guard let value = reader.value("efficient_frontier") else { return nil }
        if let wanted = value.boolValue { return wanted ? Frontier() : nil }
        let range = 2...mostPoints
        if value.numberValue != nil {
            return reader.int("efficient_frontier", in: range).map { Frontier(points: $0) }
        }
        guard value.objectValue != nil else {
            let detail = "Expected true, a number of points or an object, found \(value.kindInWords)."
            reader.fault("efficient_frontier", .wrongType, detail)
            return nil
        }
        guard let inner = reader.object("efficient_frontier") else { return nil }
        let points = inner.int("points", in: range) ?? 20
        let axis = inner.choice("by", of: FrontierAxis.self) ?? .expectedReturn
        let withWeights = inner.bool("weights") ?? false
        let turningPoints = inner.bool("turning_points") ?? false
        for name in ["points", "by"] where turningPoints && inner.has(name) {
            inner.fault(
                name, .contradiction, "The turning points are as many as there are, and no grid: leave out \(name).")
        }
        inner.finish()
        return Frontier(points: points, axis: axis, withWeights: withWeights, turningPoints: turningPoints)
    }

    private mutating func readStorage(_ reader: MemberReader) {
        name = reader.string("name", maximumLength: 200)
        portfolioID = reader.string("portfolio_id", maximumLength: 256)
        if let portfolioID, !Self.isPortfolioID(portfolioID) {
            let detail = "\"\(Problem.echo(portfolioID))\" is not an id: 4 to 64 letters, digits, _ and -."
            reader.fault("portfolio_id", .badFormat, detail)
        }
        store = reader.bool("store") ?? true
        if let inner = reader.object("recalculation") {
            let enabled = inner.bool("enabled") ?? true
            let quiet = inner.int("quiet_ms", in: 0...3_600_000)
            let longest = inner.int("max_wait_ms", in: 0...86_400_000)
            if let quiet, let longest, quiet > longest {
                inner.fault("quiet_ms", .contradiction, "quiet_ms \(quiet) is above max_wait_ms \(longest).")
            }
            inner.finish()
            recalculation = Recalculation(
                enabled: enabled, quietMilliseconds: quiet, maximumWaitMilliseconds: longest)
        }
        let isInline = reader.has("returns") || reader.has("prices")
        for (name, isAsked) in [("portfolio_id", portfolioID != nil), ("recalculation", recalculation != nil)]
        where isAsked {
            if isInline { reader.fault(name, .contradiction, "A request with an inline panel stores nothing.") }
            if !isInline, !store { reader.fault(name, .contradiction, "A request with store false keeps nothing.") }
        }
        if isInline, reader.bool("store") == true {
            reader.fault("store", .contradiction, "A request with an inline panel stores nothing.")
        }
    }

    /// Whether a text may be a portfolio's id: 4 to 64 of `0-9A-Za-z_-`.
    public static func isPortfolioID(_ text: String) -> Bool {
        (4...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x5a) || ($0 >= 0x61 && $0 <= 0x7a) || $0 == 0x5f
                    || $0 == 0x2d
            }
    }
}
