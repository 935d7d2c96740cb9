/// The member `factors`: the factors' figures or loadings, and how loadings are estimated.
public struct FactorRequest: Sendable, Equatable {
    /// How each asset's factors are chosen: all of them, stepwise regression, or principal components regression.
    public enum Selection: String, Sendable, CaseIterable {
        case none, stepwise
        case principalComponents = "PCR"
    }

    /// The way of stepwise regression.
    public enum Direction: String, Sendable, CaseIterable {
        case forward = "Forward"
        case backward = "Backward"
    }

    /// What a step is judged by.
    public enum Criterion: String, Sendable, CaseIterable {
        case pvalue
        case akaike = "AIC"
        case schwarz = "SIC"
        case determination = "R2"
        case adjustedDetermination = "R2_A"
    }

    /// Whose scenarios risk measures read: the assets' own, or the model's.
    public enum Scenarios: String, Sendable, CaseIterable {
        case historical, model
    }

    /// Figures of the factors that came with the request.
    public var panel: InlinePanel?
    /// Stored symbols that serve as factors.
    public var symbols: [String] = []
    /// Loadings by asset, where they are given rather than estimated.
    public var loadings: [(asset: String, factors: [ConstraintRequest.AssetValue])] = []
    public var selection = Selection.stepwise
    public var direction = Direction.forward
    public var criterion = Criterion.pvalue
    public var threshold = 0.05
    /// Principal components: a whole number of them, or below one the share of the variance to keep.
    public var components = 0.95
    /// Whether regressions have a constant.
    public var hasConstant = true
    /// Whether the covariance has the residuals' variances on its diagonal.
    public var hasResiduals = true
    public var scenarios = Scenarios.historical

    /// Riskfolio-Lib's defaults.
    public init() {}

    /// The factors' names, in order.
    public var names: [String] {
        if let panel { return panel.assets }
        if !symbols.isEmpty { return symbols }
        var seen: Set<String> = []
        return loadings.flatMap { $0.factors }.map { $0.asset }.filter { seen.insert($0).inserted }
    }

    public static func == (a: FactorRequest, b: FactorRequest) -> Bool { a.json == b.json }
}

extension FactorRequest {
    static func read(_ outer: MemberReader, assets: [String]) -> FactorRequest? {
        guard let reader = outer.object("factors") else { return nil }
        defer { reader.finish() }
        var read = FactorRequest()
        let returns = InlinePanel.read(.returns, from: reader)
        let prices = InlinePanel.read(.prices, from: reader)
        read.panel = returns ?? prices
        for (index, name) in (reader.strings("assets", count: 1...500) ?? []).enumerated() {
            AssetSymbol.check(name, at: reader.pointer.appending("assets").appending(index), reader.faults)
            if read.symbols.contains(name) {
                let place = reader.pointer.appending("assets").appending(index)
                reader.faults.record(Violation(place, .duplicate, "\"\(Problem.echo(name))\" occurs twice."))
            }
            read.symbols.append(name)
        }
        let sources = ["returns", "prices", "assets"].filter { reader.has($0) }
        if sources.count > 1 {
            reader.fault(sources[1], .contradiction, "Factors come from returns, prices or assets: one of them.")
        }
        read.readLoadings(reader, assets)
        if sources.isEmpty, !reader.has("loadings") {
            reader.fault("returns", .missing, "Factors need returns, prices, assets or loadings.")
        }
        read.readEstimation(reader)
        return read
    }

    private mutating func readLoadings(_ reader: MemberReader, _ assets: [String]) {
        guard let inner = reader.object("loadings") else { return }
        let known = names
        inner.checkKnown(inner.object.keys, among: assets, at: inner.pointer, "is not among the assets")
        for member in inner.object.members {
            guard let row = inner.numbers(member.key, required: true) else { continue }
            inner.checkKnown(
                row.map { $0.key }, among: known, at: inner.pointer.appending(member.key), "is not among the factors")
            loadings.append((member.key, row.map { .init($0.key, $0.value) }))
        }
        for asset in assets where inner.object[asset] == nil {
            inner.fault(asset, .missing, "\(Problem.echo(asset)) has no loadings.")
        }
    }

    private mutating func readEstimation(_ reader: MemberReader) {
        selection = reader.choice("feature_selection", of: Selection.self) ?? selection
        direction = reader.choice("stepwise", of: Direction.self) ?? direction
        criterion = reader.choice("criterion", of: Criterion.self) ?? criterion
        threshold = reader.double("threshold", in: .unit) ?? threshold
        components = reader.double("n_components", in: .positive) ?? components
        hasConstant = reader.bool("const") ?? hasConstant
        hasResiduals = reader.bool("error") ?? hasResiduals
        scenarios = reader.choice("scenarios", of: Scenarios.self) ?? scenarios
        if selection != .stepwise {
            for name in ["stepwise", "criterion", "threshold"] where reader.has(name) {
                reader.fault(name, .contradiction, "\(name) belongs to the feature selection stepwise.")
            }
        }
        if selection != .principalComponents, reader.has("n_components") {
            reader.fault("n_components", .contradiction, "n_components belongs to the feature selection PCR.")
        }
        if components > 1, components != components.rounded() {
            let detail = "\(components) is neither a share of the variance nor a whole number of components."
            reader.fault("n_components", .outOfRange, detail)
        }
    }

    var json: JSONValue {
        var object = JSONObject()
        if let panel { object[panel.kind.rawValue] = panel.json }
        if !symbols.isEmpty { object["assets"] = JSONValue(symbols) }
        if !loadings.isEmpty {
            object["loadings"] = .object(
                JSONObject(loadings.sorted { $0.asset < $1.asset }.map { ($0.asset, $0.factors.json) }))
        }
        if selection != .stepwise { object["feature_selection"] = .string(selection.rawValue) }
        if selection == .stepwise {
            if direction != .forward { object["stepwise"] = .string(direction.rawValue) }
            if criterion != .pvalue { object["criterion"] = .string(criterion.rawValue) }
            if threshold != 0.05 { object["threshold"] = JSONValue(threshold) }
        }
        if selection == .principalComponents { object["n_components"] = JSONValue(components) }
        if !hasConstant { object["const"] = false }
        if !hasResiduals { object["error"] = false }
        if scenarios != .historical { object["scenarios"] = .string(scenarios.rawValue) }
        return .object(object)
    }
}
