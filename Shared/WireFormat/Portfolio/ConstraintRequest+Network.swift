/// The graph that a network of assets is filtered to.
public enum NetworkGraph: String, Sendable, CaseIterable {
    case minimumSpanningTree = "MST"
    case triangulated = "TMFG"
}

/// How central a vertex of a network is, by Riskfolio-Lib's names (the spelling of the fifth is its own).
public enum CentralityMeasure: String, Sendable, CaseIterable {
    case degree = "Degree"
    case eigenvector = "Eigenvector"
    case katz = "Katz"
    case closeness = "Closeness"
    case betweenness = "Betweeness"
    case communicability = "Communicability"
    case subgraph = "Subgraph"
    case laplacian = "Laplacian"
}

/// The likeness that a network is made of, with the parameters of those that have one.
public struct NetworkCodependence: Sendable, Equatable {
    public var measure = CentralityRequest.Codependence.pearson
    /// Tail probability of `tail`.
    public var tailAlpha = 0.05
    /// Of the Gerber statistics, in standard deviations.
    public var threshold = 0.5
    /// Of mutual information.
    public var bins = ClusteringRequest.Bins.rule(.knuth)

    /// Pearson's correlation.
    public init() {}

    /// The members `codependence`, `alpha_tail`, `threshold` and `bins` of an object.
    static func read(_ reader: MemberReader) -> NetworkCodependence {
        var read = NetworkCodependence()
        read.measure = reader.choice("codependence", of: CentralityRequest.Codependence.self) ?? read.measure
        read.tailAlpha = reader.double("alpha_tail", in: .openUnit) ?? read.tailAlpha
        read.threshold = reader.double("threshold", in: .nonnegative) ?? read.threshold
        read.bins = ClusteringRequest.Bins.read(reader) ?? read.bins
        return read
    }

    func write(to object: inout JSONObject) {
        object["codependence"] = .string(measure.rawValue)
        if tailAlpha != 0.05 { object["alpha_tail"] = JSONValue(tailAlpha) }
        if threshold != 0.5 { object["threshold"] = JSONValue(threshold) }
        if let bins = bins.json { object["bins"] = bins }
    }
}

/// The member `constraints.centrality`: limits of the average centrality `sum of centrality x weight`.
public struct CentralityRequest: Sendable, Equatable {
    /// Codependences that are made of the panel alone.
    public enum Codependence: String, Sendable, CaseIterable {
        case pearson, spearman, kendall, gerber1, gerber2, distance, tail
        case absolutePearson = "abs_pearson"
        case absoluteSpearman = "abs_spearman"
        case absoluteKendall = "abs_kendall"
        case mutualInformation = "mutual_info"
    }

    public var measure = CentralityMeasure.degree
    public var graph = NetworkGraph.minimumSpanningTree
    public var codependence = NetworkCodependence()
    public var min: Double?
    public var max: Double?

    /// Of degrees in the minimum spanning tree of Pearson correlations.
    public init(min: Double? = nil, max: Double? = nil) {
        self.min = min
        self.max = max
    }
}

extension CentralityRequest {
    static func read(_ outer: MemberReader) -> CentralityRequest? {
        guard let reader = outer.object("centrality") else { return nil }
        defer { reader.finish() }
        var read = CentralityRequest()
        read.measure = reader.choice("measure", of: CentralityMeasure.self) ?? read.measure
        read.graph = reader.choice("graph", of: NetworkGraph.self) ?? read.graph
        read.codependence = .read(reader)
        let range = Interval(lower: -1e9, upper: 1e9)
        read.min = reader.double("min", in: range)
        read.max = reader.double("max", in: range)
        if let low = read.min, let high = read.max, low > high {
            reader.fault("min", .contradiction, "The minimum \(low) is above the maximum \(high).")
        }
        if !reader.has("min"), !reader.has("max") { reader.fault("max", .missing, "A limit needs min or max.") }
        return read
    }

    var json: JSONValue {
        var object = JSONObject([
            ("measure", .string(measure.rawValue)), ("graph", .string(graph.rawValue)),
        ])
        codependence.write(to: &object)
        if let min { object["min"] = JSONValue(min) }
        if let max { object["max"] = JSONValue(max) }
        return .object(object)
    }
}
