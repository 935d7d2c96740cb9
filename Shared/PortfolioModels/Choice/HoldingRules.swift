import WireFormat

/// Rules on which assets are held, not on how much: counts, least positions, exclusions and joins, by index.
struct HoldingRules: Sendable {
    /// At most `most` of the members are held.
    struct Count: Sendable {
        var name: String
        var members: [Int]
        var most: Int
    }

    /// Two sets of assets: never both held, or the second held wherever the first is.
    struct Pair: Sendable {
        var name: String
        var first: [Int]
        var second: [Int]
    }

    var counts: [Count] = []
    /// Least absolute weight of what is held.
    var leastPosition: Double?
    var exclusions: [Pair] = []
    var joins: [Pair] = []

    /// What a joined asset has to weigh at least where the request names no least position: holding it must not mean nothing.
    static let leastJoined = 1e-4

    init() {}

    /// - Throws: what the network and the clusters of the panel throw.
    init(_ wanted: ConstraintRequest, panel: ReturnPanel) throws(Problem) {
        let assets = panel.assets
        let index = Dictionary(assets.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        func members(_ name: String) -> [Int] {
            if let asset = index[name] { return [asset] }
            return wanted.members(of: name, among: assets).compactMap { index[$0] }.sorted()
        }
        if let most = wanted.cardinality?.max {
            counts.append(Count(name: "cardinality", members: Array(assets.indices), most: most))
        }
        for group in wanted.cardinality?.groups ?? [] {
            counts.append(
                Count(name: "cardinality.groups.\(group.group)", members: members(group.group), most: group.max))
        }
        if let limit = wanted.network {
            let sets = try HeldTogether.neighbourhoods(limit, panel)
            counts += sets.map { Count(name: "network", members: $0, most: limit.most) }
        }
        if let limit = wanted.clusters {
            let sets = try HeldTogether.clusters(limit, panel)
            counts += sets.map { Count(name: "clusters", members: $0, most: limit.most) }
        }
        leastPosition = wanted.minPosition
        func pairs(_ list: [ConstraintRequest.Pair], _ name: String) -> [Pair] {
            list.enumerated().map { place, pair in
                Pair(name: "\(name).\(place)", first: members(pair.first), second: members(pair.second))
            }
        }
        exclusions = pairs(wanted.mutuallyExclusive, "mutually_exclusive")
        joins = pairs(wanted.join, "join")
    }

    /// Each once: the neighbourhoods of a network share theirs.
    var names: [String] {
        var result: [String] = []
        for count in counts where !result.contains(count.name) { result.append(count.name) }
        return result + (leastPosition == nil ? [] : ["min_position"]) + exclusions.map { $0.name }
            + joins.map { $0.name }
    }

    /// The rules less one of them.
    func without(_ name: String) -> HoldingRules {
        var rest = self
        rest.counts.removeAll { $0.name == name }
        rest.exclusions.removeAll { $0.name == name }
        rest.joins.removeAll { $0.name == name }
        if name == "min_position" { rest.leastPosition = nil }
        return rest
    }

    /// The least weight of an asset that has to be held.
    var leastHeld: Double { leastPosition ?? Self.leastJoined }
}
