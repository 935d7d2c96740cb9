/// The member `mean_estimator`: `{"method":"ewma1","d":0.94}`.
public struct MeanEstimatorRequest: Sendable, Equatable {
    public var method: MeanMethod
    /// What JS, BS and BOP shrink towards.
    public var target = MeanTarget.grandMean
    /// Decay of ewma1 and ewma2, in (0, 1).
    public var decay = 0.94
    /// Means per period by asset, of `custom`.
    public var values: [ConstraintRequest.AssetValue] = []
    /// The market portfolio of CAPM and equilibrium; empty is equal weights.
    public var marketWeights: [ConstraintRequest.AssetValue] = []
    /// delta of equilibrium: mu = delta Sigma w; nil is the market portfolio's own reward per variance.
    public var riskAversion: Double?

    /// An estimator with Riskfolio-Lib's parameters.
    public init(_ method: MeanMethod = .hist) { self.method = method }
}

/// The member `covariance_estimator`: `{"method":"ledoit"}`.
public struct CovarianceEstimatorRequest: Sendable, Equatable {
    public var method: CovarianceMethod
    /// Decay of ewma1 and ewma2, in (0, 1).
    public var decay = 0.94
    /// Intensity of shrunk (0.1 in Riskfolio-Lib), and of shrink (the kept part of the noise's correlations).
    public var alpha = 0.1
    /// Of the kernel density that separates signal from noise.
    public var bandwidth = 0.01
    /// Whether the market's components are taken out after denoising.
    public var detone = false
    public var marketComponents = 1
    /// Of the Gerber statistic, in standard deviations.
    public var threshold = 0.5
    /// Of ledoit.
    public var target = ShrinkageTarget.identity
    /// How a result that is not positive semidefinite is mended.
    public var repair = PSDRepair.clip
    /// Of `custom`: names of the rows, and the rows.
    public var matrix: NamedMatrix?

    /// An estimator with Riskfolio-Lib's parameters.
    public init(_ method: CovarianceMethod = .hist) { self.method = method }
}

/// A square matrix with the names of its rows: `{"assets":["A","B"],"values":[[0.04,0.01],[0.01,0.09]]}`.
public struct NamedMatrix: Sendable, Equatable {
    public var assets: [String]
    public var values: [[Double]]

    public init(assets: [String], values: [[Double]]) {
        self.assets = assets
        self.values = values
    }

    /// Reads a symmetric matrix whose rows are exactly `assets`, in any order.
    static func read(_ name: String, _ reader: MemberReader, assets: [String]) -> NamedMatrix? {
        guard let inner = reader.object(name, required: true) else { return nil }
        defer { inner.finish() }
        let names = inner.strings("assets") ?? assets
        var rows: [[Double]] = []
        for (place, value) in inner.elements("values", required: true) ?? [] {
            guard let row = value.arrayValue else {
                inner.faults.record(
                    Violation(place, .wrongType, "Expected an array of numbers, found \(value.kindInWords)."))
                return nil
            }
            let numbers = row.enumerated().compactMap { inner.double($0.element, at: place.appending($0.offset)) }
            guard numbers.count == row.count else { return nil }
            rows.append(numbers)
        }
        guard inner.isValid else { return nil }
        if Set(names) != Set(assets) || names.count != assets.count {
            inner.fault("assets", .contradiction, "The rows are not those of the request's assets.")
            return nil
        }
        guard rows.count == names.count, rows.allSatisfy({ $0.count == names.count }) else {
            inner.fault("values", .other("length_mismatch"), "Expected \(names.count) rows of as many numbers.")
            return nil
        }
        for i in rows.indices {
            for j in 0..<i where abs(rows[i][j] - rows[j][i]) > 1e-12 * max(abs(rows[i][j]), abs(rows[j][i])) {
                let place = inner.pointer.appending("values").appending(i).appending(j)
                let detail =
                    "\(rows[i][j]) differs from \(rows[j][i]) across the diagonal: the matrix is not symmetric."
                inner.faults.record(
                    Violation(place, .contradiction, detail, limit: rows[j][i], value: rows[i][j]))
                return nil
            }
        }
        return NamedMatrix(assets: names, values: rows)
    }

    /// The rows and columns in the order of `assets`; nil where one is missing.
    public func ordered(by assets: [String]) -> [[Double]]? {
        let positions = Dictionary(zip(self.assets, self.assets.indices), uniquingKeysWith: { $1 })
        let order = assets.compactMap { positions[$0] }
        guard order.count == assets.count else { return nil }
        return order.map { i in order.map { values[i][$0] } }
    }

    var json: JSONValue {
        ["assets": JSONValue(assets), "values": .array(values.map { JSONValue($0) })]
    }
}

