/// The member `clustering` of the hierarchical models.
public struct ClusteringRequest: Sendable, Equatable {
    /// How alike two assets are.
    public enum Codependence: String, Sendable, CaseIterable {
        case pearson, spearman, kendall
        case absolutePearson = "abs_pearson"
        case absoluteSpearman = "abs_spearman"
        case absoluteKendall = "abs_kendall"
        case gerber1, gerber2, distance
        case mutualInformation = "mutual_info"
        case tail
        /// Correlations of `matrix`.
        case custom
    }

    /// How clusters are joined.
    public enum Linkage: String, Sendable, CaseIterable {
        case single, complete, average, weighted, centroid, median, ward
        case bubbleTree = "DBHT"
    }

    /// How the number of clusters is chosen: the gap of second differences, or the standardised silhouette.
    public enum CountMethod: String, Sendable, CaseIterable {
        case twoDifferences = "twodiff"
        case standardisedSilhouette = "stdsil"
    }

    /// Bins of mutual information: Knuth, Freedman-Diaconis, Scott, Hacine-Gharbi-Ravier, or a number.
    public enum Bins: Sendable, Equatable {
        case rule(Rule)
        case count(Int)

        /// A rule by Riskfolio-Lib's code.
        public enum Rule: String, Sendable, CaseIterable {
            case knuth = "KN"
            case freedmanDiaconis = "FD"
            case scott = "SC"
            case hacineGharbiRavier = "HGR"
        }
    }

    /// What NCO optimises inside and across clusters.
    public enum InnerObjective: String, Sendable, CaseIterable {
        case minimumRisk = "MinRisk"
        case utility = "Utility"
        case sharpe = "Sharpe"
        case equalContributions = "ERC"
    }

    public var codependence = Codependence.pearson
    public var linkage = Linkage.single
    /// Whether the leaves are put in the optimal order.
    public var isOrdered = true
    /// Number of clusters; nil is chosen by `countMethod`.
    public var count: Int?
    public var mostClusters = 10
    public var countMethod = CountMethod.twoDifferences
    public var bins = Bins.rule(.knuth)
    /// Tail probability of `tail`.
    public var tailAlpha = 0.05
    /// Of the Gerber statistics, in standard deviations.
    public var threshold = 0.5
    /// Correlations of `custom`.
    public var matrix: NamedMatrix?
    /// Of NCO; nil is the request's objective.
    public var objective: InnerObjective?
    /// Of Schur: 0 is HRP, 1 is minimum variance.
    public var gamma = 0.5

    /// Riskfolio-Lib's defaults.
    public init() {}
}

extension ClusteringRequest {
    static func read(_ outer: MemberReader, assets: [String]) -> ClusteringRequest? {
        guard let reader = outer.object("clustering") else { return nil }
        defer { reader.finish() }
        var read = ClusteringRequest()
        read.codependence = reader.choice("codependence", of: Codependence.self) ?? read.codependence
        read.linkage = reader.choice("linkage", of: Linkage.self) ?? read.linkage
        read.isOrdered = reader.bool("leaf_order") ?? read.isOrdered
        read.count = reader.int("k", in: 1...max(1, assets.count))
        read.mostClusters = reader.int("max_k", in: 1...OptimizeRequest.mostAssets) ?? read.mostClusters
        read.countMethod = reader.choice("method_k", of: CountMethod.self) ?? read.countMethod
        read.bins = Bins.read(reader) ?? read.bins
        read.tailAlpha = reader.double("alpha_tail", in: .openUnit) ?? read.tailAlpha
        read.threshold = reader.double("threshold", in: .nonnegative) ?? read.threshold
        read.objective = reader.choice("objective", of: InnerObjective.self)
        read.gamma = reader.double("gamma", in: .unit) ?? read.gamma
        if read.codependence == .custom {
            read.matrix = NamedMatrix.read("matrix", reader, assets: assets)
        } else if reader.has("matrix") {
            reader.fault("matrix", .contradiction, "A matrix belongs to the codependence custom.")
        }
        return read
    }

    var json: JSONValue {
        var object = JSONObject([
            ("codependence", .string(codependence.rawValue)), ("linkage", .string(linkage.rawValue)),
            ("leaf_order", .bool(isOrdered)),
        ])
        if let count { object["k"] = JSONValue(count) }
        object["max_k"] = JSONValue(mostClusters)
        object["method_k"] = .string(countMethod.rawValue)
        if let bins = bins.json { object["bins"] = bins }
        if tailAlpha != 0.05 { object["alpha_tail"] = JSONValue(tailAlpha) }
        if threshold != 0.5 { object["threshold"] = JSONValue(threshold) }
        if let objective { object["objective"] = .string(objective.rawValue) }
        if gamma != 0.5 { object["gamma"] = JSONValue(gamma) }
        if let matrix { object["matrix"] = matrix.json }
        return .object(object)
    }
}

extension ClusteringRequest.Bins {
    /// The member `bins`: a rule's name or a number.
    static func read(_ reader: MemberReader) -> ClusteringRequest.Bins? {
        guard let value = reader.value("bins") else { return nil }
        if value.stringValue != nil { return reader.choice("bins", of: Rule.self).map { .rule($0) } }
        return reader.int("bins", in: 2...10_000).map { .count($0) }
    }

    /// Nil for the default.
    var json: JSONValue? {
        switch self {
        case .rule(.knuth): nil
        case .rule(let rule): .string(rule.rawValue)
        case .count(let number): JSONValue(number)
        }
    }
}
