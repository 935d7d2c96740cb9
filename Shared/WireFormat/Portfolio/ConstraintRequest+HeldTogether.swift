/// The member `constraints.network`: of an asset and its neighbours in a network of the assets at most `max` are held.
public struct NeighbourhoodRequest: Sendable, Equatable {
    public var graph = NetworkGraph.minimumSpanningTree
    public var codependence = NetworkCodependence()
    /// Edges from an asset to the farthest of its neighbours.
    public var walkSize = 1
    public var most = 1

    /// One of every closed neighbourhood of the minimum spanning tree of Pearson correlations.
    public init() {}

    static func read(_ outer: MemberReader) -> NeighbourhoodRequest? {
        guard let reader = outer.object("network") else { return nil }
        defer { reader.finish() }
        var read = NeighbourhoodRequest()
        read.graph = reader.choice("graph", of: NetworkGraph.self) ?? read.graph
        read.codependence = .read(reader)
        read.walkSize = reader.int("walk_size", in: 1...OptimizeRequest.mostAssets) ?? read.walkSize
        read.most = reader.int("max", in: 1...OptimizeRequest.mostAssets) ?? read.most
        return read
    }

    var json: JSONValue {
        var object = JSONObject([("graph", .string(graph.rawValue))])
        codependence.write(to: &object)
        object["walk_size"] = JSONValue(walkSize)
        object["max"] = JSONValue(most)
        return .object(object)
    }
}

/// The member `constraints.clusters`: of the assets of a cluster at most `max` are held.
public struct ClusterLimitRequest: Sendable, Equatable {
    /// How the clusters are found: the form of the request's own member of that name, whose defaults it has.
    public var clustering = ClusteringRequest()
    public var most = 1

    /// One of each cluster.
    public init() {}

    static func read(_ outer: MemberReader, assets: [String]) -> ClusterLimitRequest? {
        guard let reader = outer.object("clusters") else { return nil }
        defer { reader.finish() }
        var read = ClusterLimitRequest()
        read.clustering = ClusteringRequest.read(reader, assets: assets) ?? read.clustering
        if let inner = reader.object["clustering"]?.objectValue {
            for name in ["objective", "gamma"] where inner[name] != nil {
                reader.faults.record(
                    Violation(
                        reader.pointer.appending("clustering").appending(name), .contradiction,
                        "\(name) belongs to models that allocate within clusters; a limit of what is held does not read it."
                    ))
            }
        }
        read.most = reader.int("max", in: 1...OptimizeRequest.mostAssets) ?? read.most
        return read
    }

    var json: JSONValue {
        .object(JSONObject([("clustering", clustering.json), ("max", JSONValue(most))]))
    }
}
