import RealModule

/// The member `owa_weights`: the numbers themselves, or a builder that makes them.
public enum OWAWeightsRequest: Sendable, Equatable {
    /// T numbers: risk = sum of weights[i] x (i-th smallest return).
    case given([Double])
    case builder(OWABuilder)
}

/// Riskfolio-Lib's builders of ordered-weighted-average vectors, by name; alpha, beta, a_sim and b_sim are the request's.
public struct OWABuilder: Sendable, Equatable {
    /// Which vector.
    public enum Method: String, Sendable, CaseIterable {
        case gmd, cvar, wcvar, tg, wr, rg, cvrg, wcvrg, tgrg
        case linearMoment = "l_moment"
        case linearMomentMeasure = "l_moment_crm"
    }

    /// How l_moment_crm weighs the L-moments.
    public enum Weighting: String, Sendable, CaseIterable {
        case crra = "CRRA"
        case maximumEntropy = "ME"
        case sumOfSquares = "MSS"
        case squaredDifferences = "MSD"
    }

    public var method: Method
    /// Order of the L-moment (2), or highest order of l_moment_crm (4).
    public var order: Int?
    public var weighting = Weighting.squaredDifferences
    /// Risk aversion of CRRA, in (0, 1).
    public var gamma = 0.5
    /// Largest weight of one L-moment, in (0, 1).
    public var mostPhi = 0.5
    /// Levels and weights of wcvar and wcvrg on the loss side.
    public var alphas: [Double] = []
    public var weights: [Double] = []
    /// Levels and weights of wcvrg on the gain side.
    public var betas: [Double] = []
    public var gainWeights: [Double] = []

    /// A builder with Riskfolio-Lib's parameters.
    public init(_ method: Method) { self.method = method }
}

/// The member `scenario_weights`: how much each period counts.
public enum ScenarioWeightsRequest: Sendable, Equatable {
    /// T non-negative numbers, oldest first; they need not add up to one.
    case given([Double])
    /// 0.5^(age / halfLife), the newest period having age zero.
    case halfLife(Double)

    /// T probabilities that add up to one; nil where the number of weights is another.
    public func probabilities(observations: Int) -> [Double]? {
        let raw: [Double]
        switch self {
        case .given(let weights): raw = weights
        case .halfLife(let life):
            raw = (0..<observations).map { Double.pow(0.5, Double(observations - 1 - $0) / life) }
        }
        // Divided by the largest first: sums of tiny or huge weights neither vanish nor overflow.
        guard raw.count == observations, let largest = raw.max(), largest > 0 else { return nil }
        let scaled = raw.map { $0 / largest }
        let total = scaled.reduce(0, +)
        return scaled.map { $0 / total }
    }
}

extension OWAWeightsRequest {
    static func read(_ outer: MemberReader) -> OWAWeightsRequest? {
        guard let value = outer.value("owa_weights") else { return nil }
        if value.arrayValue != nil {
            guard let numbers = outer.doubles("owa_weights") else { return nil }
            if !numbers.contains(where: { $0 != 0 }) {
                outer.fault("owa_weights", .outOfRange, "All weights are zero: there is no risk to speak of.")
            }
            return .given(numbers)
        }
        guard value.objectValue != nil else {
            let detail = "Expected an array of numbers or an object with a method, found \(value.kindInWords)."
            outer.fault("owa_weights", .wrongType, detail)
            return nil
        }
        guard let reader = outer.object("owa_weights") else { return nil }
        defer { reader.finish() }
        guard let method = reader.choice("method", of: OWABuilder.Method.self, required: true) else {
            for name in OWABuilder.members { _ = reader.has(name) }
            return nil
        }
        var read = OWABuilder(method)
        read.order = reader.int("k", in: 2...50)
        read.weighting = reader.choice("weighting", of: OWABuilder.Weighting.self) ?? read.weighting
        read.gamma = reader.double("gamma", in: .openUnit) ?? read.gamma
        read.mostPhi = reader.double("max_phi", in: .openUnit) ?? read.mostPhi
        read.alphas = reader.doubles("alphas", in: .openUnit) ?? []
        read.weights = reader.doubles("weights", in: .nonnegative) ?? []
        read.betas = reader.doubles("betas", in: .openUnit) ?? []
        read.gainWeights = reader.doubles("gain_weights", in: .nonnegative) ?? []
        reader.refuseOthers(
            than: Set(OWABuilder.parameters[method] ?? []), of: method.rawValue, among: OWABuilder.members)
        for (levels, weights, name, other) in [
            (read.alphas, read.weights, "alphas", "weights"), (read.betas, read.gainWeights, "betas", "gain_weights"),
        ] where OWABuilder.parameters[method]?.contains(name) == true {
            if levels.isEmpty, !reader.has(name) {
                reader.fault(name, .missing, "\(method.rawValue) needs \(name) and \(other).")
            } else if levels.count != weights.count {
                reader.fault(
                    other, .other("length_mismatch"), "\(weights.count) weights for \(levels.count) levels.")
            } else if weights.reduce(0, +) <= 0, !levels.isEmpty {
                reader.fault(other, .outOfRange, "The weights add up to zero.")
            }
        }
        return .builder(read)
    }

    var json: JSONValue {
        switch self {
        case .given(let numbers): return JSONValue(numbers)
        case .builder(let builder):
            var object = JSONObject([("method", .string(builder.method.rawValue))])
            if let order = builder.order { object["k"] = JSONValue(order) }
            if builder.method == .linearMomentMeasure {
                object["weighting"] = .string(builder.weighting.rawValue)
                object["gamma"] = JSONValue(builder.gamma)
                object["max_phi"] = JSONValue(builder.mostPhi)
            }
            for (name, list) in [
                ("alphas", builder.alphas), ("weights", builder.weights), ("betas", builder.betas),
                ("gain_weights", builder.gainWeights),
            ] where !list.isEmpty {
                object[name] = JSONValue(list)
            }
            return .object(object)
        }
    }
}

extension OWABuilder {
    static let members = ["k", "weighting", "gamma", "max_phi", "alphas", "weights", "betas", "gain_weights"]
    static let parameters: [Method: [String]] = [
        .wcvar: ["alphas", "weights"], .wcvrg: ["alphas", "weights", "betas", "gain_weights"],
        .linearMoment: ["k"], .linearMomentMeasure: ["k", "weighting", "gamma", "max_phi"],
    ]
}

extension ScenarioWeightsRequest {
    static func read(_ outer: MemberReader) -> ScenarioWeightsRequest? {
        guard let value = outer.value("scenario_weights") else { return nil }
        if value.arrayValue != nil {
            guard let numbers = outer.doubles("scenario_weights", in: .nonnegative) else { return nil }
            if !numbers.contains(where: { $0 > 0 }) {
                outer.fault("scenario_weights", .outOfRange, "All weights are zero: no period counts.")
            }
            return .given(numbers)
        }
        guard value.objectValue != nil else {
            let detail = "Expected an array of numbers or an object with half_life, found \(value.kindInWords)."
            outer.fault("scenario_weights", .wrongType, detail)
            return nil
        }
        guard let reader = outer.object("scenario_weights") else { return nil }
        defer { reader.finish() }
        return reader.double("half_life", required: true, in: .positive).map { .halfLife($0) }
    }

    var json: JSONValue {
        switch self {
        case .given(let numbers): JSONValue(numbers)
        case .halfLife(let life): ["half_life": JSONValue(life)]
        }
    }
}
