/// The member `uncertainty` of the worst-case model: what the mean and the covariance may be.
public struct UncertaintyRequest: Sendable, Equatable {
    /// Shape of a set.
    public enum Shape: String, Sendable, CaseIterable {
        case box, ellipsoid, none
    }

    /// Where its size comes from: a share of the estimate, the normal distribution, or three bootstraps.
    public enum Method: String, Sendable, CaseIterable {
        case delta, normal, stationary, circular, moving
    }

    /// Radius of an ellipsoid: the chi-square quantile's root, the distribution-free bound sqrt((1-q)/q), or a number.
    public enum Radius: Sendable, Equatable {
        case normal, general
        case value(Double)
    }

    /// The set of one estimate.
    public struct Set: Sendable, Equatable {
        public var shape = Shape.box
        public var method = Method.stationary
        /// Half-width of a `delta` box, as a share of the estimate's absolute value.
        public var delta = 0.1
        /// Significance: the set holds the truth with probability 1 - q.
        public var q = 0.05
        public var radius = Radius.normal
        /// Bootstrap samples, length of their blocks, and seed.
        public var samples = 3000
        public var window = 3
        public var seed = 0
        /// Whether an ellipsoid's shape keeps only its diagonal.
        public var isDiagonal = true

        /// A box by stationary bootstrap, Riskfolio-Lib's default.
        public init(shape: Shape = .box, method: Method = .stationary) {
            self.shape = shape
            self.method = method
        }
    }

    public var mean = Set()
    public var covariance = Set()
    /// Radius of the Wasserstein ball of distributionally robust CVaR.
    public var wassersteinRadius: Double?

    /// Boxes for both.
    public init() {}
}

extension UncertaintyRequest {
    static func read(_ outer: MemberReader) -> UncertaintyRequest? {
        guard let reader = outer.object("uncertainty") else { return nil }
        defer { reader.finish() }
        var read = UncertaintyRequest()
        if let inner = reader.object("mean") { read.mean = Set.read(inner) }
        if let inner = reader.object("covariance") { read.covariance = Set.read(inner) }
        read.wassersteinRadius = reader.double("wasserstein_radius", in: .nonnegative)
        return read
    }

    var json: JSONValue {
        var object = JSONObject([("mean", mean.json), ("covariance", covariance.json)])
        if let wassersteinRadius { object["wasserstein_radius"] = JSONValue(wassersteinRadius) }
        return .object(object)
    }
}

extension UncertaintyRequest.Set {
    static func read(_ reader: MemberReader) -> Self {
        var read = Self()
        read.shape = reader.choice("set", of: UncertaintyRequest.Shape.self) ?? read.shape
        read.method = reader.choice("method", of: UncertaintyRequest.Method.self) ?? read.method
        read.delta = reader.double("delta", in: .nonnegative) ?? read.delta
        read.q = reader.double("q", in: .openUnit) ?? read.q
        read.samples = reader.int("samples", in: 10...1_000_000) ?? read.samples
        read.window = reader.int("window", in: 1...100_000) ?? read.window
        read.seed = reader.int("seed", in: 0...Int(Int32.max)) ?? read.seed
        read.isDiagonal = reader.bool("diagonal") ?? read.isDiagonal
        if let value = reader.value("k") {
            switch value.stringValue {
            case "normal"?: read.radius = .normal
            case "general"?: read.radius = .general
            case let text?:
                reader.fault("k", .unknownValue, MemberReader.unknownValue(text, known: ["normal", "general"]))
            case nil: if let number = reader.double("k", in: .nonnegative) { read.radius = .value(number) }
            }
        }
        if read.shape == .ellipsoid, read.method == .delta {
            reader.fault(
                "method", .contradiction, "delta makes boxes; an ellipsoid is normal, stationary, circular or moving.")
        }
        reader.finish()
        return read
    }

    var json: JSONValue {
        var object = JSONObject([("set", .string(shape.rawValue))])
        guard shape != .none else { return .object(object) }
        object["method"] = .string(method.rawValue)
        if method == .delta { object["delta"] = JSONValue(delta) }
        object["q"] = JSONValue(q)
        switch radius {
        case .normal: break
        case .general: object["k"] = "general"
        case .value(let number): object["k"] = JSONValue(number)
        }
        if method != .delta {
            object["samples"] = JSONValue(samples)
            object["window"] = JSONValue(window)
            object["seed"] = JSONValue(seed)
        }
        object["diagonal"] = .bool(isDiagonal)
        return .object(object)
    }
}
