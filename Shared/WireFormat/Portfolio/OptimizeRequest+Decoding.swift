extension OptimizeRequest {
    /// Members that API.md names and that no code applies yet: refused by name rather than ignored.
    static let notBuilt = [
        "views", "factors", "risk_budget", "relaxation", "uncertainty", "clustering", "owa_weights", "scenario_weights",
    ]

    /// Decodes the body of a request.
    /// - Throws: a 422 of class `request` that names every fault by pointer.
    public init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        if let problem = Problem(violations: reader.faults.violations) { throw problem }  // not an object at all
        self.init(reader)
        try reader.finishAndThrow()
    }

    private init(_ reader: MemberReader) {
        self.init(assets: [])
        readPanel(reader)
        readAssets(reader)
        readWindow(reader)
        readModel(reader)
        readParameters(reader)
        readEstimators(reader)
        if let inner = reader.object("constraints") { constraints = ConstraintRequest(inner, assets: assets) }
        frontier = Self.frontier(reader)
        readStorage(reader)
        for name in Self.notBuilt where reader.has(name) {
            reader.fault(name, .other("not_supported_yet"), "\(name) is not supported yet.")
        }
    }

    private mutating func readPanel(_ reader: MemberReader) {
        let returns = InlinePanel.read(.returns, from: reader)
        let prices = InlinePanel.read(.prices, from: reader)
        if reader.has("returns"), reader.has("prices") {
            reader.fault("prices", .contradiction, "A request has returns or prices, not both.")
        }
        panel = returns ?? prices
    }

    private mutating func readAssets(_ reader: MemberReader) {
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

    private mutating func readWindow(_ reader: MemberReader) {
        startDate = reader.date("start_date")
        endDate = reader.date("end_date")
        if let startDate, let endDate, startDate > endDate {
            reader.fault("start_date", .contradiction, "The start \(startDate) is after the end \(endDate).")
        }
        periodsPerYear = reader.double("periods_per_year", in: Interval(lower: 0, upper: 1e7, lowerOpen: true))
        calendar = reader.choice("calendar", of: TradingCalendar.self)
        missing = reader.choice("missing", of: MissingPolicy.self) ?? .drop
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
        riskMeasure = reader.choice("risk_measure", of: RiskMeasureCode.self) ?? implied ?? .mv
        objective = reader.choice("objective", of: ObjectiveName.self) ?? .sharpe
        if model != .classic {
            reader.fault(
                "model", .other("not_supported_yet"), "\(model.rawValue) is not supported yet; supported: Classic.")
        }
        if riskMeasure != .mv {
            let detail = "Optimising \(riskMeasure.rawValue) is not supported yet; supported: MV. "
            let name = reader.has("risk_measure") ? "risk_measure" : "model"
            reader.fault(
                name, .other("not_supported_yet"), detail + "The answer's risk lists it for the weights found.")
        }
        if let kelly = reader.choice("kelly", of: KellyMode.self), kelly != .none {
            reader.fault(
                "kelly", .other("not_supported_yet"), "kelly \(kelly.rawValue) is not supported yet; supported: none.")
        }
        convention = reader.choice("convention", of: Convention.self) ?? .riskfolio
        if convention != .riskfolio {
            let detail = "The convention \(convention.rawValue) is not supported yet; supported: riskfolio."
            reader.fault("convention", .other("not_supported_yet"), detail)
        }
    }

    private mutating func readParameters(_ reader: MemberReader) {
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
    }

    private func readEstimators(_ reader: MemberReader) {
        func read<Method: RawRepresentable & CaseIterable>(
            _ name: String, _ methods: Method.Type, supported: Method, parameters: [String]
        ) where Method.RawValue == String, Method: Equatable {
            guard let inner = reader.object(name) else { return }
            if let method = inner.choice("method", of: methods, required: true), method != supported {
                let detail = "\(name) \(method.rawValue) is not supported yet; supported: \(supported.rawValue)."
                inner.fault("method", .other("not_supported_yet"), detail)
            } else {
                for parameter in parameters where inner.has(parameter) {
                    let detail = "\(parameter) is not supported yet, and \(supported.rawValue) has no parameters."
                    inner.fault(parameter, .other("not_supported_yet"), detail)
                }
            }
            for parameter in parameters { _ = inner.has(parameter) }
            inner.finish()
        }
        read("mean_estimator", MeanMethod.self, supported: .hist, parameters: ["target", "d"])
        read(
            "covariance_estimator", CovarianceMethod.self, supported: .hist,
            parameters: ["d", "alpha", "bandwidth", "detone", "market_components", "threshold", "target"])
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
        inner.finish()
        return Frontier(points: points, axis: axis, withWeights: withWeights)
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
