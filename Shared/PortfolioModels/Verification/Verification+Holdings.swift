import WireFormat

/// Rules on which assets are held, against the request alone.
extension Verification {
    /// The rules on which assets are held, by name, from the request alone.
    static func holdings(
        _ request: OptimizeRequest, _ panel: ReturnPanel, _ result: OptimizationResult
    ) -> [String] {
        let wanted = request.constraints
        guard wanted.hasChoice else { return [] }
        var faults: [String] = []
        let weight = Dictionary(zip(request.assets, result.weights), uniquingKeysWith: { $1 })
        func members(_ name: String) -> [String] {
            weight[name] != nil ? [name] : wanted.groups.first { $0.name == name }?.assets ?? []
        }
        func held(_ names: [String]) -> Int { Set(names).filter { (weight[$0] ?? 0) != 0 }.count }
        if let most = wanted.cardinality?.max, held(request.assets) > most {
            faults.append("\(held(request.assets)) assets are held, at most \(most) may be")
        }
        for group in wanted.cardinality?.groups ?? [] where held(members(group.group)) > group.max {
            faults.append(
                "\(held(members(group.group))) assets of \(group.group) are held, at most \(group.max) may be")
        }
        if let least = wanted.minPosition {
            for (name, value) in weight where value != 0 && abs(value) < least * (1 - 1e-12) {
                faults.append("\(name) is at \(value), below the least position \(least)")
            }
        }
        for pair in wanted.mutuallyExclusive where held(members(pair.first)) > 0 && held(members(pair.second)) > 0 {
            faults.append("\(pair.first) and \(pair.second) are both held")
        }
        for pair in wanted.join where held(members(pair.first)) > 0 && held(members(pair.second)) == 0 {
            faults.append("\(pair.first) is held without \(pair.second)")
        }
        return faults + heldTogether(wanted, panel, result.weights)
    }

    /// Counts over the network's neighbourhoods, an edge at a time, and over clusters.
    private static func heldTogether(
        _ wanted: ConstraintRequest, _ panel: ReturnPanel, _ weights: [Double]
    ) -> [String] {
        var faults: [String] = []
        func count(_ members: Set<Int>, _ most: Int, _ what: String) {
            let held = members.filter { weights[$0] != 0 }.count
            if held > most { faults.append("\(held) assets of \(what) are held, at most \(most) may be") }
        }
        if let limit = wanted.network {
            guard
                let network = try? AssetNetwork(panel, graph: limit.graph, codependence: .init(limit.codependence))
            else { return ["the network cannot be made"] }
            for centre in panel.assets.indices {
                var near: Set<Int> = [centre]
                for _ in 0..<min(limit.walkSize, panel.assets.count) {
                    near.formUnion(near.flatMap { network.neighbours[$0] })
                }
                count(near, limit.most, "the neighbourhood of \(panel.assets[centre])")
            }
        }
        if let limit = wanted.clusters {
            guard let clusters = try? HeldTogether.labels(limit, panel) else { return ["the clusters cannot be made"] }
            for label in Set(clusters) {
                count(Set(clusters.indices.filter { clusters[$0] == label }), limit.most, "a cluster")
            }
        }
        return faults
    }

}
