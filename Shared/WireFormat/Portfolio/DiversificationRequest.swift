/// The member `near_optimal` of the model NearOptimal.
public struct NearOptimalRequest: Sendable, Equatable {
    /// What may be given up of the optimum, as a share of it.
    public var tolerance = 0.05

    public init(tolerance: Double = 0.05) { self.tolerance = tolerance }
}

/// The member `resampling` of the model Resampled: how samples are drawn, and what bands are told of their weights.
public struct ResamplingRequest: Sendable, Equatable {
    /// Periods with replacement, or assets without.
    public enum Method: String, Sendable, CaseIterable {
        case bootstrap, subset
    }

    public var method = Method.bootstrap
    public var samples = 100
    /// Assets of a subset; nil is the root of their number, rounded up.
    public var size: Int?
    /// Mean length of the bootstrap's blocks; one draws single periods.
    public var window = 1
    public var seed = 0
    /// The bands hold this share of the samples' weights.
    public var coverage = 0.9

    /// A bootstrap of a hundred samples.
    public init() {}

    /// Most samples of one request.
    public static let mostSamples = 2000
}

extension NearOptimalRequest {
    static func read(_ outer: MemberReader) -> NearOptimalRequest? {
        guard let reader = outer.object("near_optimal") else { return nil }
        defer { reader.finish() }
        return NearOptimalRequest(
            tolerance: reader.double("tolerance", in: Interval(lower: 0, upper: 1, upperOpen: true)) ?? 0.05)
    }

    var json: JSONValue { ["tolerance": JSONValue(tolerance)] }
}

extension ResamplingRequest {
    static func read(_ outer: MemberReader, assets: Int) -> ResamplingRequest? {
        guard let reader = outer.object("resampling") else { return nil }
        defer { reader.finish() }
        var read = ResamplingRequest()
        read.method = reader.choice("method", of: Method.self) ?? read.method
        read.samples = reader.int("samples", in: 2...mostSamples) ?? read.samples
        read.size = reader.int("size", in: 1...max(assets, 1))
        read.window = reader.int("window", in: 1...100_000) ?? read.window
        read.seed = reader.int("seed", in: 0...Int(Int32.max)) ?? read.seed
        read.coverage = reader.double("coverage", in: .openUnit) ?? read.coverage
        let others = read.method == .bootstrap ? ["size"] : ["window"]
        for name in others where reader.has(name) {
            reader.fault(name, .contradiction, "\(read.method.rawValue) does not read \(name).")
        }
        return read
    }

    var json: JSONValue {
        var object = JSONObject([
            ("method", .string(method.rawValue)), ("samples", JSONValue(samples)), ("seed", JSONValue(seed)),
            ("coverage", JSONValue(coverage)),
        ])
        if method == .bootstrap { object["window"] = JSONValue(window) }
        if let size { object["size"] = JSONValue(size) }
        return .object(object)
    }
}
