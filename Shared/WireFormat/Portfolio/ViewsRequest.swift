/// The member `views`: what the caller believes, for Black-Litterman, its factor forms and entropy pooling.
public struct ViewsRequest: Sendable, Equatable {
    /// What a view speaks of.
    public enum Statistic: String, Sendable, CaseIterable {
        case mean, std, variance, skew, kurtosis, correlation
        case valueAtRisk = "VaR"
        case conditionalValueAtRisk = "CVaR"
    }

    /// Whether the statistic equals the level or is bounded by it.
    public enum Sense: String, Sendable, CaseIterable {
        case equal = "=="
        case atLeast = ">="
        case atMost = "<="
    }

    /// How factor views enter: as Bayesian views of the factors, or stacked with those of assets.
    public enum Flavor: String, Sendable, CaseIterable {
        case bayesian = "BLB"
        case augmented = "ABL"
    }

    /// How several experts' probabilities become one.
    public enum Pooling: String, Sendable, CaseIterable {
        case linear
        case logarithmic = "log"
    }

    /// `statistic(sum of weights x returns) sense level`.
    public struct View: Sendable, Equatable {
        public var statistic = Statistic.mean
        /// Names of assets, groups or factors. A correlation has exactly two names.
        public var weights: [ConstraintRequest.AssetValue]
        public var sense = Sense.equal
        /// Per period; a mean in excess of the risk-free rate for Black-Litterman.
        public var level: Double
        /// Tail probability of VaR and CVaR; nil is the request's alpha.
        public var alpha: Double?
        /// Idzorek's confidence, 0 to 1; nil is Omega = P tau S P'.
        public var confidence: Double?

        public init(weights: [ConstraintRequest.AssetValue], level: Double) {
            self.weights = weights
            self.level = level
        }
    }

    /// One expert's views and how much they count.
    public struct Opinion: Sendable, Equatable {
        public var items: [View]
        /// 0 to 1; what all opinions leave over belongs to the prior.
        public var probability: Double

        public init(items: [View], probability: Double) {
            self.items = items
            self.probability = probability
        }
    }

    public var items: [View] = []
    /// Whether the prior mean is the market's equilibrium; else the estimator's, less the rate.
    public var isEquilibrium = true
    /// The market portfolio; empty is equal weights.
    public var priorWeights: [ConstraintRequest.AssetValue] = []
    /// Annual, of the prior.
    public var riskFreeRate = 0.0
    /// Nil is 1/T.
    public var tau: Double?
    /// delta; nil is the prior portfolio's reward per variance.
    public var riskAversion: Double?
    public var flavor = Flavor.bayesian
    public var opinions: [Opinion] = []
    public var pooling = Pooling.linear

    /// No views.
    public init() {}
}

extension ViewsRequest {
    static let mostItems = 1000

    /// Reads the member; `names` are the assets, groups and factors that views may speak of.
    static func read(_ outer: MemberReader, assets: [String], names: [String]) -> ViewsRequest? {
        guard let reader = outer.object("views") else { return nil }
        defer { reader.finish() }
        var read = ViewsRequest()
        read.items = views("items", reader, names)
        read.isEquilibrium = reader.bool("equilibrium") ?? true
        read.priorWeights = reader.weights("prior_weights", among: assets) ?? []
        read.riskFreeRate = reader.double("risk_free_rate", in: Interval(lower: -1000, upper: 1000)) ?? 0
        read.tau = reader.double("tau", in: .positive)
        read.riskAversion = reader.double("risk_aversion", in: .positive)
        read.flavor = reader.choice("flavor", of: Flavor.self) ?? .bayesian
        read.pooling = reader.choice("pooling", of: Pooling.self) ?? .linear
        for (place, value) in reader.elements("opinions", count: 0...100) ?? [] {
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            let items = views("items", inner, names)
            let probability = inner.double("probability", required: true, in: .unit)
            inner.finish()
            read.opinions.append(Opinion(items: items, probability: probability ?? 0))
        }
        let total = read.opinions.reduce(0) { $0 + $1.probability }
        if total > 1 + 1e-12 {
            let place = reader.pointer.appending("opinions")
            let detail = "The probabilities add up to \(total), above one."
            reader.faults.record(Violation(place, .contradiction, detail, limit: 1, value: total))
        }
        if read.items.isEmpty, read.opinions.isEmpty, reader.isValid {
            reader.fault("items", .missing, "There is no view in items nor in opinions.")
        }
        if !read.items.isEmpty, !read.opinions.isEmpty {
            reader.fault("opinions", .contradiction, "Views come in items or in opinions, not in both.")
        }
        return read
    }

