/// The body of `POST /api/portfolio/metrics`, decoded and checked: weights to be looked at, and the data to look at them with.
public struct MetricsRequest: Sendable, Equatable {
    /// Assets, panel, window, parameters of measures, rate and convention: the members that `optimize` has too.
    public var data: OptimizeRequest
    /// In the order of the assets; those that the caller did not name are zero.
    public var weights: [Double]
    /// What to evaluate; nil is every measure of the convention.
    public var measures: [RiskMeasureCode]?
    /// Weights to compare with, in the order of the assets.
    public var benchmark: [Double]?
    /// A series to compare with.
    public var benchmarkReturns: ConstraintRequest.BenchmarkReturns?
    public var factors: FactorRequest?
    /// Classes of the Brinson attribution.
    public var groups: [ConstraintRequest.Group] = []
    /// Most rows of the table of drawdowns.
    public var drawdowns = 10

    /// Most rows of the table of drawdowns that may be asked for.
    public static let mostDrawdowns = 1000

    /// Weights of the data's assets, in their order.
    public init(data: OptimizeRequest, weights: [Double]) {
        self.data = data
        self.weights = weights
    }

    /// The request that loads the panels: of the assets, and of stored factors.
    public var loading: OptimizeRequest {
        var loading = data
        loading.factors = factors
        return loading
    }
}

extension MetricsRequest {
    /// Decodes the body of a request.
    /// - Throws: a 422 of class `request` that names every fault by pointer.
    public init(json: JSONValue) throws(Problem) {
        let reader = MemberReader(json)
        if let problem = Problem(violations: reader.faults.violations) { throw problem }
        data = OptimizeRequest(assets: [])
        data.readPanel(reader)
        let given = reader.numbers("weights", required: true, in: Interval(lower: -1000, upper: 1000)) ?? []
        let isInline = reader.has("returns") || reader.has("prices")
        if isInline || reader.has("assets") {
            data.readAssets(reader)
        } else {
            data.assets = given.map { $0.key }
            let place = reader.pointer.appending("weights")
            for asset in data.assets { AssetSymbol.check(asset, at: place.appending(asset), reader.faults) }
        }
        weights = []
        if given.isEmpty, reader.object["weights"]?.objectValue?.isEmpty == true {
            reader.fault("weights", .outOfRange, "At least one asset needs a weight.")
        }
        if data.assets.count > OptimizeRequest.mostAssets {
            reader.fault("weights", .outOfRange, "More than \(OptimizeRequest.mostAssets) assets.")
        }
        data.readWindow(reader)
        data.readParameters(reader)
        data.convention = reader.choice("convention", of: Convention.self) ?? .riskfolio
        reader.checkKnown(
            given.map { $0.key }, among: data.assets, at: reader.pointer.appending("weights"),
            "is not among the assets")
        weights = Self.ordered(given.map { ($0.key, $0.value) }, data.assets)
        measures = Self.measures(reader, data.convention)
        readComparison(reader)
        factors = FactorRequest.read(reader, assets: data.assets)
        if factors?.names.contains("residual") == true {
            reader.fault("factors", .contradiction, "residual is what no factor explains: name the factor otherwise.")
        }
        drawdowns = reader.int("drawdowns", in: 0...Self.mostDrawdowns) ?? 10
        try reader.finishAndThrow()
    }

    private static func ordered(_ given: [(String, Double)], _ assets: [String]) -> [Double] {
        let byName = Dictionary(given, uniquingKeysWith: { $1 })
        return assets.map { byName[$0] ?? 0 }
    }

    private static func measures(_ reader: MemberReader, _ convention: Convention) -> [RiskMeasureCode]? {
        guard let names = reader.strings("measures", count: 1...RiskMeasureCode.allCases.count) else { return nil }
        var read: [RiskMeasureCode] = []
        for (index, name) in names.enumerated() {
            let place = reader.pointer.appending("measures").appending(index)
            guard let code = RiskMeasureCode(rawValue: name) else {
                let known = RiskMeasureCode.allCases.map { $0.rawValue }
                let detail = MemberReader.unknownValue(name, known: known)
                reader.faults.record(Violation(place, .unknownValue, detail))
                continue
            }
            if read.contains(code) {
                reader.faults.record(Violation(place, .duplicate, "\(name) occurs twice."))
            }
            read.append(code)
        }
        return read
    }

    private mutating func readComparison(_ reader: MemberReader) {
        if let given = reader.weights("benchmark", among: data.assets) {
            benchmark = Self.ordered(given.map { ($0.asset, $0.value) }, data.assets)
        }
        benchmarkReturns = ConstraintRequest.benchmarkReturns(reader)
        if reader.has("benchmark"), reader.has("benchmark_returns") {
            reader.fault("benchmark_returns", .contradiction, "A benchmark is weights or a series, not both.")
        }
        guard let inner = reader.object("groups") else { return }
        if !reader.has("benchmark") {
            reader.fault("benchmark", .missing, "An attribution by groups needs the benchmark's weights.")
        }
        var owner: [String: String] = [:]
        for member in inner.object.members {
            if member.key.isEmpty || member.key.utf8.count > 256 {
                inner.fault(member.key, .badFormat, "A group's name has 1 to 256 bytes.")
            }
            guard let names = inner.strings(member.key, required: true) else { continue }
            for (index, name) in names.enumerated() {
                let place = inner.pointer.appending(member.key).appending(index)
                if let first = owner.updateValue(member.key, forKey: name) {
                    let detail =
                        "\"\(Problem.echo(name))\" is in \"\(Problem.echo(first))\" already: classes share no asset."
                    inner.faults.record(Violation(place, .duplicate, detail))
                }
            }
            groups.append(ConstraintRequest.Group(member.key, names))
        }
        if inner.object.isEmpty { reader.fault("groups", .outOfRange, "There is no group.") }
    }
}