extension MeanEstimatorRequest {
    private static let parameters: [MeanMethod: Set<String>] = [
        .hist: [], .ewma1: ["d"], .ewma2: ["d"], .jamesStein: ["target"], .bayesStein: ["target"],
        .bodnarOkhrinParolya: ["target"], .capitalAssetPricing: ["weights"],
        .equilibrium: ["weights", "risk_aversion"], .custom: ["values"],
    ]

    static func read(_ outer: MemberReader, assets: [String]) -> MeanEstimatorRequest? {
        guard let reader = outer.object("mean_estimator") else { return nil }
        defer { reader.finish() }
        var read = MeanEstimatorRequest(reader.choice("method", of: MeanMethod.self, required: true) ?? .hist)
        read.target = reader.choice("target", of: MeanTarget.self) ?? read.target
        read.decay = reader.double("d", in: .openUnit) ?? read.decay
        read.marketWeights = reader.weights("weights", among: assets) ?? []
        read.riskAversion = reader.double("risk_aversion", in: .positive)
        read.values = reader.weights("values", among: assets) ?? []
        reader.refuseOthers(
            than: parameters[read.method] ?? [], of: read.method.rawValue,
            among: ["target", "d", "weights", "risk_aversion", "values"])
        if read.method == .custom { reader.requireAll(assets, in: read.values, of: "values") }
        return read
    }

    var json: JSONValue {
        var object = JSONObject([("method", .string(method.rawValue))])
        switch method {
        case .ewma1, .ewma2: object["d"] = JSONValue(decay)
        case .jamesStein, .bayesStein, .bodnarOkhrinParolya: object["target"] = .string(target.rawValue)
        default: break
        }
        if !marketWeights.isEmpty { object["weights"] = marketWeights.json }
        if let riskAversion { object["risk_aversion"] = JSONValue(riskAversion) }
        if !values.isEmpty { object["values"] = values.json }
        return .object(object)
    }
}

extension CovarianceEstimatorRequest {
    private static let denoising: Set<String> = ["bandwidth", "detone", "market_components"]
    private static let parameters: [CovarianceMethod: Set<String>] = [
        .ewma1: ["d"], .ewma2: ["d"], .ledoit: ["target"], .shrunk: ["alpha"], .fixed: denoising,
        .spectral: denoising, .shrink: denoising.union(["alpha"]), .gerber0: ["threshold"], .gerber1: ["threshold"],
        .gerber2: ["threshold"], .custom: ["values"],
    ]

    static func read(_ outer: MemberReader, assets: [String]) -> CovarianceEstimatorRequest? {
        guard let reader = outer.object("covariance_estimator") else { return nil }
        defer { reader.finish() }
        var read = CovarianceEstimatorRequest(
            reader.choice("method", of: CovarianceMethod.self, required: true) ?? .hist)
        read.decay = reader.double("d", in: .openUnit) ?? read.decay
        read.alpha = reader.double("alpha", in: .unit) ?? read.alpha
        read.bandwidth = reader.double("bandwidth", in: .positive) ?? read.bandwidth
        read.detone = reader.bool("detone") ?? read.detone
        read.marketComponents =
            reader.int("market_components", in: 1...OptimizeRequest.mostAssets) ?? read.marketComponents
        read.threshold = reader.double("threshold", in: .nonnegative) ?? read.threshold
        read.target = reader.choice("target", of: ShrinkageTarget.self) ?? read.target
        read.repair = reader.choice("repair", of: PSDRepair.self) ?? read.repair
        reader.refuseOthers(
            than: parameters[read.method] ?? [], of: read.method.rawValue,
            among: [
                "d", "alpha", "bandwidth", "detone", "market_components", "threshold", "target", "values",
            ])
        if read.method == .custom { read.matrix = NamedMatrix.read("values", reader, assets: assets) }
        return read
    }

    var json: JSONValue {
        var object = JSONObject([("method", .string(method.rawValue))])
        let used = Self.parameters[method] ?? []
        if used.contains("d") { object["d"] = JSONValue(decay) }
        if used.contains("alpha") { object["alpha"] = JSONValue(alpha) }
        if used.contains("bandwidth") {
            object["bandwidth"] = JSONValue(bandwidth)
            object["detone"] = .bool(detone)
            object["market_components"] = JSONValue(marketComponents)
        }
        if used.contains("threshold") { object["threshold"] = JSONValue(threshold) }
        if used.contains("target") { object["target"] = .string(target.rawValue) }
        if repair != .clip { object["repair"] = .string(repair.rawValue) }
        if let matrix { object["values"] = matrix.json }
        return .object(object)
    }
}