    private static func views(_ name: String, _ reader: MemberReader, _ names: [String]) -> [View] {
        var read: [View] = []
        for (place, value) in reader.elements(name, count: 0...mostItems) ?? [] {
            if let text = value.stringValue {
                do {
                    read += try ViewExpression.parse(text, names: names)
                } catch {
                    reader.faults.record(Violation(place, .badFormat, error.description))
                }
                continue
            }
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            if let view = view(inner, names) { read.append(view) }
            inner.finish()
        }
        return read
    }

    private static func view(_ reader: MemberReader, _ names: [String]) -> View? {
        let statistic = reader.choice("statistic", of: Statistic.self) ?? .mean
        let weights = reader.numbers("weights", required: true, in: Interval(lower: -1000, upper: 1000)) ?? []
        reader.checkKnown(
            weights.map { $0.key }, among: names, at: reader.pointer.appending("weights"),
            "is neither an asset nor a group nor a factor of this request")
        let sense = reader.choice("sense", of: Sense.self) ?? .equal
        let alpha = reader.double("alpha", in: .openUnit)
        let confidence = reader.double("confidence", in: .unit)
        let range: Interval =
            switch statistic {
            case .std, .variance, .kurtosis: .nonnegative
            case .correlation: Interval(lower: -1, upper: 1)
            default: .all
            }
        // "return" is the specification's word for the level of a mean; "value" serves for every statistic.
        let member = statistic == .mean && !reader.has("value") ? "return" : "value"
        let level = reader.double(member, required: true, in: range)
        if member == "value", reader.has("return") {
            reader.fault("return", .contradiction, "A view has one level: return for a mean, value for the others.")
        }
        if statistic == .correlation, weights.count != 2 {
            reader.fault("weights", .contradiction, "A correlation is between exactly two names.")
        } else if weights.allSatisfy({ $0.value == 0 }), reader.has("weights") {
            reader.fault("weights", .outOfRange, "A view needs a weight that is not zero.")
        }
        if alpha != nil, statistic != .valueAtRisk, statistic != .conditionalValueAtRisk {
            reader.fault("alpha", .contradiction, "Only VaR and CVaR have a tail probability.")
        }
        guard let level else { return nil }
        var read = View(weights: weights.map { .init($0.key, $0.value) }, level: level)
        (read.statistic, read.sense, read.alpha, read.confidence) = (statistic, sense, alpha, confidence)
        return read
    }

    var json: JSONValue {
        var object = JSONObject()
        if !items.isEmpty { object["items"] = .array(items.map { $0.json }) }
        if !isEquilibrium { object["equilibrium"] = false }
        if !priorWeights.isEmpty { object["prior_weights"] = priorWeights.json }
        if riskFreeRate != 0 { object["risk_free_rate"] = JSONValue(riskFreeRate) }
        if let tau { object["tau"] = JSONValue(tau) }
        if let riskAversion { object["risk_aversion"] = JSONValue(riskAversion) }
        if flavor != .bayesian { object["flavor"] = .string(flavor.rawValue) }
        if pooling != .linear { object["pooling"] = .string(pooling.rawValue) }
        if !opinions.isEmpty {
            object["opinions"] = .array(
                opinions.map {
                    ["items": .array($0.items.map { $0.json }), "probability": JSONValue($0.probability)]
                })
        }
        return .object(object)
    }
}

extension ViewsRequest.View {
    var json: JSONValue {
        var object = JSONObject()
        if statistic != .mean { object["statistic"] = .string(statistic.rawValue) }
        object["weights"] = weights.json
        if sense != .equal { object["sense"] = .string(sense.rawValue) }
        object[statistic == .mean ? "return" : "value"] = JSONValue(level)
        if let alpha { object["alpha"] = JSONValue(alpha) }
        if let confidence { object["confidence"] = JSONValue(confidence) }
        return .object(object)
    }
}
